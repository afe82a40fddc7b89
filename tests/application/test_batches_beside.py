"""A large bulk submission runs beside smaller batches, which need none of its accounts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from application.gate import Gate, settle
from application.shop import Shop, set_fees
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.submission import Answer, CommandSubmission, Failed, Submission
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.storage import Scheduling, Storage
from gateway.application.ports.unit_of_work import Conflict, StorageUnavailable
from gateway.domain.user import UserId
from support.builders import (
    Fault,
    Watch,
    a_batch,
    a_bulk_submission,
    balances,
    deposit,
    opened,
    pay,
    submit,
    usd,
    watched,
)

BATCH = 4
LIMITS = GroupLimits(batch_size_max=BATCH)
FLOODER = UserId("usr_flooder")


async def answering(submissions: Sequence[Submission]) -> list[Answer | Failed]:
    """Answers each submission with its key."""
    return [Answer(body=each.key.key.encode(), outcome=None, refused=False, replayed=False) for each in submissions]


def bulk(name: str) -> Submission:
    """Payments of customer 1 to merchant 2, one more than a batch."""
    parts = [submit(pay(usd(1)), f"{name}-{n}") for n in range(BATCH + 1)]
    return replace(a_bulk_submission(*parts, atomic=False), key=AnswerKey(FLOODER, name))


def elsewhere(name: str, customer: int = 3) -> CommandSubmission:
    """A payment between others, by a caller of its own."""
    paid = submit(pay(usd(1), customer=customer, merchant=4), name)
    return replace(paid, key=AnswerKey(UserId(f"usr_{name}"), name))


def to_the_same_merchant(name: str) -> CommandSubmission:
    return replace(submit(pay(usd(1), customer=3), name), key=AnswerKey(UserId(f"usr_{name}"), name))


@dataclass
class Scene:
    """A group commit whose batches wait at a gate, and whose large ones wait at another one."""

    gate: Gate
    beside: Gate
    answer: Answer | None = None
    unavailable: bool = False
    scheduling: Scheduling = Scheduling.PIPELINED
    order: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.executor = GroupCommit(
            self.gate.run, LIMITS, scheduling=lambda: self.scheduling, run_beside=self.run_beside
        )

    async def run_beside(self, submission: Submission) -> Answer | Failed | None:
        [answer] = await self.beside.run([submission])
        if self.unavailable:
            raise StorageUnavailable("It is away.")
        return answer if self.answer is None else None

    def ask(self, submission: Submission) -> "asyncio.Task[Answer]":
        async def perform() -> Answer:
            answer = await self.executor.perform(submission)
            self.order.append(submission.key.key)
            return answer

        return asyncio.create_task(perform())


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene(Gate(answering), Gate(answering))
    yield made
    made.gate.open()
    made.beside.open()
    await made.executor.close()


async def test_a_payment_on_other_accounts_does_not_wait_for_a_large_bulk_submission(scene: Scene) -> None:
    scene.gate.open()
    asked = [scene.ask(bulk("bulk"))]
    await settle()
    asked += [scene.ask(elsewhere("first")), scene.ask(elsewhere("second", customer=5))]
    await settle()
    assert sorted(scene.order) == ["first", "second"]
    assert scene.beside.inside == 1
    scene.beside.open()
    await asyncio.gather(*asked)
    assert scene.order[-1] == "bulk"


@pytest.mark.parametrize("waiting", [to_the_same_merchant("single"), submit(deposit(usd(1)), "single")])
async def test_what_may_need_its_accounts_waits_for_its_end_and_no_longer(
    scene: Scene, waiting: CommandSubmission
) -> None:
    scene.gate.open()
    asked = [scene.ask(bulk("bulk-1")), scene.ask(bulk("bulk-2"))]
    await settle()
    asked += [scene.ask(waiting), scene.ask(elsewhere("other"))]
    await settle()
    assert scene.order == ["other"]
    scene.beside.open(1)
    await settle()
    assert scene.order == ["other", "bulk-1", "single"]
    scene.beside.open()
    await asyncio.gather(*asked)


async def test_a_bulk_submission_begins_when_the_batches_before_it_have_ended(scene: Scene) -> None:
    asked = [scene.ask(to_the_same_merchant("before"))]
    await settle()
    asked.append(scene.ask(bulk("bulk")))
    await settle()
    assert (scene.gate.inside, scene.beside.inside) == (1, 0)
    scene.gate.open()
    await settle()
    assert scene.beside.inside == 1
    scene.beside.open()
    await asyncio.gather(*asked)


async def test_what_cannot_run_beside_others_runs_like_them(scene: Scene) -> None:
    scene.answer = Answer(body=b"", outcome=None, refused=False, replayed=False)
    scene.beside.open()
    asked = [scene.ask(bulk("bulk"))]
    await settle()
    assert scene.gate.sizes == [1]
    asked.append(scene.ask(elsewhere("other")))
    await settle()
    assert scene.gate.sizes == [1]
    scene.gate.open()
    await asyncio.gather(*asked)
    assert scene.order == ["bulk", "other"]


@pytest.mark.parametrize("scheduling", [Scheduling.SEQUENTIAL, Scheduling.ALTERNATING])
async def test_nothing_runs_beside_others_where_batches_are_not_pipelined(scene: Scene, scheduling: Scheduling) -> None:
    scene.scheduling = scheduling
    scene.gate.open()
    await scene.ask(bulk("bulk"))
    assert scene.beside.sizes == []


async def test_bulk_submissions_are_pipelined_where_nobody_else_pays(scene: Scene) -> None:
    scene.gate.open()
    scene.beside.open()
    await asyncio.gather(*[scene.ask(bulk(f"bulk-{n}")) for n in range(5)])
    assert (len(scene.beside.sizes), len(scene.gate.sizes)) == (2, 3)


async def test_when_the_storage_is_away_all_that_waits_fails(scene: Scene) -> None:
    scene.unavailable = True
    asked = [scene.ask(bulk("bulk"))]
    await settle()
    asked.append(scene.ask(to_the_same_merchant("single")))
    await settle()
    scene.beside.open()
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(outcome, StorageUnavailable)
    scene.unavailable = False
    scene.gate.open()
    assert (await scene.ask(elsewhere("after"))).body == b"after"


async def test_all_is_answered_when_it_closes_meanwhile(scene: Scene) -> None:
    asked = [scene.ask(bulk("bulk"))]
    await settle()
    asked.append(scene.ask(to_the_same_merchant("single")))
    await settle()
    closing = asyncio.create_task(scene.executor.close())
    await settle()
    scene.beside.open()
    scene.gate.open()
    await asyncio.gather(*asked, closing)
    assert scene.order == ["bulk", "single"]


async def test_a_batch_beside_others_is_written_and_replayed_like_any_other(storage: Storage) -> None:
    await opened(storage)
    batch = a_batch(storage)
    answer = await batch.run_beside(bulk("bulk"))
    assert isinstance(answer, Answer)
    assert await balances(storage) == (100 - BATCH - 1, BATCH + 1)
    replay = await batch.run_beside(bulk("bulk"))
    assert isinstance(replay, Answer)
    assert (replay.replayed, replay.body) == (True, answer.body)
    assert await balances(storage) == (100 - BATCH - 1, BATCH + 1)


async def test_a_batch_beside_others_decides_on_nothing_that_is_cached(storage: Storage) -> None:
    await opened(storage)
    watch = Watch()
    batch = a_batch(watched(storage, watch))
    await batch.run_beside(bulk("beside"))
    await batch.run([bulk("alone")])
    assert [wanted.may_be_cached for wanted in watch.loads] == [False, True]


async def test_a_batch_that_moves_money_on_accounts_of_the_gateway_does_not_run_beside_others(shop: Shop) -> None:
    await shop.executor.execute(set_fees(1_000, 1))
    assert await a_batch(shop.storage).run_beside(bulk("bulk")) is None
    assert await balances(shop.storage) == (100, 0)


async def test_a_batch_that_meets_a_conflict_does_not_run_beside_others(storage: Storage) -> None:
    await opened(storage)
    watch = Watch()
    watch.spoil([Fault(before=Conflict("Another process was faster."))])
    assert await a_batch(watched(storage, watch)).run_beside(bulk("bulk")) is None
    assert await balances(storage) == (100, 0)
