"""Users, as clients see them."""

from collections.abc import Collection
from typing import Literal

import msgspec

from gateway.application.views.accounts import AccountView, account_view
from gateway.application.views.times import Instant
from gateway.domain.account import Account
from gateway.domain.user import Role, User, UserStatus


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """A user, with their accounts."""

    id: str
    object: Literal["user"] = "user"
    email: str
    role: Role
    name: str | None
    status: UserStatus
    created_at: Instant
    accounts: list[AccountView]


def user_view(user: User, accounts: Collection[Account]) -> UserView:
    """A user as clients see them."""
    return UserView(
        id=user.id,
        email=user.email,
        role=user.role,
        name=user.name,
        status=user.status,
        created_at=user.created_at,
        accounts=[account_view(account) for account in accounts],
    )
