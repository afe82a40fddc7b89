"""Transaction: the transfers of one command, committed together."""

from datetime import datetime
from enum import StrEnum
from typing import NewType

from gateway.domain.immutable import immutable
from gateway.domain.money import CurrencyCode
from gateway.domain.payment import PaymentId
from gateway.domain.transfer import Transfer
from gateway.domain.user import UserId

TransactionId = NewType("TransactionId", str)


class TransactionType(StrEnum):
    """Why money moved."""

    DEPOSIT = "deposit"
    PAYOUT = "payout"
    PAYMENT = "payment"  # at once; with a quote, through the exchange accounts
    HOLD = "hold"
    CAPTURE = "capture"  # of held money; the last one also releases the rest
    RELEASE = "release"  # of held money, when a payment is canceled or expires
    REFUND = "refund"
    REVERSAL = "reversal"


@immutable
class Transaction:
    """An immutable transaction. A correction is a new transaction, which `reverses` this one.

    `reversed_by` is the inverse of `reverses`. It is not stored but looked up, and `None` on a new transaction.

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
        """The main transfer: the merchant's part of a payment or a refund."""
        # A refund's fee share comes first, because it may fund the refund; the main transfer is then the last.
        return self.transfers[-1 if self.type is TransactionType.REFUND else 0]

    @property
    def amount_minor(self) -> int:
        """The amount of the main transfer, in minor units of `currency`."""
        return self.main.amount_minor

    @property
    def currency(self) -> CurrencyCode:
        """The currency of `amount_minor`."""
        return self.main.currency
