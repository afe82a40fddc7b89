"""Users, as they are looked up and as their passwords change. New ones come through the unit of work."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Protocol

from gateway.domain.audit import AuditRecord
from gateway.domain.immutable import immutable
from gateway.domain.user import User, UserId


@immutable
class Credentials:
    """A user, with the hash of their password."""

    user: User
    password_hash: str


@immutable
class UserAtLogin:
    """A user who may be logging in from a network.

    Attributes:
        credentials: Of the user.
        known: Whether a session of the user, ended or not, has begun from this network and is still stored.
    """

    credentials: Credentials
    known: bool


class Users(Protocol):
    """Each method is a short transaction of its own. All raise `StorageUnavailable` when the storage is away."""

    async def at_login(self, asked: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], UserAtLogin]:
        """The users of e-mail addresses, each with the network that somebody logs in from: one read for all of them.

        Addresses are those that are kept in exactly this spelling. Those that nobody has are left out.
        """
        ...

    async def by_id(self, user_id: UserId) -> Credentials | None:
        """The user of this id, or `None`."""
        ...

    async def disabled_since(self, since: datetime) -> AbstractSet[UserId]:
        """The disabled users who were disabled at or after `since`."""
        ...

    async def replace_password_hash(
        self,
        user_id: UserId,
        *,
        old: str,
        new: str,
        sessions_end_at: datetime | None = None,
        audit: AuditRecord | None = None,
    ) -> bool:
        """Put `new` in the place of `old`, in one step, and `audit` with it.

        With `sessions_end_at`, all sessions of the user end then, in the same step: none of the old password outlives
        it, whatever happens to the caller.

        Returns:
            Whether the hash was `old`. If not, nothing was written.
        """
        ...

    async def replace_email(
        self,
        user_id: UserId,
        *,
        old: str,
        new: str,
        sessions_end_at: datetime | None = None,
        audit: AuditRecord | None = None,
    ) -> bool:
        """Put the address `new` in the place of `old`, in one step, and `audit` with it.

        `sessions_end_at` is as in `replace_password_hash`.

        Returns:
            Whether the address was `old`, and no other user had `new`. If not, nothing was written.
        """
        ...
