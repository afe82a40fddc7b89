"""Users as rows."""

from collections.abc import Sequence
from typing import Any, Final

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.tables.access import users
from gateway.adapters.sql.types import Found
from gateway.application.ports.batch_records import NewUser
from gateway.application.ports.users import Credentials
from gateway.domain.user import Role, User

USER_CHANGES: Final = (users.c.id, users.c.disabled_at, users.c.version)
"""The columns of `user_changes`."""

ROLES: Final = {role.value: role for role in Role}


def user_values(new: NewUser) -> Values:
    """The row of a user."""
    user = new.user
    return (
        user.id,
        user.email,
        user.role.value,
        user.name,
        user.created_at,
        new.password_hash,
        user.disabled_at,
        user.version,
    )


def user_changes(user: User) -> Values:
    """What changes of a user: the values of `USER_CHANGES`."""
    return (user.id, user.disabled_at, user.version)


def to_credentials(row: Found | Sequence[Any]) -> Credentials:
    """The user of a row."""
    user_id, email, role, name, created_at, password_hash, disabled_at, version = row
    return Credentials(
        user=User(
            id=user_id,
            email=email,
            role=ROLES[role],
            name=name,
            created_at=created_at,
            disabled_at=disabled_at,
            version=version,
        ),
        password_hash=password_hash,
    )


def to_user(row: Found | Sequence[Any]) -> User:
    """The user of a row, without the hash of their password."""
    return to_credentials(row).user
