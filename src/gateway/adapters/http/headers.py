"""Checks of request headers: repeated, malformed and unsupported ones are refused by name."""

import re
from collections.abc import Iterable
from typing import Any, Final

from gateway.adapters.http.problems import HttpRefusal, invalid_request
from gateway.application.errors import TokenInvalid, TokenMissing
from gateway.domain.limits import ID_LENGTH_MAX, IDEMPOTENCY_KEY_LENGTH_MAX
from gateway.domain.user import UserId

IDEMPOTENCY_KEY: Final = re.compile(rb"[\x21-\x7e]{1,%d}" % IDEMPOTENCY_KEY_LENGTH_MAX)

MERCHANT: Final = b"gateway-merchant"
"""Names the merchant that the caller acts for as a member; without it, they act for themselves."""

ONCE: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"date",
        b"expect",
        b"from",
        MERCHANT,
        b"host",
        b"idempotency-key",
        b"if-modified-since",
        b"if-range",
        b"if-unmodified-since",
        b"last-event-id",
        b"max-forwards",
        b"origin",
        b"proxy-authorization",
        b"range",
        b"referer",
        b"request-id",
        b"traceparent",
        b"user-agent",
    }
)
"""Headers that are not lists and so may occur once (RFC 9110, section 5.3), and `Content-Encoding`."""


def read_headers(scope: Any) -> tuple[dict[bytes, bytes], int]:
    """The headers of a request, and their size.

    Returns:
        By name, without white space around values (RFC 9110, 5.5), which servers leave; of repeated ones the last.
        And the bytes of all names and values, repeated ones included.
    """
    headers: dict[bytes, bytes] = {}
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        headers[name] = value.strip(b" \t")
    return headers, size


def refuse_repeated(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse a request that repeats a header of `ONCE`: a proxy may have read the other value.

    Raises:
        HttpRefusal: `validation_error`, with an error for each such header.
    """
    seen: set[bytes] = set()
    repeated: dict[bytes, None] = {}
    for name, _ in headers:
        if name in seen and name in ONCE:
            repeated[name] = None
        seen.add(name)
    if repeated:
        errors = [header_error(name, "header_repeated", "This header may come once.") for name in repeated]
        raise invalid_request(errors, "A header may come once, and came several times.")


def bearer_token(headers: dict[bytes, bytes]) -> str:
    """The token of `Authorization: Bearer …`.

    Raises:
        TokenMissing: There is no such header.
        TokenInvalid: The scheme is not Bearer.
    """
    credentials = headers.get(b"authorization")
    if not credentials:
        raise TokenMissing("Send an access token: `Authorization: Bearer …`.")
    scheme, _, token = credentials.partition(b" ")
    if scheme.lower() != b"bearer":
        raise TokenInvalid("The scheme of authorization is Bearer.")
    return token.strip().decode("latin-1")


def idempotency_key(headers: dict[bytes, bytes], *, required: bool) -> str | None:
    """The `Idempotency-Key`. A malformed one is refused even if the operation takes none: its sender relies on it.

    Raises:
        HttpRefusal: `idempotency_key_missing`: it is required, and missing or empty. `validation_error`: malformed.
    """
    key = headers.get(b"idempotency-key")
    if not key and required:
        raise HttpRefusal(
            "idempotency_key_missing", "Send an Idempotency-Key: it makes this request safe to send again."
        )
    if key is None:
        return None
    if not IDEMPOTENCY_KEY.fullmatch(key):
        detail = f"An Idempotency-Key has 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} visible ASCII characters."
        errors = [header_error(b"idempotency-key", "value_invalid", detail)]
        raise invalid_request(errors, detail)
    return key.decode("ascii")


def merchant_to_act_for(headers: dict[bytes, bytes]) -> UserId:
    """The merchant that `Gateway-Merchant` names.

    Raises:
        HttpRefusal: `validation_error`: it is no id.
    """
    merchant_id = headers[MERCHANT].decode("latin-1")
    if not 0 < len(merchant_id) <= ID_LENGTH_MAX or not merchant_id.isascii() or not merchant_id.isprintable():
        detail = "This must be the id of a merchant."
        raise invalid_request([header_error(MERCHANT, "value_invalid", detail)], detail)
    return UserId(merchant_id)


def require_json(headers: dict[bytes, bytes]) -> None:
    """Refuse a body that is not declared as JSON in UTF-8, or is compressed.

    Raises:
        HttpRefusal: `unsupported_media_type`.
    """
    media_type, _, parameters = headers.get(b"content-type", b"").partition(b";")
    charset = parameters.strip().lower()
    if media_type.strip().lower() != b"application/json" or charset not in {b"", b"charset=utf-8", b'charset="utf-8"'}:
        raise HttpRefusal("unsupported_media_type", "Send JSON in UTF-8, as `Content-Type: application/json`.")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise HttpRefusal(
            "unsupported_media_type", "Send the body as it is, without compression.", accepted_encodings=["identity"]
        )


def header_error(name: bytes, code: str, detail: str) -> dict[str, str]:
    """An error of a header. Its pointer is empty: a header is not in the body."""
    return {"pointer": "", "header": name.decode().title(), "code": code, "detail": detail}
