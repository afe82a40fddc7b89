"""The forms of fields that several resources share, with their limits."""

from datetime import datetime
from typing import Annotated, Final

import msgspec

from gateway.domain.errors import FieldError, InvalidInput
from gateway.domain.money import AMOUNT_MINOR_MAX, AMOUNT_MINOR_MIN
from gateway.domain.payment import EXPIRES_IN_SECONDS_MAX, EXPIRES_IN_SECONDS_MIN
from gateway.domain.rate import RATE_PATTERN, RATE_PLACES_MAX, SPREAD_BASIS_POINTS_MAX

LIMIT_DEFAULT: Final = 20
LIMIT_MAX: Final = 100
YEAR_MIN: Final = 1970
YEAR_MAX: Final = 9998

Amount = Annotated[
    int,
    msgspec.Meta(
        ge=AMOUNT_MINOR_MIN,
        le=AMOUNT_MINOR_MAX,
        description="Minor units of the currency: 1050 with USD is $10.50.",
        examples=[1050],
    ),
]
ExpiresInSeconds = Annotated[
    int,
    msgspec.Meta(
        ge=EXPIRES_IN_SECONDS_MIN,
        le=EXPIRES_IN_SECONDS_MAX,
        description="How long the money is held, or the request can be confirmed; a week unless given.",
        examples=[3600],
    ),
]
RateDecimal = Annotated[
    str,
    msgspec.Meta(
        pattern=RATE_PATTERN,
        description=f"A decimal of up to {RATE_PLACES_MAX} places: major units of one currency for one of the other.",
        examples=["1.0842"],
    ),
]
SpreadBasisPoints = Annotated[
    int,
    msgspec.Meta(
        ge=0, le=SPREAD_BASIS_POINTS_MAX, description="The part that the gateway keeps: 50 is 0.5 %.", examples=[50]
    ),
]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
CurrencyText = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="A code of ISO 4217.", examples=["USD"])]
IdText = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Description = Annotated[str, msgspec.Meta(max_length=500)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Metadata = Annotated[
    dict[Annotated[str, msgspec.Meta(min_length=1, max_length=40)], Annotated[str, msgspec.Meta(max_length=500)]],
    msgspec.Meta(max_length=50),
]
Limit = Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)]
CursorText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which page of a list. Lists with filters add them as fields of their own."""

    limit: Limit = LIMIT_DEFAULT
    cursor: CursorText | None = None


class CreatedQuery(PageQuery, frozen=True, kw_only=True):
    """Which page of a list that may be limited to a time: `created_after` ≤ time < `created_before`."""

    created_after: Instant | None = None
    created_before: Instant | None = None

    def __post_init__(self) -> None:
        """Refuse the ends of the calendar, where another time zone would leave it."""
        detail = f"A time is between the years {YEAR_MIN} and {YEAR_MAX}."
        instants = {"created_after": self.created_after, "created_before": self.created_before}
        outside = [name for name, at in instants.items() if at is not None and not YEAR_MIN <= at.year <= YEAR_MAX]
        if outside:
            raise InvalidInput(detail, [FieldError(name, "value_invalid", detail) for name in outside])
