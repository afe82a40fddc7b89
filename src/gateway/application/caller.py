"""Caller: who asks, as their token says."""

from gateway.application.ports.sessions import SessionId
from gateway.domain.user import Role, UserId
from gateway.domain.value import value


@value
class Caller:
    """A signed-in user."""

    user_id: UserId
    role: Role
    session_id: SessionId
