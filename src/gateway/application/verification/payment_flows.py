"""Payment flows: the amounts that transactions move for a payment, and those that its row and its quote imply."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.domain.account import AccountKind
from gateway.domain.money import CurrencyCode
from gateway.domain.payment import Payment
from gateway.domain.quote import Quote, source_refund
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import Transfer, TransferKind


class Flow(NamedTuple):
    """One kind of amount of a payment between its parties: captured, held, refunded or kept as a fee.

    For a payment with a quote, also its exchange legs: got by the merchant, paid by the customer, and the spread. The
    exchange legs of refunds are flows of their own.
    """

    name: str
    currency: CurrencyCode
    customer_id: str | None
    merchant_id: str | None


_C, _M, _F, _X = AccountKind.CUSTOMER, AccountKind.MERCHANT, AccountKind.FEES, AccountKind.EXCHANGE
PAYMENT_TRANSFERS: Final[Mapping[tuple[TransactionType, TransferKind, AccountKind, AccountKind], Mapping[str, int]]] = {
    (TransactionType.PAYMENT, TransferKind.POST, _C, _M): {"captured": 1},
    (TransactionType.PAYMENT, TransferKind.POST, _M, _F): {"fee": 1},
    (TransactionType.PAYMENT, TransferKind.POST, _X, _M): {"captured": 1, "got": 1},
    (TransactionType.PAYMENT, TransferKind.POST, _C, _X): {"paid": 1},
    (TransactionType.PAYMENT, TransferKind.POST, _X, _F): {"spread": 1},
    (TransactionType.HOLD, TransferKind.HOLD, _C, _M): {"held": 1},
    (TransactionType.CAPTURE, TransferKind.POST_HELD, _C, _M): {"captured": 1, "held": -1},
    (TransactionType.CAPTURE, TransferKind.RELEASE, _C, _M): {"held": -1},
    (TransactionType.CAPTURE, TransferKind.POST, _M, _F): {"fee": 1},
    (TransactionType.RELEASE, TransferKind.RELEASE, _C, _M): {"held": -1},
    (TransactionType.REFUND, TransferKind.POST, _M, _C): {"refunded": 1},
    (TransactionType.REFUND, TransferKind.POST, _F, _M): {"fee": -1},
    (TransactionType.REFUND, TransferKind.POST, _M, _X): {"refunded": 1, "got back": 1},
    (TransactionType.REFUND, TransferKind.POST, _X, _C): {"paid back": 1},
    (TransactionType.REFUND, TransferKind.POST, _F, _X): {"spread back": 1},
}
"""Every transfer that a payment may make (transaction type, transfer kind, kinds of the debited and the credited
account), with the flows that it changes and their signs."""


def flows_of(
    transaction: Transaction, transfer: Transfer, debit: AccountKind, credit: AccountKind
) -> Mapping[Flow, int]:
    """The flows that one transfer of a transaction changes, in minor units."""
    names = PAYMENT_TRANSFERS.get((transaction.type, transfer.kind, debit, credit), {})
    return {
        Flow(name, transfer.currency, transaction.customer_id, transaction.merchant_id): sign * transfer.amount_minor
        for name, sign in names.items()
    }


def flows_implied_by(payment: Payment) -> Counter[Flow]:
    """The flows that the amounts in a payment's row imply, in minor units."""
    amounts = {
        "captured": payment.amount_captured_minor,
        "held": payment.amount_held_minor,
        "refunded": payment.amount_refunded_minor,
        "fee": payment.fee_amount_minor,
    }
    return Counter(
        {
            Flow(name, payment.amount.currency, payment.customer_id, payment.merchant_id): amount_minor
            for name, amount_minor in amounts.items()
        }
    )


def flows_implied_by_quote(quote: Quote, payment: Payment) -> Counter[Flow]:
    """The further flows that its quote implies for a payment, in minor units of both currencies."""
    back = source_refund(
        quote,
        refunded_before_minor=0,
        refunded_minor=payment.amount_refunded_minor,
        with_fee_minor=payment.amount_refunded_with_fee_minor,
    )
    amounts = {
        ("got", quote.target.currency): payment.amount_captured_minor,
        ("got back", quote.target.currency): payment.amount_refunded_minor,
        ("paid", quote.source.currency): quote.source.amount_minor,
        ("paid back", quote.source.currency): back.source_minor,
        ("spread", quote.source.currency): quote.spread_minor,
        ("spread back", quote.source.currency): back.spread_minor,
    }
    return Counter(
        {
            Flow(name, currency, payment.customer_id, payment.merchant_id): amount_minor
            for (name, currency), amount_minor in amounts.items()
        }
    )
