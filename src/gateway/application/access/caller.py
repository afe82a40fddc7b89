"""Caller: the user who makes a request, according to their token or API key, or to a trusted program."""

from typing import Final

from gateway.application.ports.sessions import SessionId
from gateway.domain.api_key import check_requests
from gateway.domain.checks import check_id, check_type
from gateway.domain.errors import invalid
from gateway.domain.immutable import immutable
from gateway.domain.member import Member
from gateway.domain.scope import Scope
from gateway.domain.user import SYSTEM, Role, UserId


@immutable
class Caller:
    """A user who asks: who they are, and what they may see.

    Attributes:
        user_id: Whose objects they ask for: their own, or those of the merchant that they act for.
        role: Of this user.
        session_id: The session of their token, or the id of their API key; `None` if a trusted program asks for them.
        scopes: Of the API key; `None` for a user who may do all that the role may.
        requests_per_minute: Of the API key, if it has a limit of its own.
        member: The member of the merchant `user_id` that they act as; `None` for a user who acts for themselves.
    """

    user_id: UserId
    role: Role
    session_id: SessionId | None = None
    scopes: frozenset[Scope] | None = None
    requests_per_minute: int | None = None
    member: Member | None = None

    @property
    def actor_id(self) -> UserId:
        """The user who really asks."""
        return self.user_id if self.member is None or self.member.user_id is None else self.member.user_id

    @property
    def api_key_id(self) -> str | None:
        """The id of the API key; `None` for a token, and for a trusted program."""
        return None if self.scopes is None else self.session_id


TRUSTED: Final = Caller(user_id=SYSTEM, role=Role.OPERATOR)
"""The program itself, which may see everything, as an operator may."""


def check_caller(caller: Caller) -> None:
    """Check the types of a caller. An unknown role would see more than it may.

    Raises:
        InvalidInput: A field has a wrong type.
    """
    check_type("caller", caller, Caller)
    check_id("user_id", caller.user_id)
    check_type("role", caller.role, Role)
    if caller.session_id is not None:
        check_id("session_id", caller.session_id)
    if caller.scopes is not None:
        check_type("scopes", caller.scopes, frozenset)
    check_requests(caller.requests_per_minute)
    if caller.member is not None:
        check_type("member", caller.member, Member)
        if caller.member.merchant_id != caller.user_id or not caller.member.is_active:
            raise invalid("member", "value_invalid", "This must be an active member of the merchant `user_id`.")
