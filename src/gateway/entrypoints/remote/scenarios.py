"""What causes each type of event: requests of a customer and a merchant in a sandbox."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from gateway.domain.event_type import EventType
from gateway.entrypoints.remote.gateway import Json, Refused, RemoteGateway
from gateway.entrypoints.remote.sign_in import SignedIn, make_up

AMOUNT_MINOR: Final = 1_050
TOO_MUCH_MINOR: Final = 1_000_000
DEPOSIT_MINOR: Final = 100_000
HOLD_SECONDS: Final = 60
"""The shortest hold: a payment expires after a minute at the earliest."""
PAYMENT_REQUIRED: Final = 402
SECOND_CURRENCIES: Final = ("EUR", "USD", "GBP", "CHF", "JPY", "SEK", "PLN", "AUD")
NOWHERE: Final = "http://127.0.0.1:9/"
"""The discard port: nothing listens there."""


class MerchantMustAct(click.ClickException):
    """The merchant has to sign in."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Only the merchant can cause {name}: sign in as that merchant with --email, or leave out --merchant-id."
        )


@dataclass(slots=True)
class Cast:
    """Who takes part.

    Attributes:
        remote: The sandbox.
        currency: Of all amounts.
        merchant: Who has signed in; `None` for a merchant who is only paid.
        merchant_id: Of the merchant who is only paid.
    """

    remote: RemoteGateway
    currency: str
    merchant: SignedIn | None
    merchant_id: str

    @property
    def shop(self) -> SignedIn:
        """The merchant, to act."""
        assert self.merchant is not None  # noqa: S101 - such scenarios are not played without.
        return self.merchant

    async def customer(self) -> SignedIn:
        """A customer with money."""
        customer = await make_up(self.remote, "customer", name="customer", currency=self.currency)
        await customer.ask("POST", "/deposits", self.money_of(customer, DEPOSIT_MINOR))
        return customer

    async def pay(self, customer: SignedIn, amount_minor: int = AMOUNT_MINOR, **more: Any) -> Json:
        """A payment to the merchant."""
        merchant_id = self.merchant_id if self.merchant is None else self.merchant.id
        body = {"merchant_id": merchant_id, "amount": amount_minor, "currency": self.currency, **more}
        return await customer.ask("POST", "/payments", body)

    async def request(self) -> Json:
        """A payment that the merchant requests from any customer."""
        return await self.shop.ask("POST", "/payments", {"amount": AMOUNT_MINOR, "currency": self.currency})

    def money_of(self, owner: SignedIn, amount_minor: int) -> Json:
        """The body of a deposit or a payout."""
        accounts: list[Json] = owner.user["accounts"]
        account = next((each for each in accounts if each["currency"] == self.currency), None)
        if account is None:
            raise click.ClickException(f"{owner.user['email']} has no account in {self.currency}: set --currency.")
        return {"account_id": account["id"], "amount": amount_minor, "currency": self.currency}


@dataclass(frozen=True, slots=True)
class Told:
    """What happened.

    Attributes:
        object_id: Of the object that the event is about.
        seen_by: A party to it.
        seconds: How long the event takes by its nature.
    """

    object_id: str
    seen_by: SignedIn
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """How to cause one type of event.

    Attributes:
        summary: For people.
        play: Sends the requests.
        merchant_acts: Whether the merchant sends one of them.
    """

    summary: str
    play: Callable[[Cast], Awaitable[Told]]
    merchant_acts: bool = True


async def created(cast: Cast) -> Told:
    """`payment.created`."""
    return Told((await cast.request())["id"], cast.shop)


async def authorized(cast: Cast) -> Told:
    """`payment.authorized`."""
    customer = await cast.customer()
    return Told((await cast.pay(customer, capture="manual"))["id"], customer)


async def captured(cast: Cast) -> Told:
    """`payment.captured`."""
    customer = await cast.customer()
    return Told((await cast.pay(customer))["id"], customer)


