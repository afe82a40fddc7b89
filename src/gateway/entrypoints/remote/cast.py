"""Who takes part in a scenario that causes an event, and what comes of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import click

from gateway.entrypoints.remote.gateway import Json, RemoteGateway
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
