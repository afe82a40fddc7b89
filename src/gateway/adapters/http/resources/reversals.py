"""Reversals of deposits and payouts."""

from gateway.adapters.http.messages import Request
from gateway.adapters.http.operations import Body, Idempotency, Operation
from gateway.adapters.http.resources.fields import Reason
from gateway.adapters.http.resources.transactions import EXAMPLE_TRANSACTION, TAG
from gateway.adapters.http.submissions import submitting
from gateway.application.commands.reverse_transaction import ReverseTransaction
from gateway.application.views.transactions import TransactionView, transaction_view
from gateway.domain.transaction import Transaction, TransactionId


class ReverseBody(Body, frozen=True, kw_only=True):
    """Why."""

    reason: Reason


def to_reverse(request: Request[ReverseBody]) -> ReverseTransaction:
    """A reversal."""
    body = request.body
    return ReverseTransaction(transaction_id=TransactionId(request.path_ids["transaction_id"]), reason=body.reason)


def to_whole_view(transaction: Transaction) -> TransactionView:
    """The reversing transaction with all entries, which operators see."""
    return transaction_view(transaction, None)


OPERATIONS = (
    Operation(
        method="POST",
        path="/transactions/{transaction_id}/reverse",
        name="reverseTransaction",
        tag=TAG,
        summary="Take a deposit or a payout back, once",
        handler=submitting(to_reverse, to_whole_view),
        status=201,
        body=ReverseBody,
        result=TransactionView,
        idempotency=Idempotency.REQUIRED,
        codes=(
            "transaction_not_found",
            "already_reversed",
            "use_refund",
            "transaction_not_reversible",
            "insufficient_funds",
            "account_frozen",
            "account_closed",
            "balance_overflow",
        ),
        example={"reason": "Deposited twice"},
        example_result={
            **EXAMPLE_TRANSACTION,
            "type": "reversal",
            "payment_id": None,
            "merchant_id": None,
            "description": "Deposited twice",
            "reverses": "txn_01kc3x0m5fe7v8qj2r4n6p9sth",
        },
    ),
)
