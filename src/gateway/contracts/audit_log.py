"""What every audit log promises."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from gateway.application.audit_chain import FIRST_HASH, chained
from gateway.application.ports.audit_log import AuditFilter
from gateway.application.ports.audit_records import ChainedRecord, ChainEnd, StrayRecord
from gateway.application.ports.housekeeping import Deleted
from gateway.application.ports.sessions import StoredToken
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken
from gateway.application.verification.verify import verify
from gateway.contracts.records import EUR, NOW, USD, a_rate, a_user, an_answer, commit, user_id
from gateway.contracts.sessions import session_id, token_hash
from gateway.contracts.unit_of_work.support import TIMEOUT_SECONDS
from gateway.domain.audit import Actor, ActorKind, AuditAction, AuditId, AuditNote, AuditRecord, Origin

Record = TypeVar("Record")
SECOND = timedelta(seconds=1)
ALL = AuditFilter()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
ALL_TEXTS = 'naïve 日本語 👩\u200d🚀 \' OR 1=1; -- "quoted" \\ %'


class AuditLogContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`.

    `records_linked` is how many of them the audit has to go through: let it be more than a page of your adapter.
    """

    records_linked = 1_100

    async def test_a_record_comes_with_the_unit_of_work_that_it_tells_of(self, storage: Storage) -> None:
        """With every field of it; and without its commit, it does not come."""
        full = a_record(
            1,
            origin=Origin(actor=Actor(kind=ActorKind.CLI, id="cli"), address=ALL_TEXTS, request_id="req_1"),
            owner_id=user_id(7),
            reason=ALL_TEXTS,
            before={"status": "open", "none": None, "text": ALL_TEXTS},
            after={"status": "closed", "count": 2**53, "is": True},
        )
        await commit(storage, Changes(audit_new=[full, a_record(2)], answers_new=[an_answer()]))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(audit_new=[a_record(3)], answers_new=[an_answer()]))
        assert await newest(storage) == [a_record(2), full]

    async def test_a_record_comes_with_a_session_a_password_an_address_and_a_rate(self, storage: Storage) -> None:
        """And not without what it tells of."""
        await commit(storage, Changes(users_new=[a_user(1, password_hash="$one")]))  # noqa: S106 - no hash of anything.
        for number, password_hash in ((1, "$one"), (2, "$other")):
            await storage.sessions.start(
                session_id(number),
                user_id(1),
                StoredToken(token_hash=token_hash(str(number)), expires_at=NOW + SECOND),
                password_hash=password_hash,
                network="192.0.2.1",
                now=NOW,
                audit=a_record(number),
            )
        for number, old in ((3, "$one"), (4, "$other")):
            await storage.users.replace_password_hash(user_id(1), old=old, new="$two", audit=a_record(number))
        await storage.rates.put(a_rate(EUR, USD), audit=a_record(5))
        await storage.audit_log.append(a_record(6))
        for number, address in ((7, "user1@example.com"), (8, "other@example.com")):
            await storage.users.replace_email(user_id(1), old=address, new="ada@example.com", audit=a_record(number))
        assert await newest(storage) == [a_record(number) for number in (7, 6, 5, 3, 1)]

    async def test_records_are_found_by_actor_action_object_and_time(self, storage: Storage) -> None:
        """Newest first, a page at a time, alone or together."""
        records = [
            a_record(
                number,
                at=NOW + number * SECOND,
                action=(AuditAction.ACCOUNT_FROZEN, AuditAction.ACCOUNT_UNFROZEN)[number % 2],
                object_id=f"acc_{number % 3}",
                owner_id=(None, user_id(1), user_id(2))[number % 3],
                origin=Origin(actor=Actor(kind=ActorKind.OPERATOR, id=f"usr_{number % 5}")),
            )
            for number in range(1, 31)
        ]
        await commit(storage, Changes(audit_new=records))
        late, early = NOW + 20 * SECOND, NOW + 8 * SECOND
        for where in (
            ALL,
            AuditFilter(actor="usr_3"),
            AuditFilter(action=AuditAction.ACCOUNT_FROZEN),
            AuditFilter(object_id="acc_1"),
            AuditFilter(owner_id=user_id(2)),
            AuditFilter(owner_id=user_id(1), action=AuditAction.ACCOUNT_FROZEN, created_after=early),
            AuditFilter(created_after=early, created_before=late),
            AuditFilter(actor="usr_3", action=AuditAction.ACCOUNT_UNFROZEN, object_id="acc_1"),
            AuditFilter(actor="usr_2", created_before=late),
            AuditFilter(actor="usr_9"),
        ):
            expected = [record for record in reversed(records) if is_wanted(record, where)]
            assert await newest(storage, where) == expected
            paged: list[AuditRecord] = []
            before: AuditId | None = None
            while page := await storage.audit_log.records(where, before=before, limit=2):
                paged += page
                before = page[-1].id
            assert paged == expected

    async def test_committed_records_are_linked_in_their_order_and_once(self, storage: Storage) -> None:
        """In steps; nothing is left afterwards."""
        records = [a_record(number, at=NOW + number * SECOND) for number in range(1, 8)]
        assert await storage.audit_log.link(limit=3) == 0
        await commit(storage, Changes(audit_new=records[:5]))
        assert [await storage.audit_log.link(limit=3) for _ in range(3)] == [3, 2, 0]
        await storage.audit_log.append(records[5])
        await storage.audit_log.append(records[6])
        assert await strays(storage) == [StrayRecord(each.id, exists=True, waits=True) for each in records[5:]]
        assert await storage.audit_log.link(limit=3) == 2
        links = chained(records, position=0, previous=FIRST_HASH)
        assert await chain(storage) == [
            ChainedRecord(link, record) for link, record in zip(links, records, strict=True)
        ]
        assert await strays(storage) == []
        async with storage.audit() as audit:
            assert await audit.audit_head() == (await chain(storage))[-1].link[::2]
        assert await is_sound(storage)

    async def test_records_that_are_written_and_linked_at_the_same_time_make_one_chain(self, storage: Storage) -> None:
        """Beside each other, writers and linkers leave no gap in the chain, and link each record once."""
        records = [a_record(number, at=NOW + number * SECOND) for number in range(1, 25)]

        async def write(some: Collection[AuditRecord]) -> None:
            for record in some:
                await storage.audit_log.append(record)

        async def link() -> None:
            for _ in range(6):
                await storage.audit_log.link(limit=2)

        writers = (write(records[number::4]) for number in range(4))
        await asyncio.wait_for(asyncio.gather(*writers, *(link() for _ in range(3))), TIMEOUT_SECONDS)
        while await storage.audit_log.link(limit=5):
            pass
        links = [each.link for each in await chain(storage)]
        assert [link.position for link in links] == list(range(1, 25))
        assert {link.audit_id for link in links} == {record.id for record in records}
        assert await is_sound(storage)

    async def test_old_records_are_deleted_from_the_beginning_and_the_rest_can_be_verified(
        self, storage: Storage
    ) -> None:
        """In steps; the last link stays, and so do records that wait for theirs."""
        records = [a_record(number, at=NOW + number * SECOND) for number in range(1, 9)]
        housekeeping = storage.housekeeping
        assert await housekeeping.delete_audit_records(before=NOW, limit=2) == Deleted(count=0, is_last=True)
        await commit(storage, Changes(audit_new=records[:6]))
        await storage.audit_log.link(limit=10)
        async with storage.audit() as audit:
            assert await audit.audit_deleted() is None
        before = NOW + 4 * SECOND
        deleted = [await housekeeping.delete_audit_records(before=before, limit=2) for _ in range(3)]
        assert [each.count for each in deleted] == [2, 1, 0]
        assert [each.is_last for each in deleted] == [False, True, True]
        assert await newest(storage) == records[5:2:-1]
        async with storage.audit() as audit:
            end = await audit.audit_deleted()
        third = list(chained(records[:3], position=0, previous=FIRST_HASH))[-1]
        assert end == ChainEnd(third.position, third.hash)
        assert await is_sound(storage)
        await storage.audit_log.append(records[6])
        await housekeeping.delete_audit_records(before=NOW + 99 * SECOND, limit=9)
        assert await newest(storage) == [records[6], records[5]]
        await storage.audit_log.link(limit=10)
        assert [each.link.position for each in await chain(storage)] == [6, 7]
        assert await is_sound(storage)

    async def test_the_pages_of_the_chain_cover_everything_once(self, storage: Storage) -> None:
        """However many records there are, linked or not."""
        records = [a_record(number, at=NOW + number * SECOND) for number in range(1, self.records_linked + 1)]
        await commit(storage, Changes(audit_new=records))
        assert len(await strays(storage)) == self.records_linked
        assert await storage.audit_log.link(limit=self.records_linked) == self.records_linked
        assert [each.record for each in await chain(storage)] == records


