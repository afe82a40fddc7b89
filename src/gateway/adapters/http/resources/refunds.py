"""Refunds."""

from typing import Any, Final

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import (
    AnyOperation,
    Body,
    Idempotency,
    ListView,
    Operation,
    json_response,
)
from gateway.adapters.http.resources.fields import Amount, PageQuery, Reason
from gateway.adapters.http.submissions import identity, submitting
from gateway.application.commands.refund_payment import RefundPayment
from gateway.application.queries import Page
from gateway.application.views.refunds import RefundView, refund_view
from gateway.domain.payment import PaymentId
from gateway.domain.refund import RefundId

TAG = "Refunds"


class RefundBody(Body, frozen=True, kw_only=True):
    """How much, all that is left unless given; and whether the merchant gets the fee's share back."""

    amount: Amount | None = None
    reason: Reason | None = None
    refund_fee: bool = False


class RefundsQuery(PageQuery, frozen=True, kw_only=True):
    """Which page."""


def to_refund(request: Request[RefundBody]) -> RefundPayment:
    """A refund by the caller, of captured money."""
    body = request.body
    return RefundPayment(
        payment_id=PaymentId(request.path_ids["payment_id"]),
        merchant_id=request.caller.user_id,
        amount_minor=body.amount,
        reason=body.reason,
        refund_fee=body.refund_fee,
    )


async def get_refund(request: Request) -> Response:
    """Show a refund."""
    return json_response(
        200, refund_view(await request.gateway.queries.refund(request.caller, RefundId(request.path_ids["refund_id"])))
    )


async def find_refunds(request: Request[None, RefundsQuery], before: RefundId | None) -> Page[RefundView]:
    """A page of the refunds of a payment."""
    payment_id = PaymentId(request.path_ids["payment_id"])
    page = await request.gateway.queries.refunds(request.caller, payment_id, before=before, limit=request.query.limit)
    return page.map(refund_view)


EXAMPLE_REFUND: Final[dict[str, Any]] = {
    "id": "ref_01kc3x0m5fe7v8qj2r4n6p9stg",
    "object": "refund",
    "payment_id": "pay_01kc3x0m5fe7v8qj2r4n6p9ste",
    "transaction_id": "txn_01kc3x0m5fe7v8qj2r4n6p9sth",
    "amount": 1050,
    "currency": "USD",
    "fee_refunded": 0,
    "status": "succeeded",
    "reason": "The coffee was cold",
    "created_at": "2026-01-02T03:04:05.678901Z",
}


def operations(cursors: Cursors) -> tuple[AnyOperation, ...]:
    """The operations on refunds."""
    return (
        Operation(
            method="POST",
            path="/payments/{payment_id}/refunds",
            name="createRefund",
            tag=TAG,
            summary="Give captured money back, whole or in parts",
            handler=submitting(to_refund, refund_view, record_of=identity),
            status=201,
            body=RefundBody,
            result=RefundView,
            idempotency=Idempotency.REQUIRED,
            codes=(
                "payment_not_found",
                "payment_not_refundable",
                "refund_amount_exceeds_remaining",
                "refund_limit_reached",
                "merchant_insufficient_funds",
                "account_frozen",
                "account_closed",
                "balance_overflow",
            ),
            example={"amount": 500, "reason": "The coffee was cold"},
            example_result=EXAMPLE_REFUND,
        ),
        Operation(
            method="GET",
            path="/payments/{payment_id}/refunds",
            name="listRefunds",
            tag=TAG,
            summary="List the refunds of a payment",
            handler=listing(cursors, find_refunds),
            query=RefundsQuery,
            result=ListView[RefundView],
            codes=("payment_not_found", "cursor_invalid"),
            example_result={"object": "list", "data": [EXAMPLE_REFUND], "has_more": False, "next_cursor": None},
        ),
        Operation(
            method="GET",
            path="/refunds/{refund_id}",
            name="getRefund",
            tag=TAG,
            summary="Show a refund",
            handler=get_refund,
            result=RefundView,
            codes=("refund_not_found",),
            example_result=EXAMPLE_REFUND,
        ),
    )
