"""The URL, the filters and the secret of a webhook endpoint."""

import base64
import re
from typing import Final, cast

from gateway.domain.checks import check_text, check_type
from gateway.domain.errors import invalid
from gateway.domain.event_type import EventType
from gateway.domain.limits import (
    EVENT_FILTER_LENGTH_MAX,
    EVENT_FILTERS_MAX,
    WEBHOOK_SECRET_BYTES_MAX,
    WEBHOOK_SECRET_BYTES_MIN,
    WEBHOOK_URL_LENGTH_MAX,
)
from gateway.domain.webhook_url import parse_webhook_url

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - it is none.

ALL_EVENTS: Final = "*"

EVENT_FILTERS: Final = frozenset(
    {ALL_EVENTS, *EventType, *(f"{each.partition('.')[0]}.{ALL_EVENTS}" for each in EventType)}
)
"""The filters that select anything: exact types, all types of a kind (`payment.*`), everything (`*`)."""

_FILTER: Final = re.compile(r"\*|[a-z_]+\.(?:\*|[a-z_]+)")


def check_url(url: object) -> None:
    """Refuse what `parse_webhook_url` refuses, and what has more than `WEBHOOK_URL_LENGTH_MAX` characters.

    Whether `http://` is allowed, and whether the host may be called, is decided by the port `WebhookSender`.
    """
    check_text("url", url, WEBHOOK_URL_LENGTH_MAX)
    parse_webhook_url(cast("str", url))


def check_event_filters(filters: object) -> None:
    """Refuse as `check_filter_forms`, and filters that select no type of events that this version knows."""
    check_filter_forms(filters)
    unknown = [each for each in cast("tuple[str, ...]", filters) if each not in EVENT_FILTERS]
    if unknown:
        raise invalid("events", "event_type_unknown", f"There are no events of the type {unknown[0]}.")


def check_filter_forms(filters: object) -> None:
    """Refuse what is not a tuple of 1 to `EVENT_FILTERS_MAX` filters in the right form, each once."""
    check_type("events", filters, tuple)
    given = cast("tuple[object, ...]", filters)
    if not 1 <= len(given) <= EVENT_FILTERS_MAX:
        raise invalid("events", "value_invalid", f"There must be 1 to {EVENT_FILTERS_MAX} filters.")
    for each in given:
        check_text("events", each, EVENT_FILTER_LENGTH_MAX)
        if _FILTER.fullmatch(cast("str", each)) is None:
            detail = "A filter is a type of events, all types of a kind such as payment.*, or * for everything."
            raise invalid("events", "value_invalid", detail)
    if len(set(given)) < len(given):
        raise invalid("events", "value_invalid", "Each filter is given once.")


def check_secret(secret: object, *, field_name: str = "secret") -> None:
    """Refuse what is not `whsec_` and the Base64 (RFC 4648, 4) of a key of 24 to 64 bytes."""
    check_type(field_name, secret, str)
    if not _is_secret(cast("str", secret)):
        detail = (
            f"A secret is {SECRET_PREFIX} and the Base64 of {WEBHOOK_SECRET_BYTES_MIN} to {WEBHOOK_SECRET_BYTES_MAX} "
            "bytes."
        )
        raise invalid(field_name, "value_invalid", detail)


def _is_secret(secret: str) -> bool:
    encoded = secret.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    is_canonical = secret == SECRET_PREFIX + base64.b64encode(key).decode()
    return is_canonical and WEBHOOK_SECRET_BYTES_MIN <= len(key) <= WEBHOOK_SECRET_BYTES_MAX
