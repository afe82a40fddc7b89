"""SignedIn: the tokens of a session."""

from dataclasses import field

from gateway.domain.immutable import immutable
from gateway.domain.user import User


@immutable
class SignedIn:
    """A session's tokens: a short-lived access token, and a refresh token that can be used once."""

    user: User
    access_token: str = field(repr=False)
    expires_in_seconds: int
    refresh_token: str = field(repr=False)
