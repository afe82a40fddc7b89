"""User and Role: who may ask, and for what."""

from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from gateway.domain.value import value

UserId = NewType("UserId", str)

SYSTEM: Final = UserId("system")
"""The owner of the gateway's own accounts. Nobody can log in as it."""


class Role(StrEnum):
    """What a user is to the gateway. One user has one role, for life."""

    CUSTOMER = "customer"
    MERCHANT = "merchant"
    OPERATOR = "operator"


@value
class User:
    """Somebody who can log in. `email` is the canonical spelling of their address, unless they had another before."""

    id: UserId
    email: str
    role: Role
    name: str | None
    created_at: datetime


def normal_email(text: str) -> str:
    """An e-mail address as it was typed, but trimmed and in lower case."""
    return text.strip().lower()
