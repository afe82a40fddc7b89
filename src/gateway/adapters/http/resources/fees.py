"""Fees on payments to a merchant."""

from typing import Annotated, Any, Final

import msgspec

from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import Body, ListView, Operation, json_response
from gateway.adapters.http.resources.fields import CurrencyText, Reason
from gateway.adapters.http.submissions import submitting
from gateway.application.commands.set_fees import SetFees
from gateway.application.views.fees import FeeScheduleView, fee_schedule_view
from gateway.domain.fees import BASIS_POINTS_MAX, FeeSchedule
from gateway.domain.money import AMOUNT_MINOR_MAX, currency_code
from gateway.domain.user import UserId

TAG = "Fees"


class FeesBody(Body, frozen=True, kw_only=True):
    """A share in basis points (290 is 2.9 %) and so many minor units on top, of payments in one currency.

    `reason` is for the audit log.
    """

    currency: CurrencyText = "USD"
    basis_points: Annotated[int, msgspec.Meta(ge=0, le=BASIS_POINTS_MAX)]
    fixed_amount: Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MINOR_MAX)] = 0
    reason: Reason | None = None


def to_set_fees(request: Request[FeesBody]) -> SetFees:
    """Set the fees of future captures."""
    body = request.body
    return SetFees(
        merchant_id=UserId(request.path_ids["merchant_id"]),
        currency=currency_code(body.currency),
        fees=FeeSchedule(body.basis_points, body.fixed_amount),
        reason=body.reason,
    )


async def get_fees(request: Request) -> Response:
    """Show the fees of each of the merchant's accounts."""
    accounts = await request.gateway.queries.merchant_accounts(request.caller, UserId(request.path_ids["merchant_id"]))
    views = [fee_schedule_view(account) for account in sorted(accounts, key=lambda account: account.currency)]
    return json_response(200, ListView[FeeScheduleView](data=views, has_more=False, next_cursor=None))


EXAMPLE_FEES: Final[dict[str, Any]] = {
    "object": "fee_schedule",
    "merchant_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stf",
    "currency": "EUR",
    "basis_points": 290,
    "fixed_amount": 30,
}
OPERATIONS = (
    Operation(
        method="PUT",
        path="/merchants/{merchant_id}/fees",
        name="setFees",
        tag=TAG,
        summary="Set what is kept of payments to a merchant in a currency",
        handler=submitting(to_set_fees, fee_schedule_view),
        body=FeesBody,
        result=FeeScheduleView,
        codes=("merchant_not_found", "currency_mismatch", "unknown_currency", "account_closed"),
        example={"basis_points": 290, "fixed_amount": 30},
        example_result=EXAMPLE_FEES,
    ),
    Operation(
        method="GET",
        path="/merchants/{merchant_id}/fees",
        name="getFees",
        tag=TAG,
        summary="Show what is kept of payments to a merchant, by currency",
        handler=get_fees,
        result=ListView[FeeScheduleView],
        codes=("merchant_not_found",),
        example_result={"object": "list", "data": [EXAMPLE_FEES], "has_more": False, "next_cursor": None},
    ),
)
