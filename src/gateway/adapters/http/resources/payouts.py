"""Payouts."""

from gateway.adapters.http.messages import Request
from gateway.adapters.http.operations import Body, Idempotency, Operation
from gateway.adapters.http.resources.fields import Amount, CurrencyText, IdText, Reference
from gateway.adapters.http.submissions import identity, submitting
from gateway.application.commands.payout import MakePayout
from gateway.application.views.payouts import PayoutView, payout_view
from gateway.domain.account import AccountId
from gateway.domain.money import Money, currency_code

TAG = "Payouts"


class PayoutBody(Body, frozen=True, kw_only=True):
    """How much, from which account."""

    account_id: IdText[AccountId]
    amount: Amount
    currency: CurrencyText
    reference: Reference | None = None


def to_payout(request: Request[PayoutBody]) -> MakePayout:
    """A payout from the caller's own account."""
    body = request.body
    return MakePayout(
        account_id=body.account_id,
        amount=Money(body.amount, currency_code(body.currency)),
        owner_id=request.caller.user_id,
        reference=body.reference,
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="/payouts",
        name="makePayout",
        tag=TAG,
        summary="Take money out of an account of one's own",
        handler=submitting(to_payout, payout_view, record_of=identity),
        status=201,
        body=PayoutBody,
        result=PayoutView,
        idempotency=Idempotency.REQUIRED,
        codes=(
            "account_not_found",
            "insufficient_funds",
            "account_frozen",
            "account_closed",
            "currency_mismatch",
            "unknown_currency",
        ),
        example={"account_id": "acc_01kc3x0m5fe7v8qj2r4n6p9stb", "amount": 5000, "currency": "USD"},
        example_result={
            "id": "pyo_01kc3x0m5fe7v8qj2r4n6p9stc",
            "object": "payout",
            "transaction_id": "txn_01kc3x0m5fe7v8qj2r4n6p9std",
            "account_id": "acc_01kc3x0m5fe7v8qj2r4n6p9stb",
            "amount": 100000,
            "currency": "USD",
            "reference": None,
            "created_at": "2026-01-02T03:04:05.678901Z",
        },
    ),
)
