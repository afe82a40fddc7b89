"""Second factors: where they are stored, and how codes are made of a secret."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeAlias

from gateway.domain.audit import AuditRecord
from gateway.domain.second_factor import SecondFactor
from gateway.domain.user import UserId

ChangeOfFactor: TypeAlias = Callable[[SecondFactor | None], tuple[SecondFactor | None, AuditRecord | None]]
"""Gets what is stored, if anything; returns what to store, or `None` to delete it, and what the audit log records.
Pure: it may be called more than once. What it raises leaves `change`, and nothing is changed."""


class SecondFactors(Protocol):
    """Second factors by their users. All methods raise `StorageUnavailable` when the storage is away."""

    async def of(self, user_id: UserId) -> SecondFactor | None:
        """The second factor of a user, or `None`."""
        ...

    async def change(self, user_id: UserId, change: ChangeOfFactor) -> SecondFactor | None:
        """Change the second factor of a user in one step: of concurrent changes, each sees what the others stored.

        Returns:
            What is stored afterwards.
        """
        ...


class TimeCodes(Protocol):
    """One-time codes that change with time."""

    def new_secret(self) -> str:
        """A new secret, drawn at random."""
        ...

    def step_of(self, secret: str, code: str, now: datetime) -> int | None:
        """The number of the time step whose code this is, now or a little before or after; `None` if it is none's."""
        ...

    def uri(self, secret: str, *, account: str, issuer: str) -> str:
        """What an authenticator application reads, as a QR code: an `otpauth://` URI with the secret."""
        ...
