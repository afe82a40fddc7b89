"""What causes each type of event: requests of a customer and a merchant in a sandbox."""

import secrets
from collections.abc import Mapping
from typing import Final

import click

from gateway.domain.event_type import EventType
from gateway.entrypoints.remote.cast import (
    AMOUNT_MINOR,
    HOLD_SECONDS,
    NOWHERE,
    PAYMENT_REQUIRED,
    SECOND_CURRENCIES,
    TOO_MUCH_MINOR,
    Cast,
    Scenario,
    Told,
)
from gateway.entrypoints.remote.customer_scenarios import CUSTOMERS
from gateway.entrypoints.remote.gateway import Json, Refused
from gateway.entrypoints.remote.sign_in import make_up


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
    **CUSTOMERS,
}
