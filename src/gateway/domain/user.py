"""User and Role: who may ask, and for what."""

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


@immutable
class User:
    """Somebody who can log in. `email` is the canonical spelling of their address, unless they had another before."""

    id: UserId
    email: str
    role: Role
    name: str | None
    created_at: datetime


def check_profile(role: object, name: object) -> None:
    """Refuse what is not a role, or not a name that a user may have."""
    check_type("role", role, Role)
    if name is not None:
        check_free_text("name", name, NAME_LENGTH_MAX, length_min=1)


def normal_email(text: str) -> str:
    """An e-mail address as it was typed, but trimmed and in lower case."""
    return text.strip().lower()
