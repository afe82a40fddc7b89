"""MemberRole: what a member may do for a merchant."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.domain.scope import Scope


class MemberRole(StrEnum):
    """What a member may do for a merchant.

    Attributes:
        OWNER: Everything, also with other owners.
        ADMIN: Everything but what concerns owners.
        DEVELOPER: Read, and manage API keys and webhook endpoints; move no money.
        SUPPORT: Read, and refund.
        VIEWER: Read.
    """

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    SUPPORT = "support"
    VIEWER = "viewer"


ROLES_FROM: Final[Mapping[MemberRole, frozenset[MemberRole]]] = {
    MemberRole.OWNER: frozenset({MemberRole.OWNER}),
    MemberRole.ADMIN: frozenset({MemberRole.OWNER, MemberRole.ADMIN}),
    MemberRole.DEVELOPER: frozenset({MemberRole.OWNER, MemberRole.ADMIN, MemberRole.DEVELOPER}),
    MemberRole.SUPPORT: frozenset({MemberRole.OWNER, MemberRole.ADMIN, MemberRole.SUPPORT}),
    MemberRole.VIEWER: frozenset(MemberRole),
}
"""The roles that may do what a role may, itself included. A developer and a support member may different things."""

SCOPES_OF_MEMBER: Final[Mapping[MemberRole, frozenset[Scope]]] = {
    MemberRole.OWNER: frozenset(Scope),
    MemberRole.ADMIN: frozenset(Scope),
    MemberRole.DEVELOPER: frozenset(
        {
            Scope.PAYMENTS_READ,
            Scope.ACCOUNTS_READ,
            Scope.TRANSACTIONS_READ,
            Scope.CUSTOMERS_READ,
            Scope.EVENTS_READ,
            Scope.WEBHOOKS_WRITE,
        }
    ),
    MemberRole.SUPPORT: frozenset(),
    MemberRole.VIEWER: frozenset(),
}
"""The scopes of the API keys of the merchant that a member may make and rotate: the member may do it without a key."""
