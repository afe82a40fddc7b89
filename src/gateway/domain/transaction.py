"""Transaction: the transfers that one command decided; all of them, or none."""

from datetime import datetime
from enum import StrEnum
from typing import NewType

from gateway.domain.money import CurrencyCode
from gateway.domain.payment import PaymentId
from gateway.domain.transfer import Transfer
from gateway.domain.user import UserId
from gateway.domain.value import value

TransactionId = NewType("TransactionId", str)


class TransactionType(StrEnum):
    """Why money moved."""

    DEPOSIT = "deposit"
    PAYOUT = "payout"
    PAYMENT = "payment"  # at once; across currencies, by way of the exchange
    HOLD = "hold"
    CAPTURE = "capture"  # of held money, with the release of the rest if it is the last
    RELEASE = "release"  # of held money, by canceling or because its time is over
    REFUND = "refund"
    REVERSAL = "reversal"


@value
class Transaction:
    """Immutable: a correction is a new transaction that names the one it `reverses`.

    `reversed_by` is that name the other way round. It is looked up, not kept, and so is `None` on a new one.

    `transfers` has at least one, in the order in which they were made. `customer_id` and `merchant_id` are the parties
    who may see it.
    """

    id: TransactionId
    type: TransactionType
    transfers: tuple[Transfer, ...]
    payment_id: PaymentId | None
    customer_id: UserId | None
    merchant_id: UserId | None
    description: str | None
    reverses: TransactionId | None
    created_at: datetime
    reversed_by: TransactionId | None = None

    @property
    def main(self) -> Transfer:
        """The transfer that the transaction is about: the merchant's part of a payment or a refund."""
        # The first; but a refund's share of the fee goes back to the merchant before it: it may be what pays for it.
        return self.transfers[-1 if self.type is TransactionType.REFUND else 0]

    @property
    def amount_minor(self) -> int:
        """What the transaction is about, in minor units of `currency`."""
        return self.main.amount_minor

    @property
    def currency(self) -> CurrencyCode:
        """The currency of `amount_minor`."""
        return self.main.currency
