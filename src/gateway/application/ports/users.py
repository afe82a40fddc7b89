"""Users, as they are looked up and as their passwords change. New ones come through the unit of work."""

from typing import Protocol

from gateway.domain.immutable import immutable
from gateway.domain.user import User, UserId


@immutable
class Credentials:
    """A user, with the hash of their password."""

    user: User
    password_hash: str


class Users(Protocol):
    """Each method is a short transaction of its own. All raise `StorageUnavailable` when the storage is away."""

    async def by_email(self, email: str) -> Credentials | None:
        """The user whose address is kept in exactly this spelling, or `None`."""
        ...

    async def by_id(self, user_id: UserId) -> Credentials | None:
        """The user of this id, or `None`."""
        ...

    async def replace_password_hash(self, user_id: UserId, *, old: str, new: str) -> bool:
        """Put `new` in the place of `old`, in one step. False if the hash was no longer `old`: nothing was changed."""
        ...
