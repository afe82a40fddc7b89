"""Exchange rates."""

from typing import Any, Final

from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import Body, ListView, Operation, json_response
from gateway.adapters.http.resources.fields import RateDecimal, Reason, SpreadBasisPoints
from gateway.application.views.rates import RateView, rate_view
from gateway.domain.money import currency_code
from gateway.domain.rate import CurrencyPair, rate_of

TAG = "Exchange"


class RateBody(Body, frozen=True, kw_only=True):
    """What one unit of the first currency costs in the second, and the part of it that the gateway keeps.

    `confirm` sets a rate also if it differs from the present one by more than the operator of the gateway allows.
    `reason` is for the audit log.
    """

    rate: RateDecimal
    spread_basis_points: SpreadBasisPoints = 0
    confirm: bool = False
    reason: Reason | None = None


async def put_rate(request: Request[RateBody]) -> Response:
    """Set the rate of future quotes."""
    body = request.body
    pair = CurrencyPair(currency_code(request.path_ids["from"]), currency_code(request.path_ids["to"]))
    rate = await request.gateway.quotes.set_rate(
        pair,
        rate_of(body.rate),
        spread_basis_points=body.spread_basis_points,
        confirmed=body.confirm,
        reason=body.reason,
        origin=request.origin,
    )
    return json_response(200, rate_view(rate))


async def list_rates(request: Request) -> Response:
    """Show all rates."""
    views = [rate_view(rate) for rate in await request.gateway.quotes.all_rates()]
    return json_response(200, ListView[RateView](data=views, has_more=False, next_cursor=None))


EXAMPLE_RATE: Final[dict[str, Any]] = {
    "object": "rate",
    "from_currency": "EUR",
    "to_currency": "USD",
    "rate": "1.0842",
    "spread_basis_points": 50,
    "updated_at": "2026-01-02T03:04:05.678901Z",
}
OPERATIONS = (
    Operation(
        method="GET",
        path="/rates",
        name="listRates",
        tag=TAG,
        summary="Show what currencies cost in one another: all rates there are",
        handler=list_rates,
        result=ListView[RateView],
        example_result={"object": "list", "data": [EXAMPLE_RATE], "has_more": False, "next_cursor": None},
    ),
    Operation(
        method="PUT",
        path="/rates/{from}/{to}",
        name="setRate",
        tag=TAG,
        summary="Set what one unit of a currency costs in another, for quotes from now on",
        handler=put_rate,
        body=RateBody,
        result=RateView,
        codes=("unknown_currency", "same_currency", "rates_read_only", "rate_change_too_large"),
        example={"rate": "1.0842", "spread_basis_points": 50},
        example_result=EXAMPLE_RATE,
    ),
)
