"""Submissions handed in as one: each with its own fate, or all or nothing, and one transaction in either case."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from application.conftest import OpenExecutor
from gateway import FreezeAccount, UnfreezeAccount
from gateway.application.engine.command import Command
from gateway.application.engine.executor import Executor
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.submission import Answer, CommandSubmission, Failed, Submission
from gateway.application.ports.batch_records import AnswerKey, StoredAnswer
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, StorageUnavailable
from gateway.contracts.records import NOW, commit
from gateway.domain.errors import AccountFrozen, IdempotencyKeyReused
from support.builders import (
    CUSTOMER,
    CUSTOMER_ACCOUNT,
    Watch,
    a_batch,
    a_bulk_submission,
    balances,
    opened,
    pay,
    submit,
    usd,
    watched,
)
from support.commands import BrokenDecide, BugError


@pytest.fixture
def watch() -> Watch:
    """What was committed."""
    return Watch()


@pytest.fixture
async def executor(storage: Storage, watch: Watch, open_executor: OpenExecutor) -> AsyncIterator[Executor]:
    """An executor before a customer with a dollar, and a merchant."""
    await opened(storage)
    async with open_executor(a_batch(watched(storage, watch)).run) as executor:
        yield executor


def parts(*commands: Command[Any]) -> Sequence[CommandSubmission]:
    return [submit(command, f"part-{number}") for number, command in enumerate(commands)]


def stored_body(watch: Watch, key: str) -> bytes:
    """What was stored under a key."""
    [body] = [answer.body for changes in watch.commits for answer in changes.answers_new if answer.key.key == key]
    return body


@pytest.mark.parametrize("atomic", [True, False])
async def test_a_bundle_is_one_transaction(executor: Executor, storage: Storage, watch: Watch, *, atomic: bool) -> None:
    answer = await executor.perform(a_bulk_submission(*parts(*(pay(usd(1)) for _ in range(50))), atomic=atomic))
    assert answer.body == b"50"
    assert await balances(storage) == (50, 50)
    [changes] = watch.commits
    assert (len(changes.payments_new), len(changes.answers_new)) == (50, 51)


async def test_a_refused_part_of_an_atomic_bundle_leaves_nothing_behind(
    executor: Executor, storage: Storage, watch: Watch
) -> None:
    refused = a_bulk_submission(*parts(pay(usd(60)), pay(usd(60)), pay(usd(1))), atomic=True)
    assert (await executor.perform(refused)).body == b"2"
    assert await balances(storage) == (100, 0)
    [changes] = watch.commits
    assert [answer.key.key for answer in changes.answers_new] == ["bulk-1"]
    assert not changes.payments_new
    assert not changes.events_new
    again = await executor.perform(refused)
    assert (again.body, again.replayed) == (b"2", True)


async def test_a_refused_part_of_another_bundle_is_alone(executor: Executor, storage: Storage) -> None:
    answer = await executor.perform(a_bulk_submission(*parts(pay(usd(60)), pay(usd(60)), pay(usd(1))), atomic=False))
    assert answer.body == b"3"
    assert await balances(storage) == (39, 61)


async def test_a_part_that_was_asked_for_before_is_not_done_again(executor: Executor, storage: Storage) -> None:
    first, second = parts(pay(usd(10)), pay(usd(20)))
    await executor.perform(first)
    for atomic in (True, False):
        await executor.perform(a_bulk_submission(first, second, atomic=atomic, key=f"atomic-{atomic}"))
    assert await balances(storage) == (70, 30)


async def test_a_replayed_refusal_ends_an_atomic_bulk_submission(executor: Executor, storage: Storage) -> None:
    refused, paid = parts(pay(usd(101)), pay(usd(20)))
    assert (await executor.perform(refused)).refused
    answer = await executor.perform(a_bulk_submission(refused, paid, atomic=True))
    [part] = answer.outcome
    assert (part.refused, part.replayed) == (True, True)
    assert await balances(storage) == (100, 0)


async def test_the_key_of_a_bundle_serves_one_request_only(executor: Executor, storage: Storage) -> None:
    await executor.perform(a_bulk_submission(*parts(pay(usd(10))), atomic=True))
    answer = await executor.perform(a_bulk_submission(*parts(pay(usd(20))), atomic=True))
    assert isinstance(answer.outcome, IdempotencyKeyReused)
    assert await balances(storage) == (90, 10)


@pytest.mark.parametrize("atomic", [True, False])
async def test_the_key_of_a_bundle_is_none_of_its_parts(executor: Executor, storage: Storage, *, atomic: bool) -> None:
    bulk = a_bulk_submission(submit(pay(usd(10)), "mine"), submit(pay(usd(20)), "bulk-1"), atomic=atomic)
    answer = await executor.perform(bulk)
    *_, part = answer.outcome
    assert isinstance(part.outcome, IdempotencyKeyReused)
    assert await balances(storage) == ((100, 0) if atomic else (90, 10))
    again = await executor.perform(bulk)
    assert (again.body, again.replayed) == (answer.body, True)


def bodies(answers: Sequence[Answer | Failed]) -> bytes:
    """All of the answers to the parts, as an answer to all that shows them."""
    return b"\n".join(answer.body for answer in answers if isinstance(answer, Answer))


@pytest.mark.parametrize("atomic", [True, False])
async def test_the_answer_to_all_is_rebuilt_of_the_answers_to_the_parts(
    executor: Executor, watch: Watch, *, atomic: bool
) -> None:
    commands = [pay(usd(10)), pay(usd(20)), *([] if atomic else [pay(usd(1000))])]
    bulk = replace(a_bulk_submission(*parts(*commands), atomic=atomic), encode_all=bodies)
    answer = await executor.perform(bulk)
    assert stored_body(watch, "bulk-1") == b""
    again = await executor.perform(bulk)
    assert (again.body, again.refused, again.replayed) == (answer.body, False, True)
    assert answer.body.count(b"\n") == len(commands) - 1
    reused = await executor.perform(replace(bulk, fingerprint=b"other"))
    assert isinstance(reused.outcome, IdempotencyKeyReused)


@pytest.mark.parametrize("other", ["answered before", "twice in it", "of another request", "of the whole"])
async def test_the_answer_to_all_is_stored_whole_if_a_part_has_another_answer(
    executor: Executor, watch: Watch, other: str
) -> None:
    first, second = parts(pay(usd(10)), pay(usd(20)))
    if other == "answered before":
        await executor.perform(second)
    if other == "of another request":
        await executor.perform(replace(second, fingerprint=b"other"))
    keys = {"twice in it": first.key, "of the whole": AnswerKey(CUSTOMER, "bulk-1")}
    if other in keys:
        second = replace(first, key=keys[other])
    bulk = replace(a_bulk_submission(first, second, atomic=False), encode_all=bodies)
    answer = await executor.perform(bulk)
    assert stored_body(watch, "bulk-1") == answer.body
    again = await executor.perform(bulk)
    assert (again.body, again.replayed) == (answer.body, True)


async def test_an_answer_to_all_that_was_stored_whole_is_replayed_so(storage: Storage, executor: Executor) -> None:
    bulk = a_bulk_submission(*parts(pay(usd(10))), atomic=True)
    whole = StoredAnswer(key=bulk.key, fingerprint=bulk.fingerprint, body=b"as it was", created_at=NOW)
    await commit(storage, Changes(answers_new=[whole]))
    answer = await executor.perform(bulk)
    assert (answer.body, answer.replayed) == (b"as it was", True)


async def test_an_answer_to_all_is_unavailable_while_the_answers_to_its_parts_are_deleted(
    storage: Storage, executor: Executor
) -> None:
    bulk = a_bulk_submission(*parts(pay(usd(10))), atomic=True)
    to_be_rebuilt = StoredAnswer(key=bulk.key, fingerprint=bulk.fingerprint, body=b"", created_at=NOW)
    await commit(storage, Changes(answers_new=[to_be_rebuilt]))
    with pytest.raises(StorageUnavailable):
        await executor.perform(bulk)
    assert await balances(storage) == (100, 0)


async def test_what_may_end_otherwise_next_time_is_not_kept(executor: Executor, storage: Storage, watch: Watch) -> None:
    await executor.perform(submit(FreezeAccount(account_id=CUSTOMER_ACCOUNT), "freeze"))
    watch.commits.clear()
    bulk = a_bulk_submission(*parts(pay(usd(10))), atomic=True)
    answer = await executor.perform(bulk)
    [part] = answer.outcome
    assert isinstance(part.outcome, AccountFrozen)
    assert watch.commits == []
    await executor.perform(submit(UnfreezeAccount(account_id=CUSTOMER_ACCOUNT), "unfreeze"))
    assert (await executor.perform(bulk)).replayed is False
    assert await balances(storage) == (90, 10)


async def test_a_bug_in_an_atomic_bundle_fails_it_and_in_another_its_part(executor: Executor, storage: Storage) -> None:
    with pytest.raises(BugError):
        await executor.perform(a_bulk_submission(*parts(pay(usd(1)), BrokenDecide()), atomic=True))
    assert await balances(storage) == (100, 0)
    answer = await executor.perform(a_bulk_submission(*parts(pay(usd(1)), BrokenDecide()), atomic=False))
    paid, broken = answer.outcome
    assert isinstance(paid, Answer)
    assert isinstance(broken, Failed)
    assert await balances(storage) == (99, 1)


async def test_bulk_submissions_fill_batches_by_their_size(storage: Storage, watch: Watch) -> None:
    await opened(storage)
    executor = GroupCommit(a_batch(watched(storage, watch)).run, GroupLimits(batch_size_max=4))
    handed_in: list[Submission] = [
        a_bulk_submission(*(submit(pay(usd(1)), f"{n}-{m}") for m in range(3)), atomic=False, key=f"bulk-{n}")
        for n in range(3)
    ]
    handed_in.append(submit(pay(usd(1)), "alone"))
    await asyncio.gather(*(executor.perform(each) for each in handed_in))
    await executor.close()
    assert [len(changes.payments_new) for changes in watch.commits] == [3, 3, 4]