async def partially_captured(cast: Cast) -> Told:
    """`payment.partially_captured`."""
    payment = await cast.pay(await cast.customer(), capture="manual")
    await cast.shop.ask("POST", f"/payments/{payment['id']}/capture", {"amount": AMOUNT_MINOR // 2, "final": False})
    return Told(payment["id"], cast.shop)


async def failed(cast: Cast) -> Told:
    """`payment.failed`."""
    customer = await cast.customer()
    try:
        payment = await cast.pay(customer, TOO_MUCH_MINOR)
    except Refused as refused:
        if refused.status != PAYMENT_REQUIRED:
            raise
        return Told(refused.problem["payment_id"], customer)
    raise click.ClickException(f"{payment['id']} was paid, although the customer has too little.")


async def confirmation_failed(cast: Cast) -> Told:
    """`payment.confirmation_failed`."""
    payment = await cast.request()
    poor = await make_up(cast.remote, "customer", name="customer", currency=cast.currency)
    try:
        await poor.ask("POST", f"/payments/{payment['id']}/confirm", {})
    except Refused as refused:
        if refused.status != PAYMENT_REQUIRED:
            raise
    return Told(payment["id"], cast.shop)


async def canceled(cast: Cast) -> Told:
    """`payment.canceled`."""
    payment = await cast.request()
    await cast.shop.ask("POST", f"/payments/{payment['id']}/cancel", {})
    return Told(payment["id"], cast.shop)


async def expired(cast: Cast) -> Told:
    """`payment.expired`."""
    customer = await cast.customer()
    payment = await cast.pay(customer, capture="manual", expires_in_seconds=HOLD_SECONDS)
    click.echo(f"{payment['id']} expires in {HOLD_SECONDS} s ...", err=True)
    return Told(payment["id"], customer, HOLD_SECONDS)


async def refunded(cast: Cast) -> Told:
    """`payment.refunded`."""
    return Told((await _refund(cast))["payment_id"], cast.shop)


async def refund_succeeded(cast: Cast) -> Told:
    """`refund.succeeded`."""
    return Told((await _refund(cast))["id"], cast.shop)


async def deposited(cast: Cast) -> Told:
    """`deposit.succeeded`."""
    shop = cast.shop
    return Told((await shop.ask("POST", "/deposits", cast.money_of(shop, AMOUNT_MINOR)))["id"], shop)


async def paid_out(cast: Cast) -> Told:
    """`payout.succeeded`."""
    shop = cast.shop
    await deposited(cast)
    return Told((await shop.ask("POST", "/payouts", cast.money_of(shop, AMOUNT_MINOR)))["id"], shop)


async def opened(cast: Cast) -> Told:
    """`account.opened`."""
    shop = cast.shop
    taken = {account["currency"] for account in (await shop.ask("GET", "/accounts?limit=100"))["data"]}
    free = [currency for currency in SECOND_CURRENCIES if currency not in taken]
    if not free:
        raise click.ClickException(f"The merchant has an account in each of {', '.join(SECOND_CURRENCIES)}.")
    return Told((await shop.ask("POST", "/accounts", {"currency": free[0]}))["id"], shop)


async def closed(cast: Cast) -> Told:
    """`account.closed`, of an account which is opened for it."""
    account = await opened(cast)
    await cast.shop.ask("POST", f"/accounts/{account.object_id}/close", {})
    return account


async def endpoint_tested(cast: Cast) -> Told:
    """`endpoint.test`."""
    shop = cast.shop
    endpoints: list[Json] = (await shop.ask("GET", "/webhook-endpoints?limit=100"))["data"]
    enabled = [endpoint["id"] for endpoint in endpoints if endpoint["enabled"]]
    if enabled:
        await shop.ask("POST", f"/webhook-endpoints/{enabled[0]}/test")
        return Told(enabled[0], shop)
    endpoint_id = await _new_endpoint(cast)
    await shop.ask("POST", f"/webhook-endpoints/{endpoint_id}/test")
    await shop.ask("DELETE", f"/webhook-endpoints/{endpoint_id}")
    return Told(endpoint_id, shop)


async def endpoint_disabled(cast: Cast) -> Told:
    """`endpoint.disabled`, of an endpoint which is made for it: others go on."""
    endpoint_id = await _new_endpoint(cast)
    await cast.shop.ask("PATCH", f"/webhook-endpoints/{endpoint_id}", {"enabled": False})
    await cast.shop.ask("DELETE", f"/webhook-endpoints/{endpoint_id}")
    return Told(endpoint_id, cast.shop)


async def key_created(cast: Cast) -> Told:
    """`api_key.created`. The key is revoked again: nobody gets to see it."""
    key_id = await _new_key(cast)
    await cast.shop.ask("DELETE", f"/api-keys/{key_id}")
    return Told(key_id, cast.shop)


async def key_rotated(cast: Cast) -> Told:
    """`api_key.rotated`. The new key is revoked, too."""
    key_id = await _new_key(cast)
    new = await cast.shop.ask("POST", f"/api-keys/{key_id}/rotate")
    await cast.shop.ask("DELETE", f"/api-keys/{new['id']}")
    return Told(key_id, cast.shop)


async def member_removed(cast: Cast) -> Told:
    """`member.added`, `member.changed` and `member.removed`, of an invitation that nobody accepts."""
    body = {"email": f"trigger.{secrets.token_hex(8)}@example.com", "role": "viewer"}
    member_id: str = (await cast.shop.ask("POST", "/members", body))["id"]
    await cast.shop.ask("PATCH", f"/members/{member_id}", {"role": "support"})
    await cast.shop.ask("DELETE", f"/members/{member_id}")
    return Told(member_id, cast.shop)


async def _new_key(cast: Cast) -> str:
    body = {"name": "gateway trigger", "scopes": ["events:read"]}
    key_id: str = (await cast.shop.ask("POST", "/api-keys", body))["id"]
    return key_id


async def _refund(cast: Cast) -> Json:
    payment = await cast.pay(await cast.customer())
    return await cast.shop.ask("POST", f"/payments/{payment['id']}/refunds", {})


async def _new_endpoint(cast: Cast) -> str:
    body = {"url": NOWHERE, "events": ["endpoint.*"], "description": "gateway trigger"}
    endpoint_id: str = (await cast.shop.ask("POST", "/webhook-endpoints", body))["id"]
    return endpoint_id


SCENARIOS: Final[Mapping[EventType, Scenario]] = {
    EventType.PAYMENT_CREATED: Scenario("a merchant requests a payment", created),
    EventType.PAYMENT_AUTHORIZED: Scenario("a customer pays with a hold", authorized, merchant_acts=False),
    EventType.PAYMENT_CAPTURED: Scenario("a customer pays", captured, merchant_acts=False),
    EventType.PAYMENT_PARTIALLY_CAPTURED: Scenario("a merchant captures a part of a hold", partially_captured),
    EventType.PAYMENT_FAILED: Scenario("a customer pays without funds", failed, merchant_acts=False),
    EventType.PAYMENT_CONFIRMATION_FAILED: Scenario("a customer confirms a request without funds", confirmation_failed),
    EventType.PAYMENT_CANCELED: Scenario("a merchant cancels a request", canceled),
    EventType.PAYMENT_EXPIRED: Scenario("a hold expires, which takes a minute", expired, merchant_acts=False),
    EventType.PAYMENT_REFUNDED: Scenario("a merchant refunds a payment", refunded),
    EventType.REFUND_SUCCEEDED: Scenario("a merchant refunds a payment", refund_succeeded),
    EventType.DEPOSIT_SUCCEEDED: Scenario("a merchant makes a deposit", deposited),
    EventType.PAYOUT_SUCCEEDED: Scenario("a merchant takes money out", paid_out),
    EventType.ACCOUNT_OPENED: Scenario("a merchant opens an account in another currency", opened),
    EventType.ACCOUNT_CLOSED: Scenario("a merchant opens an account in another currency and closes it", closed),
    EventType.API_KEY_CREATED: Scenario("a merchant creates an API key, and revokes it", key_created),
    EventType.API_KEY_ROTATED: Scenario("a merchant rotates a new API key", key_rotated),
    EventType.API_KEY_REVOKED: Scenario("a merchant revokes a new API key", key_created),
    EventType.MEMBER_ADDED: Scenario("a merchant invites a member, and withdraws it", member_removed),
    EventType.MEMBER_CHANGED: Scenario("a merchant changes the role of a new invitation", member_removed),
    EventType.MEMBER_REMOVED: Scenario("a merchant withdraws a new invitation", member_removed),
    EventType.ENDPOINT_TEST: Scenario("a merchant tests its newest webhook endpoint", endpoint_tested),
    EventType.ENDPOINT_DISABLED: Scenario("a merchant disables a new webhook endpoint", endpoint_disabled),
}