def a_record(
    number: int,
    *,
    at: datetime = NOW,
    origin: Origin | None = None,
    action: AuditAction = AuditAction.ACCOUNT_FROZEN,
    object_id: str = "acc_1",
    **note: object,
) -> AuditRecord:
    """A record of an operator, unless it is given otherwise. The same arguments make the same record."""
    template = AuditNote(action=action, object_id=object_id)
    return AuditRecord(
        id=id_of(at, number),
        origin=origin or Origin(actor=Actor(kind=ActorKind.OPERATOR, id="usr_1"), address="192.0.2.1"),
        note=replace(template, **note),  # type: ignore[arg-type]  # Tests name fields.
        created_at=at,
    )


def id_of(at: datetime, number: int) -> AuditId:
    """A time-ordered id of a moment, with the number in place of chance."""
    value = ((at - EPOCH) // timedelta(milliseconds=1) << 80) + number
    return AuditId("aud_" + "".join(CROCKFORD[value >> 5 * place & 31] for place in reversed(range(26))))


def is_wanted(record: AuditRecord, where: AuditFilter) -> bool:
    """Whether a filter allows a record."""
    return (
        where.owner_id in (None, record.note.owner_id)
        and where.actor in (None, record.origin.actor.id)
        and where.action in (None, record.note.action)
        and where.object_id in (None, record.note.object_id)
        and (where.created_after is None or where.created_after <= record.created_at)
        and (where.created_before is None or record.created_at < where.created_before)
    )


async def newest(storage: Storage, where: AuditFilter = ALL) -> list[AuditRecord]:
    """All records of a filter."""
    return list(await storage.audit_log.records(where, before=None, limit=100))


async def chain(storage: Storage) -> list[ChainedRecord]:
    """All links."""
    async with storage.audit() as audit:
        return await all_of(audit.audit_chain())


async def strays(storage: Storage) -> list[StrayRecord]:
    """All records without a place in the chain, by their ids."""
    async with storage.audit() as audit:
        return sorted(await all_of(audit.stray_audit_records()))


async def is_sound(storage: Storage) -> bool:
    """Whether a verification finds nothing."""
    async with storage.audit() as audit:
        return (await verify(audit)).ok


async def all_of(pages: AsyncIterator[Collection[Record]]) -> list[Record]:
    """What stands on all pages."""
    return [record async for page in pages for record in page]
