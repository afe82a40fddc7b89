"""User and Role: who may ask, and for what."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from gateway.domain.checks import check_free_text, check_type
from gateway.domain.immutable import immutable
from gateway.domain.limits import NAME_LENGTH_MAX

UserId = NewType("UserId", str)

SYSTEM: Final = UserId("system")
"""The owner of the gateway's own accounts. Nobody can log in as it."""


class Role(StrEnum):
    """What a user is to the gateway. One user has one role, for life."""

    CUSTOMER = "customer"
    MERCHANT = "merchant"
    OPERATOR = "operator"


class UserStatus(StrEnum):
    """Whether a user may log in."""

    ACTIVE = "active"
    DISABLED = "disabled"


@immutable
class User:
    """Somebody who can log in.

    Attributes:
        email: The canonical spelling of their address, unless they had another before.
        disabled_at: When an operator disabled them; `None` if they may log in.
        version: Rises by 1 whenever they are disabled or enabled.
    """

    id: UserId
    email: str
    role: Role
    name: str | None
    created_at: datetime
    disabled_at: datetime | None = None
    version: int = 1

    @property
    def status(self) -> UserStatus:
        """Whether they may log in."""
        return UserStatus.ACTIVE if self.disabled_at is None else UserStatus.DISABLED

    def disabled(self, now: datetime) -> "User":
        """The user, so that they may not log in. Unchanged if they are disabled."""
        return self if self.disabled_at is not None else replace(self, disabled_at=now, version=self.version + 1)

    def enabled(self) -> "User":
        """The user, so that they may log in again. Unchanged unless they are disabled."""
        return self if self.disabled_at is None else replace(self, disabled_at=None, version=self.version + 1)


def check_profile(role: object, name: object) -> None:
    """Refuse what is not a role, or not a name that a user may have."""
    check_type("role", role, Role)
    if name is not None:
        check_free_text("name", name, NAME_LENGTH_MAX, length_min=1)


def normal_email(text: str) -> str:
    """An e-mail address as it was typed, but trimmed and in lower case."""
    return text.strip().lower()
