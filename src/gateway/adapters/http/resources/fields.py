"""Types of fields that several resources share, with their limits."""

from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from gateway.domain.errors import FieldError, InvalidInput
from gateway.domain.limits import (
    DESCRIPTION_LENGTH_MAX,
    EXPIRES_IN_SECONDS_MAX,
    EXPIRES_IN_SECONDS_MIN,
    ID_LENGTH_MAX,
    LIST_LIMIT_DEFAULT,
    LIST_LIMIT_MAX,
    METADATA_KEY_LENGTH_MAX,
    METADATA_KEYS_MAX,
    METADATA_VALUE_LENGTH_MAX,
    NAME_LENGTH_MAX,
    REASON_LENGTH_MAX,
    REFERENCE_LENGTH_MAX,
    YEAR_MAX,
    YEAR_MIN,
)
from gateway.domain.money import AMOUNT_MINOR_MAX, AMOUNT_MINOR_MIN
from gateway.domain.rate import RATE_PATTERN, RATE_PLACES_MAX, SPREAD_BASIS_POINTS_MAX

IdT = TypeVar("IdT", bound=str)

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
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_LENGTH_MAX)]
CurrencyText = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="A code of ISO 4217.", examples=["USD"])]
IdText = Annotated[IdT, msgspec.Meta(min_length=1, max_length=ID_LENGTH_MAX)]
Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=REFERENCE_LENGTH_MAX)]
Description = Annotated[str, msgspec.Meta(max_length=DESCRIPTION_LENGTH_MAX)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
Metadata = Annotated[
    dict[
        Annotated[str, msgspec.Meta(min_length=1, max_length=METADATA_KEY_LENGTH_MAX)],
        Annotated[str, msgspec.Meta(max_length=METADATA_VALUE_LENGTH_MAX)],
    ],
    msgspec.Meta(max_length=METADATA_KEYS_MAX),
]
Limit = Annotated[int, msgspec.Meta(ge=1, le=LIST_LIMIT_MAX)]
CursorText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which page of a list. Lists with filters add them as fields of their own."""

    limit: Limit = LIST_LIMIT_DEFAULT
    cursor: CursorText | None = None


class CreatedQuery(PageQuery, frozen=True, kw_only=True):
    """Which page of a list that may be limited to a time: `created_after` ≤ time < `created_before`."""

    created_after: Instant | None = None
    created_before: Instant | None = None

    def __post_init__(self) -> None:
        """Refuse the first and the last year of the calendar: conversion to another time zone could overflow."""
        detail = f"A time is between the years {YEAR_MIN} and {YEAR_MAX}."
        instants = {"created_after": self.created_after, "created_before": self.created_before}
        outside = [name for name, at in instants.items() if at is not None and not YEAR_MIN <= at.year <= YEAR_MAX]
        if outside:
            raise InvalidInput(detail, [FieldError(name, "value_invalid", detail) for name in outside])
