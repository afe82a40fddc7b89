"""The settings of rates and quotes."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.domain.limits import QUOTE_REFUND_SECONDS_MAX, QUOTE_SECONDS_DEFAULT, QUOTE_SECONDS_MAX, QUOTE_SECONDS_MIN
from gateway.settings.field import FORM
from gateway.settings.forms import PATH
from gateway.settings.risk import RiskSettings


class ExchangeSettings(RiskSettings, frozen=True, kw_only=True):
    """A part of `Settings`."""

    quote_seconds: Annotated[
        int,
        Meta(
            ge=QUOTE_SECONDS_MIN,
            le=QUOTE_SECONDS_MAX,
            description="How long a quote is valid.",
        ),
    ] = QUOTE_SECONDS_DEFAULT
    quote_refund_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=QUOTE_REFUND_SECONDS_MAX,
            description="How long after its quote a payment across currencies can be refunded; for ever if 0. A refund "
            "uses the rate of the quote: within this time, a customer and a merchant who agree can undo a payment "
            "when the rate has moved.",
        ),
    ] = 0
    quote_spread_refund: Annotated[
        Literal["always", "with_fee", "never"],
        Meta(
            description="When the refund of a payment across currencies returns the spread to the customer; "
            "`with_fee`: in refunds with `refund_fee`."
        ),
    ] = "always"
    rate_change_percent_max: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="The largest change of a rate that an operator need not confirm, in percent of the larger of "
            "the two rates: a rate that doubles or halves changes by 50. 100 allows every change.",
        ),
    ] = 100
    rates_file: Annotated[
        str,
        Meta(
            description="A JSON file with the rates, read again when it changes. When empty, rates are in the "
            "database, and operators set them.",
            extra={FORM: PATH},
        ),
    ] = ""
