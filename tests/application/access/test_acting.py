"""Acting for a merchant: what a process reads for it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from typing_extensions import override

from gateway import MemberId, MemberRole, Members, Role, UserId
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.memory.members import MemoryMembers
from gateway.application.access.access import Access
from gateway.application.access.caller import Caller
from gateway.application.ports.members import MemberAtUse
from gateway.application.ports.storage import Storage
from gateway.refusals import NotAMember
from support.access import PASSWORD, an_access, log_in
from support.builders import StandingClock


class CountedMembers(MemoryMembers):
    """Members that count what is read, and may hold up a look-up after it was read."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.looked_up = self.lists = 0
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_answer.set()

    @override
    async def membership(self, user_id: UserId, merchant_id: UserId) -> MemberAtUse | None:
        self.looked_up += 1
        found = await super().membership(user_id, merchant_id)
        self.asked.set()
        await self.may_answer.wait()
        return found

    @override
    async def changed_since(self, since: datetime) -> Mapping[MemberId, int]:
        self.lists += 1
        return await super().changed_since(since)


class Shop:
    """A merchant with a member, and one process."""

    def __init__(self) -> None:
        database = MemoryDatabase()
        self.counted = CountedMembers(database)
        self.storage: Storage = replace(memory_storage(database), members=self.counted)
        self.clock = StandingClock()
        self.access: Access = an_access(self.storage, self.clock)
        self.members = Members(self.access, self.counted)

    async def open(self) -> tuple[UserId, MemberId, Caller]:
        merchant = await self.access.register(email="shop@example.com", password=PASSWORD, role=Role.MERCHANT)
        made = await self.members.invite(
            merchant_id=merchant.user.id, email="grace@example.com", role=MemberRole.VIEWER
        )
        member = await self.members.accept_as_new_user(made.token, password=PASSWORD)
        token = (await log_in(self.access, "grace@example.com")).access_token
        return merchant.user.id, member.id, await self.access.authenticate(token)


async def test_a_process_in_which_no_member_acts_reads_nothing_of_members() -> None:
    shop = Shop()
    await shop.open()
    token = (await log_in(shop.access, "shop@example.com")).access_token
    for _ in range(3):
        shop.clock.advance(2.001)
        await shop.access.authenticate(token)
    assert (shop.counted.looked_up, shop.counted.lists) == (0, 0)


async def test_a_member_in_use_costs_one_read_and_the_list() -> None:
    shop = Shop()
    merchant_id, _, caller = await shop.open()
    for _ in range(100):
        await shop.access.act_for(caller, merchant_id)
    assert shop.counted.looked_up == 1
    shop.clock.advance(2.001)
    lists = shop.counted.lists
    for _ in range(100):
        await shop.access.act_for(caller, merchant_id)
    assert (shop.counted.looked_up, shop.counted.lists - lists) == (1, 1)


async def test_a_member_who_is_removed_while_they_are_looked_up_is_refused_from_then_on() -> None:
    shop = Shop()
    merchant_id, member_id, caller = await shop.open()
    shop.counted.may_answer.clear()
    acting = asyncio.create_task(shop.access.act_for(caller, merchant_id))
    await shop.counted.asked.wait()
    await shop.members.remove(member_id, merchant_id=merchant_id)
    merchant = await shop.access.authenticate((await log_in(shop.access, "shop@example.com")).access_token)
    assert merchant.user_id == merchant_id  # The list was read, before the look-up was answered.
    shop.counted.may_answer.set()
    assert (await acting).user_id == merchant_id
    with pytest.raises(NotAMember):
        await shop.access.act_for(caller, merchant_id)


async def test_an_api_key_and_an_operator_act_for_nobody_else() -> None:
    shop = Shop()
    merchant_id, _, caller = await shop.open()
    operator = Caller(user_id=UserId("usr_operator"), role=Role.OPERATOR)
    for each in (replace(caller, scopes=frozenset()), operator):
        with pytest.raises(NotAMember):
            await shop.access.act_for(each, merchant_id)
    assert shop.counted.looked_up == 0
    owner = Caller(user_id=merchant_id, role=Role.MERCHANT)
    assert await shop.access.act_for(owner, merchant_id) is owner
