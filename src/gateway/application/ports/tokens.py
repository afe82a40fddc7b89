"""Access tokens: what a signed-in user shows with each request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from gateway.domain.immutable import immutable


@immutable
class AccessClaims:
    """What a verified token says.

    Attributes:
        subject: The id of the user it was issued to.
        role: What that user may be, as it was when the token was issued.
        token_id: The id of this token (`jti`).
        issued_at: When it was issued, aware, UTC, in whole seconds.
        expires_at: The first moment at which it is no longer good, aware, UTC, in whole seconds.
    """

    subject: str
    role: str
    token_id: str
    issued_at: datetime
    expires_at: datetime


class AccessTokens(Protocol):
    """Issues signed access tokens and verifies them.

    A verified token says who signed in, not that they still may: a disabled user or a revoked session is for the
    caller to notice.
    """

    @property
    def lifetime_seconds(self) -> int:
        """How long a newly issued token is good for, in seconds."""
        ...

    def issue(self, *, subject: str, role: str, token_id: str, now: datetime) -> str:
        """Return a new token: ASCII of at most 4 KiB, without spaces, good from `now` for `lifetime_seconds`.

        Args:
            subject: The id of the user; not empty.
            role: Their role; not empty.
            token_id: The id of the token (`jti`); not empty, unique to it.
            now: The present moment, aware; the part below a second is dropped.
        """
        ...

    def verify(self, token: str, *, now: datetime) -> AccessClaims:
        """Return what a token says, if this gateway signed it.

        Args:
            token: Any text at all.
            now: The present moment, aware. A token is good while `now` is before its `expires_at`.

        Raises:
            gateway.application.errors.TokenExpired: It is valid, but for its `expires_at`.
            gateway.application.errors.TokenInvalid: For any other reason, or it is not valid yet.
        """
        ...

    def jwks(self) -> Mapping[str, Any]:
        """Return the JSON Web Key Set (RFC 7517) with which others can verify our tokens.

        Returns:
            `{"keys": [...]}` with public keys only, ready to be encoded as JSON; no keys when tokens are signed with
            a shared secret.
        """
        ...
