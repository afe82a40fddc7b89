"""Caller: who asks, as their token says."""

from dataclasses import dataclass

from gateway.application.ports.sessions import SessionId
from gateway.domain.user import Role, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A signed-in user."""

    user_id: UserId
    role: Role
    session_id: SessionId
