"""Caller: who asks, as their token says, or as a trusted program does."""

from gateway.application.ports.sessions import SessionId
from gateway.domain.checks import check_id, check_type
from gateway.domain.user import Role, UserId
from gateway.domain.value import value


@value
class Caller:
    """A signed-in user."""

    user_id: UserId
    role: Role
    session_id: SessionId


def check_caller(caller: Caller) -> None:
    """Refuse what is not a caller. A role that is none would see what it may not."""
    check_type("caller", caller, Caller)
    check_id("user_id", caller.user_id)
    check_type("role", caller.role, Role)
    check_id("session_id", caller.session_id)
