"""Caller: the user who makes a request, according to their token or to a trusted program."""

from gateway.application.ports.sessions import SessionId
from gateway.domain.checks import check_id, check_type
from gateway.domain.immutable import immutable
from gateway.domain.user import Role, UserId


@immutable
class Caller:
    """A signed-in user."""

    user_id: UserId
    role: Role
    session_id: SessionId


def check_caller(caller: Caller) -> None:
    """Check the types of a caller. An unknown role would see more than it may.

    Raises:
        InvalidInput: A field has a wrong type.
    """
    check_type("caller", caller, Caller)
    check_id("user_id", caller.user_id)
    check_type("role", caller.role, Role)
    check_id("session_id", caller.session_id)
