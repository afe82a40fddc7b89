"""Sessions and refresh tokens as memory keeps them."""

from dataclasses import dataclass
from datetime import datetime

from gateway.application.ports.sessions import SessionId, Successor
from gateway.domain.user import UserId


@dataclass(slots=True)
class MemorySession:
    """A session. `revoked_at` is when it was ended."""

    user_id: UserId
    network: str
    revoked_at: datetime | None = None


@dataclass(slots=True)
class MemoryToken:
    """A refresh token. `repeated` tells whether it was given out more than once."""

    session_id: SessionId
    expires_at: datetime
    used_at: datetime | None = None
    successor: Successor | None = None
    repeated: bool = False
