"""Quotes: a rate for one payment, for a short time."""

from typing import Any, Final

from gateway.adapters.http.field_errors import error_at
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import Body, Idempotency, Operation, json_response
from gateway.adapters.http.problems import invalid_request
from gateway.adapters.http.resources.fields import Amount, CurrencyText
from gateway.adapters.http.resources.rates import TAG
from gateway.adapters.http.submissions import submitted
from gateway.application.views.quotes import QuoteView, quote_view
from gateway.domain.money import Money, currency_code
from gateway.domain.payment import QuoteId
from gateway.domain.rate import CurrencyPair


class QuoteBody(Body, frozen=True, kw_only=True):
    """From which currency to which; and either how much is to be paid, or how much is to be got."""

    from_currency: CurrencyText
    to_currency: CurrencyText
    source_amount: Amount | None = None
    target_amount: Amount | None = None


NO_AMOUNT: Final = error_at("/source_amount", "field_missing", "Give either this field or target_amount.")
BOTH_AMOUNTS: Final = error_at("/target_amount", "field_unknown", "Give either this field or source_amount, not both.")


async def make_quote(request: Request[QuoteBody]) -> Response:
    """Make a quote of the current rate.

    Raises:
        HttpRefusal: `validation_error`: the body has no amount, or both.
    """
    body = request.body
    pair = CurrencyPair(currency_code(body.from_currency), currency_code(body.to_currency))
    match body.source_amount, body.target_amount:
        case int(source_minor), None:
            amount = Money(source_minor, pair.source)
        case None, int(target_minor):
            amount = Money(target_minor, pair.target)
        case None, None:
            raise invalid_request([NO_AMOUNT])
        case _:
            raise invalid_request([BOTH_AMOUNTS])
    command = await request.gateway.quotes.quote_command(request.caller.user_id, pair, amount)
    return await submitted(request, command, quote_view)


async def get_quote(request: Request) -> Response:
    """Show a quote."""
    return json_response(
        200, quote_view(await request.gateway.queries.quote(request.caller, QuoteId(request.path_ids["quote_id"])))
    )


EXAMPLE_QUOTE: Final[dict[str, Any]] = {
    "id": "quo_01kc3x0m5fe7v8qj2r4n6p9stj",
    "object": "quote",
    "customer_id": "usr_01kc3x0m5fe7v8qj2r4n6p9sta",
    "from_currency": "EUR",
    "to_currency": "USD",
    "rate": "1.0842",
    "source_amount": 974,
    "target_amount": 1050,
    "spread": 5,
    "spread_basis_points": 50,
    "expires_at": "2026-01-02T03:05:05.678901Z",
    "payment_id": None,
    "created_at": "2026-01-02T03:04:05.678901Z",
}
OPERATIONS = (
    Operation(
        method="POST",
        path="/quotes",
        name="createQuote",
        tag=TAG,
        summary="Ask what a payment in another currency costs; the answer is good for one, and for a minute",
        handler=make_quote,
        status=201,
        body=QuoteBody,
        result=QuoteView,
        idempotency=Idempotency.OPTIONAL,
        codes=("rate_not_found", "unknown_currency", "same_currency", "amount_too_small", "amount_too_large"),
        example={"from_currency": "EUR", "to_currency": "USD", "target_amount": 1050},
        example_result=EXAMPLE_QUOTE,
    ),
    Operation(
        method="GET",
        path="/quotes/{quote_id}",
        name="getQuote",
        tag=TAG,
        summary="Show a quote of the caller's",
        handler=get_quote,
        result=QuoteView,
        codes=("quote_not_found",),
        example_result=EXAMPLE_QUOTE,
    ),
)
