"""Acting: for which merchants a user acts, and whether they still do."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway.application.access.caller import Caller
from gateway.application.access.revocations import Revocations
from gateway.application.ports.members import MemberAtUse, StoredMembers
from gateway.domain.errors import UserDisabled
from gateway.domain.immutable import immutable
from gateway.domain.member import MemberId
from gateway.domain.member_errors import NotAMember
from gateway.domain.user import Role, UserId

KNOWN_MAX: Final = 10_000
"""How many members are remembered. The oldest leaves first."""


@immutable
class _Known:
    """A member who was read.

    Attributes:
        read_again_at: Until then, the list of members that were changed lately tells of every change.
    """

    at_use: MemberAtUse
    read_again_at: datetime


class Acting:
    """The check of members. A member who was read lately costs no read: `Revocations` tells who was changed since.

    Args:
        stored: The members.
        revocations: The members who were changed lately, and disabled users.
        known_seconds: How long a member is remembered; no longer than `Revocations` looks back.
    """

    def __init__(self, stored: StoredMembers, revocations: Revocations, *, known_seconds: int) -> None:
        revocations.members_changed = self.changed_since
        self._stored = stored
        self._revocations = revocations
        self._known_time = timedelta(seconds=known_seconds)
        self._known: dict[tuple[UserId, UserId], _Known] = {}
        self._has_read = False

    async def act_for(self, caller: Caller, merchant_id: UserId, now: datetime) -> Caller:
        """The caller as a member of a merchant. The list of changed members must be fresh.

        Raises:
            NotAMember: They are no member of it, or use an API key: a key acts for its owner alone.
            UserDisabled: An operator has disabled the merchant.
            StorageUnavailable: The member is not remembered, and the storage is away.
        """
        if caller.user_id == merchant_id and caller.member is None:
            return caller
        if caller.scopes is not None or caller.member is not None or caller.role is Role.OPERATOR:
            raise _not_a_member()
        known = self._known.get((caller.user_id, merchant_id))
        if known is None or not self._is_current(known, now):
            known = await self._read(caller.user_id, merchant_id, now)
        merchant = known.at_use.merchant
        if merchant.id in self._revocations.disabled:
            del self._known[caller.user_id, merchant_id]
            raise _merchant_disabled()
        return replace(caller, user_id=merchant.id, role=merchant.role, member=known.at_use.member)

    async def changed_since(self, since: datetime) -> Mapping[MemberId, int]:
        """The members who were changed. Nothing is read before the first member acts here."""
        return await self._stored.changed_since(since) if self._has_read else {}

    def _is_current(self, known: _Known, now: datetime) -> bool:
        member = known.at_use.member
        changed = self._revocations.member_sequences.get(member.id, 0)
        return now < known.read_again_at and changed <= member.sequence

    async def _read(self, user_id: UserId, merchant_id: UserId, now: datetime) -> _Known:
        self._known.pop((user_id, merchant_id), None)
        # Before the answer is here: the list must tell of a change that the answer does not have yet.
        self._has_read = True
        found = await self._stored.membership(user_id, merchant_id)
        if found is None:
            raise _not_a_member()
        if found.merchant.disabled_at is not None:
            raise _merchant_disabled()
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        known = _Known(at_use=found, read_again_at=now + self._known_time)
        self._known[user_id, merchant_id] = known
        return known


def _not_a_member() -> NotAMember:
    return NotAMember("You are no member of this merchant.")


def _merchant_disabled() -> UserDisabled:
    return UserDisabled("An operator has disabled this merchant.")
