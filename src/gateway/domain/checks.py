"""Checks of single values, by which commands and values refuse what is not valid, wherever they are made.

Types are exact: `True` is no integer, and 1.0 is none. Each check raises `InvalidInput`, which names the field. They
are on the way of every payment, so each of them is a few comparisons where all is well.
"""

import re
from datetime import UTC, datetime
from typing import Final, cast

from gateway.domain.card_numbers import DIGITS_MIN, has_card_number
from gateway.domain.errors import InvalidInput, invalid
from gateway.domain.limits import (
    ID_LENGTH_MAX,
    IDEMPOTENCY_KEY_LENGTH_MAX,
    REASON_LENGTH_MAX,
    YEAR_MAX,
    YEAR_MIN,
)

FORBIDDEN_TEXT: Final = re.compile("[\x00\ud800-\udfff]")
"""NUL and lone surrogates: no database keeps them."""

FIRST_INSTANT: Final = datetime(YEAR_MIN, 1, 1, tzinfo=UTC)
_AFTER_THE_LAST: Final = datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC)


def check_text(field: str, text: object, length_max: int, *, length_min: int = 1) -> None:
    """Refuse what is not a text of this length, or has a character that cannot be kept."""
    if type(text) is not str:
        raise wrong_type(field, "text", text)
    if not length_min <= len(text) <= length_max:
        raise invalid(field, "value_invalid", f"This must have {length_min} to {length_max} characters.")
    # A printable text has none of the forbidden characters: only others are searched for them.
    if not text.isprintable() and FORBIDDEN_TEXT.search(text):
        raise invalid(field, "text_invalid", "The text has a character that cannot be kept.")


def check_free_text(field: str, text: object, length_max: int, *, length_min: int = 0) -> None:
    """Refuse as `check_text`, and where a card number stands in it: for texts in which people write what they like."""
    check_text(field, text, length_max, length_min=length_min)
    if len(cast("str", text)) >= DIGITS_MIN and has_card_number(cast("str", text)):
        raise invalid(field, "card_number", "Never send card numbers here.")


def check_reason(reason: object) -> None:
    """Refuse what is neither `None` nor a free text of 1 to `REASON_LENGTH_MAX` characters: why something is done."""
    if reason is not None:
        check_free_text("reason", reason, REASON_LENGTH_MAX, length_min=1)


def check_id(field: str, identifier: object) -> None:
    """Refuse what is not an id: a text of 1 to `ID_LENGTH_MAX` characters."""
    if type(identifier) is not str or not 0 < len(identifier) <= ID_LENGTH_MAX or not identifier.isprintable():
        check_text(field, identifier, ID_LENGTH_MAX)


def check_idempotency_key(key: object) -> None:
    """Refuse what is not an idempotency key: 1 to `IDEMPOTENCY_KEY_LENGTH_MAX` visible ASCII characters."""
    if type(key) is not str:
        raise wrong_type("idempotency_key", "text", key)
    # Of ASCII, the space alone is printable and not visible.
    if not (0 < len(key) <= IDEMPOTENCY_KEY_LENGTH_MAX and key.isascii() and key.isprintable() and " " not in key):
        detail = f"An idempotency key has 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} visible ASCII characters."
        raise invalid("idempotency_key", "value_invalid", detail)


def check_integer(field: str, number: object, minimum: int, maximum: int) -> None:
    """Refuse what is not an integer within these bounds. A bool is none."""
    if type(number) is not int:
        raise wrong_type(field, "an integer", number)
    if not minimum <= number <= maximum:
        raise invalid(field, "value_invalid", f"This must be {minimum} to {maximum}.")


def check_type(field: str, given: object, kind: type) -> None:
    """Refuse what is not of a type. A subclass is not: `True` is no integer, and `"manual"` is no `CaptureMethod`."""
    if type(given) is not kind:
        raise wrong_type(field, f"a {kind.__name__}", given)


def check_instant(field: str, instant: object) -> None:
    """Refuse what is not a time with a time zone, in the years `YEAR_MIN` to `YEAR_MAX` of UTC."""
    if not isinstance(instant, datetime):
        raise wrong_type(field, "a datetime", instant)
    if instant.utcoffset() is None or not FIRST_INSTANT <= instant < _AFTER_THE_LAST:
        detail = f"A time has a time zone, and is between the years {YEAR_MIN} and {YEAR_MAX} in UTC."
        raise invalid(field, "value_invalid", detail)


def wrong_type(field: str, expected: str, given: object) -> InvalidInput:
    """The refusal of a value for its type."""
    return invalid(field, "type_mismatch", f"This must be {expected}, not {type(given).__name__}.")
