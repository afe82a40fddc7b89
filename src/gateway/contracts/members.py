"""What every storage of members promises."""

import asyncio
from datetime import timedelta
from operator import attrgetter

import pytest

from gateway.application.ports.members import MemberAtUse
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Wanted
from gateway.contracts.records import (
    NOW,
    a_member,
    a_user,
    an_answer,
    an_invitation,
    commit,
    load,
    member_id,
    user_id,
)
from gateway.domain.member import Member
from gateway.domain.member_role import MemberRole
from gateway.domain.user import Role

SECOND = timedelta(seconds=1)
EACH_FIELD = an_invitation(
    1,
    email="naïve.😀@example.com",
    role=MemberRole.DEVELOPER,
    user_id=user_id(3),
    invited_by=user_id(4),
    token_hash=bytes(range(224, 256)),
    joined_at=NOW + SECOND,
    changed_at=NOW + 2 * SECOND,
    sequence=2**62,
)


class MembersContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    @pytest.mark.parametrize("member", [EACH_FIELD, a_member(1)], ids=["all fields", "few fields"])
    async def test_a_member_comes_back_with_every_field(self, storage: Storage, member: Member) -> None:
        """From a look-up, and in a unit of work."""
        await commit(storage, Changes(members_new=[member]))
        assert await storage.members.member(member.id) == member
        assert (await load(storage, Wanted(member_merchants=[member.merchant_id]))).members == (member,)

    async def test_nothing_of_a_member_is_written_when_the_commit_fails(self, storage: Storage) -> None:
        """It is one transaction with everything else."""
        await commit(storage, Changes(answers_new=[an_answer()]))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(answers_new=[an_answer()], members_new=[a_member(1)]))
        assert await storage.members.member(member_id(1)) is None

    async def test_all_members_of_the_wanted_merchants_are_loaded(self, storage: Storage) -> None:
        """Removed ones too, and nobody else's."""
        mine = [a_member(1), an_invitation(2), a_member(3, removed_at=NOW)]
        await commit(storage, Changes(members_new=[*mine, a_member(4, merchant=3)]))
        found = await load(storage, Wanted(member_merchants=[user_id(2), user_id(9)]))
        assert sorted(found.members, key=attrgetter("id")) == mine

    async def test_changed_and_deleted_members_are_what_was_written_last(self, storage: Storage) -> None:
        """In one commit."""
        await commit(storage, Changes(members_new=[an_invitation(1), a_member(2, removed_at=NOW), a_member(3)]))
        joined = an_invitation(1).joined(user_id(7), now=NOW + SECOND)
        changes = Changes(members_new=[a_member(4)], members_changed=[joined], members_deleted=[member_id(2)])
        await commit(storage, changes, Wanted(member_merchants=[user_id(2)]))
        found = await load(storage, Wanted(member_merchants=[user_id(2)]))
        assert sorted(found.members, key=attrgetter("id")) == [joined, a_member(3), a_member(4)]

    async def test_a_list_has_the_members_of_a_merchant_newest_first(self, storage: Storage) -> None:
        """Page by page, without removed ones."""
        await commit(storage, Changes(members_new=[a_member(1), an_invitation(3), a_member(5)]))
        await commit(storage, Changes(members_new=[a_member(2, merchant=3), a_member(4, removed_at=NOW)]))
        members = storage.members.members
        assert [each.id for each in await members(user_id(2), before=None, limit=2)] == [member_id(5), member_id(3)]
        assert [each.id for each in await members(user_id(2), before=member_id(3), limit=2)] == [member_id(1)]
        assert list(await members(user_id(9), before=None, limit=10)) == []

    async def test_a_user_acts_for_the_merchants_that_they_are_a_member_of(self, storage: Storage) -> None:
        """Each comes with its merchant, as it was committed last."""
        merchants = [a_user(2, role=Role.MERCHANT), a_user(3, role=Role.MERCHANT)]
        mine = [a_member(1, user_id=user_id(7)), a_member(2, merchant=3, user_id=user_id(7))]
        others = [a_member(3), a_member(4, merchant=3, user_id=user_id(7), removed_at=NOW), an_invitation(5)]
        await commit(storage, Changes(users_new=merchants, members_new=[*mine, *others]))
        at_use = [
            MemberAtUse(member=member, merchant=merchant.user) for member, merchant in zip(mine, merchants, strict=True)
        ]
        assert list(await storage.members.memberships(user_id(7), before=None, limit=10)) == at_use[::-1]
        assert list(await storage.members.memberships(user_id(7), before=None, limit=1)) == at_use[1:]
        assert list(await storage.members.memberships(user_id(7), before=member_id(2), limit=10)) == at_use[:1]
        assert await storage.members.membership(user_id(7), user_id(3)) == at_use[1]
        assert await storage.members.membership(user_id(7), user_id(9)) is None
        assert await storage.members.membership(user_id(105), user_id(2)) is None
        disabled = merchants[0].user.disabled(NOW)
        await commit(storage, Changes(users_changed=[disabled]), Wanted(users=[disabled.id]))
        found = await storage.members.membership(user_id(7), user_id(2))
        assert found == MemberAtUse(member=mine[0], merchant=disabled)

    async def test_an_invitation_is_found_by_the_hash_of_its_token(self, storage: Storage) -> None:
        """Unless it was withdrawn."""
        kept, gone = an_invitation(1), an_invitation(2, removed_at=NOW)
        await commit(storage, Changes(members_new=[kept, gone, a_member(3)]))
        assert await storage.members.invitation((1).to_bytes(32, "big")) == kept
        assert await storage.members.invitation((2).to_bytes(32, "big")) is None
        assert await storage.members.invitation((9).to_bytes(32, "big")) is None

    async def test_changed_members_come_with_their_sequence(self, storage: Storage) -> None:
        """Since a moment, to the microsecond; removed ones too."""
        members = [
            a_member(1, changed_at=NOW),
            a_member(2, changed_at=NOW - timedelta(microseconds=1)),
            a_member(3, changed_at=NOW + SECOND, removed_at=NOW + SECOND, sequence=3),
        ]
        await commit(storage, Changes(members_new=members))
        assert await storage.members.changed_since(NOW) == {member_id(1): 2, member_id(3): 3}

    @pytest.mark.locking
    async def test_of_concurrent_invitations_each_sees_the_members_before_it(self, storage: Storage) -> None:
        """So that two of them do not pass the limit together, or invite one address twice."""

        async def invite(number: int) -> None:
            async with storage.unit_of_work() as work:
                found = (await work.load(Wanted(member_merchants=[user_id(3), user_id(2)]))).members
                await asyncio.sleep(0.001)
                await work.commit(Changes(members_new=[an_invitation(number, sequence=len(found))]))

        async with asyncio.timeout(30):
            await asyncio.gather(*(invite(number) for number in range(1, 9)))
        created = await storage.members.members(user_id(2), before=None, limit=100)
        assert {each.sequence for each in created} == set(range(8))
