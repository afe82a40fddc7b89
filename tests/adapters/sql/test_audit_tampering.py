"""What somebody changes in the audit log by hand, past the gateway, is found by a verification, which names the row."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.adapters.sql import migrate, open_sql_storage
from gateway.application.ports.audit_log import AuditFilter
from gateway.application.ports.audit_records import ChainEnd
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.application.verification.verify import verify
from gateway.contracts.audit_log import a_record
from gateway.contracts.records import NOW, commit
from support.migrations import execute

RECORDS = [a_record(number) for number in range(1, 6)]
THIRD = RECORDS[2].id
INSERTED = a_record(9).id
LATER = a_record(7)
COLUMNS = "actor_kind, actor_id, action, object_id, created_at, address, request_id, reason, before, after"


@pytest.fixture
async def storage(empty_url: str) -> AsyncIterator[Storage]:
    """Four linked records and one that waits."""
    await migrate(empty_url)
    async with open_sql_storage(empty_url) as opened:
        await commit(opened, Changes(audit_new=RECORDS[:4]))
        await opened.audit_log.link(limit=10)
        await opened.audit_log.append(RECORDS[4])
        yield opened


async def by_hand(url: str, statement: str, change: str = "") -> None:
    """Run a statement past the gateway; words in capitals stand for ids, columns and the change."""
    words = {
        "THIRD": THIRD,
        "LAST": RECORDS[4].id,
        "INSERTED": INSERTED,
        "LATER": LATER.id,
        "COLUMNS": COLUMNS,
        "CHANGE": change,
    }
    for word, meant in words.items():
        statement = meant.join(re.split(rf"\b{word}\b", statement))
    await execute(url, statement)


async def found(storage: Storage) -> list[tuple[str, str]]:
    async with storage.audit() as audit:
        return [(finding.rule, finding.subject) for finding in (await verify(audit)).named]


async def test_an_audit_log_that_nobody_has_touched_is_sound(storage: Storage) -> None:
    assert await found(storage) == []


@pytest.mark.parametrize(
    "change",
    [
        "actor_id = 'usr_other'",
        "object_id = 'acc_other'",
        "action = 'account.unfrozen'",
        "address = NULL",
        "reason = 'another'",
        'after = \'{"status": "open"}\'',
        "request_id = 'req_other'",
    ],
)
async def test_a_changed_record_is_found(storage: Storage, empty_url: str, change: str) -> None:
    await by_hand(empty_url, "UPDATE audit_log SET CHANGE WHERE id = 'THIRD'", change)
    assert await found(storage) == [("audit_record_changed", THIRD)]


UNREADABLE = [
    "action = 'nothing'",
    "actor_kind = 'nobody'",
    *(f"before = '{text}'" for text in ("no JSON", "null", "5", "[1]", '{"a": [1]}', '{"a": "\\ud800"}')),
    "after = repeat('[', 100000)",
]
"""What a record is changed to that no record is."""


def on(url: str, change: str) -> str:
    """The change, in the words of the database."""
    return change if url.startswith("postgresql") else change.replace("repeat('[', 100000)", f"'{'[' * 100_000}'")


@pytest.mark.parametrize("change", UNREADABLE)
async def test_a_record_that_was_made_unreadable_is_found_and_left_out_of_lists(
    storage: Storage, empty_url: str, change: str
) -> None:
    await by_hand(empty_url, "UPDATE audit_log SET CHANGE WHERE id = 'THIRD'", on(empty_url, change))
    assert await found(storage) == [("audit_record_missing", THIRD)]
    listed = await storage.audit_log.records(AuditFilter(), before=None, limit=10)
    assert [record.id for record in listed] == [each.id for each in RECORDS[::-1] if each.id != THIRD]


@pytest.mark.parametrize("change", UNREADABLE)
async def test_the_chain_goes_on_behind_a_record_that_cannot_be_read(
    storage: Storage, empty_url: str, change: str
) -> None:
    """It goes on waiting: perhaps a newer version has written it."""
    await by_hand(empty_url, "UPDATE audit_log SET CHANGE WHERE id = 'LAST'", on(empty_url, change))
    await storage.audit_log.append(LATER)
    assert await storage.audit_log.link(limit=1) == 1
    assert await storage.audit_log.link(limit=1) == 0
    assert await found(storage) == [("audit_record_missing", RECORDS[4].id)]
    await by_hand(empty_url, "UPDATE audit_log SET reason = 'another' WHERE id = 'LATER'")
    assert await found(storage) == [("audit_record_changed", LATER.id), ("audit_record_missing", RECORDS[4].id)]


@pytest.mark.parametrize("microseconds", [2**63 - 1, -(2**63)])
async def test_a_moment_beyond_all_moments_is_found_on_sqlite(
    storage: Storage, empty_url: str, microseconds: int
) -> None:
    """Postgres keeps none."""
    if empty_url.startswith("postgresql"):
        return
    await by_hand(empty_url, "UPDATE audit_log SET CHANGE WHERE id = 'THIRD'", f"created_at = {microseconds}")
    assert await found(storage) == [("audit_record_changed", THIRD)]
    assert len(await storage.audit_log.records(AuditFilter(), before=None, limit=10)) == 5


async def test_an_end_of_what_was_deleted_that_is_none_is_found(storage: Storage, empty_url: str) -> None:
    await storage.housekeeping.delete_audit_records(before=NOW + timedelta(days=1), limit=2)
    assert await found(storage) == []
    await by_hand(empty_url, "UPDATE retention SET deleted_until = '3 zz' WHERE name = 'audit'")
    assert "audit_chain_broken" in dict(await found(storage))


async def test_a_deleted_record_is_found_also_before_it_is_linked(storage: Storage, empty_url: str) -> None:
    await by_hand(empty_url, "DELETE FROM audit_log WHERE id IN ('THIRD', 'LAST')")
    assert await found(storage) == [("audit_record_missing", THIRD), ("audit_record_missing", RECORDS[4].id)]


async def test_a_record_that_was_deleted_with_its_link_is_found(storage: Storage, empty_url: str) -> None:
    await by_hand(empty_url, "DELETE FROM audit_log WHERE id = 'THIRD'")
    await by_hand(empty_url, "DELETE FROM audit_chain WHERE audit_id = 'THIRD'")
    assert await found(storage) == [("audit_chain_broken", RECORDS[3].id)]
    await by_hand(empty_url, "UPDATE audit_chain SET position = 3 WHERE position = 4")
    assert await found(storage) == [("audit_record_changed", RECORDS[3].id), ("audit_chain_cut", "audit")]


async def end_of(storage: Storage) -> ChainEnd:
    async with storage.audit() as audit:
        return (await verify(audit)).audit_head


async def found_with(storage: Storage, known_head: ChainEnd) -> list[tuple[str, str]]:
    async with storage.audit() as audit:
        return [(finding.rule, finding.subject) for finding in (await verify(audit, known_head=known_head)).named]


CUT = [
    "DELETE FROM audit_log WHERE id IN (SELECT audit_id FROM audit_chain WHERE position > 2)",
    "DELETE FROM audit_chain WHERE position > 2",
]
CUT_WITH_THE_WAITING = [*CUT, "DELETE FROM audit_log WHERE id = 'LAST'", "DELETE FROM audit_unlinked"]


@pytest.mark.parametrize("statements", [CUT, CUT_WITH_THE_WAITING], ids=["a new one waits", "nothing waits"])
async def test_a_cut_off_end_is_found_also_when_the_chain_has_gone_on(
    storage: Storage, empty_url: str, statements: list[str]
) -> None:
    for statement in statements:
        await by_hand(empty_url, statement)
    assert await found(storage) == [("audit_chain_cut", "audit")]


async def test_an_end_that_was_cut_off_stays_missing_however_far_the_chain_goes_on(
    storage: Storage, empty_url: str
) -> None:
    for statement in CUT:
        await by_hand(empty_url, statement)
    for number, position in ((6, 4), (7, 5), (8, 6)):
        await storage.audit_log.append(a_record(number))
        await storage.audit_log.link(limit=10)
        assert (await end_of(storage)).position == position
        assert await found(storage) == [("audit_chain_cut", "audit")]


@pytest.mark.parametrize("change", ["DELETE FROM audit_head", "UPDATE audit_head SET position = 9"])
async def test_an_end_that_is_written_down_nowhere_or_was_changed_is_found(
    storage: Storage, empty_url: str, change: str
) -> None:
    await by_hand(empty_url, change)
    assert await found(storage) == [("audit_chain_cut", "audit")]
    await storage.audit_log.link(limit=10)
    assert await found(storage) == [("audit_chain_cut", "audit")]


async def test_an_end_that_was_kept_elsewhere_finds_who_rewrites_everything_in_the_database(
    storage: Storage, empty_url: str
) -> None:
    kept = await end_of(storage)
    assert kept.position == 4
    await storage.audit_log.link(limit=10)
    assert await found_with(storage, kept) == []
    for statement in (
        "DELETE FROM audit_log WHERE id IN (SELECT audit_id FROM audit_chain WHERE position > 2)",
        "DELETE FROM audit_chain WHERE position > 2",
        "UPDATE audit_head SET position = 2, hash = (SELECT hash FROM audit_chain WHERE position = 2)",
    ):
        await by_hand(empty_url, statement)
    assert await found(storage) == []
    assert await found_with(storage, kept) == [("audit_chain_cut", "audit")]
    for number in (6, 7, 8):
        await storage.audit_log.append(a_record(number))
    await storage.audit_log.link(limit=10)
    assert (await end_of(storage)).position == 5
    assert await found(storage) == []
    assert await found_with(storage, kept) == [("audit_chain_cut", "audit")]


async def test_an_end_that_housekeeping_has_deleted_can_no_longer_be_compared(storage: Storage) -> None:
    kept = await end_of(storage)
    await storage.audit_log.link(limit=10)
    await storage.audit_log.append(a_record(6))
    await storage.audit_log.link(limit=10)
    await storage.housekeeping.delete_audit_records(before=NOW + timedelta(days=1), limit=10)
    assert await found_with(storage, kept) == [("audit_head_too_old", "audit")]
    assert await found_with(storage, await end_of(storage)) == []


INSERT = "INSERT INTO audit_log (id, COLUMNS) SELECT 'INSERTED', COLUMNS FROM audit_log WHERE id = 'THIRD'"
LINK = """
    INSERT INTO audit_chain (position, audit_id, hash)
    SELECT 5, 'INSERTED', hash FROM audit_chain WHERE audit_id = 'THIRD'
"""


async def test_no_record_is_deleted_that_comes_after_one_that_somebody_has_deleted(
    storage: Storage, empty_url: str
) -> None:
    await by_hand(empty_url, "DELETE FROM audit_log WHERE id = 'THIRD'")
    await storage.housekeeping.delete_audit_records(before=NOW + timedelta(days=1), limit=10)
    assert await found(storage) == [("audit_record_missing", THIRD)]


async def test_an_inserted_record_is_found_before_and_after_others_are_linked(storage: Storage, empty_url: str) -> None:
    await by_hand(empty_url, INSERT)
    assert await found(storage) == [("audit_record_inserted", INSERTED)]
    await storage.audit_log.link(limit=10)
    assert await found(storage) == [("audit_record_inserted", INSERTED)]


async def test_a_record_that_was_inserted_with_a_link_is_found(storage: Storage, empty_url: str) -> None:
    await by_hand(empty_url, INSERT)
    await by_hand(empty_url, LINK)
    assert await found(storage) == [("audit_record_changed", INSERTED)]
