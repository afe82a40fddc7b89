"""Caller: the user who makes a request, according to their token or API key, or to a trusted program."""

from gateway.application.ports.sessions import SessionId
from gateway.domain.checks import check_id, check_type
from gateway.domain.immutable import immutable
from gateway.domain.scope import Scope
from gateway.domain.user import Role, UserId


@immutable
class Caller:
    """A user who has logged in, or whose API key is used.

    Attributes:
        session_id: The session; for an API key, the id of the key.
        scopes: Of the API key; `None` for a user who has logged in, and may do all that the role may.
    """

    user_id: UserId
    role: Role
    session_id: SessionId
    scopes: frozenset[Scope] | None = None


def check_caller(caller: Caller) -> None:
    """Check the types of a caller. An unknown role would see more than it may.

    Raises:
        InvalidInput: A field has a wrong type.
    """
    check_type("caller", caller, Caller)
    check_id("user_id", caller.user_id)
    check_type("role", caller.role, Role)
    check_id("session_id", caller.session_id)
    if caller.scopes is not None:
        check_type("scopes", caller.scopes, frozenset)
