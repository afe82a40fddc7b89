"""Blocked submissions wait beside the others, which are answered at once. All in virtual time."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.application.engine.blocked import BlockedSubmissions
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.submission import Answer, CommandSubmission, Failed, Submission
from gateway.application.errors import Overloaded, RateLimited
from gateway.application.ports.busy import StorageBusy
from gateway.application.ports.storage import Scheduling
from gateway.application.ports.unit_of_work import KeyBusy, StorageUnavailable
from gateway.domain.errors import IdempotencyInProgress
from gateway.domain.user import UserId
from gateway.simulation.virtual_loop import in_virtual_time
from support.builders import a_bulk_submission, pay, submit, usd
from support.commands import BugError

LOCK_SECONDS = 2.0
BRIEF_SECONDS = 0.25
COMMIT_SECONDS = 0.002
FOR_EVER = 1e6


@dataclass
class World:
    """A storage, and other transactions that hold keys and customers until their times.

    Attributes:
        held: Until when each is held: a key, or the number of a customer.
        shared: The keys of each batch that others wait for.
        waited: The keys of each batch that was run beside the others, and how long it may wait.
    """

    held: dict[object, float] = field(default_factory=dict[object, float])
    shared: list[list[str]] = field(default_factory=list[list[str]])
    waited: list[tuple[list[str], float]] = field(default_factory=list[tuple[list[str], float]])
    is_away: bool = False
    inside: int = 0

    async def run(self, submissions: Sequence[Submission]) -> list[Answer | Failed]:
        self.shared.append([each.key.key for each in submissions])
        return await self._run(submissions, BRIEF_SECONDS)

    async def run_waiting(self, submissions: Sequence[Submission], seconds: float) -> list[Answer | Failed]:
        self.waited.append(([each.key.key for each in submissions], seconds))
        assert self.inside == 0, "one at a time"
        self.inside += 1
        try:
            return await self._run(submissions, seconds)
        finally:
            self.inside -= 1

    async def _run(self, submissions: Sequence[Submission], seconds: float) -> list[Answer | Failed]:
        if self.is_away:
            raise StorageUnavailable
        for each in submissions:
            await self._wait(each.key.key, seconds, KeyBusy())
            for account in each.needs().account_keys:
                await self._wait(account.owner_id, seconds, StorageBusy())
            if each.key.key.startswith("bug"):
                raise BugError
        await asyncio.sleep(COMMIT_SECONDS)
        return [Answer(body=b"paid", outcome=None, refused=False, replayed=False) for _ in submissions]

    async def _wait(self, name: object, seconds: float, busy: Exception) -> None:
        left = self.held.get(name, 0.0) - now()
        await asyncio.sleep(max(0.0, min(left, seconds)))
        if left > seconds:
            raise busy


@dataclass
class Asked:
    """What was asked, what came of it, and when."""

    task: "asyncio.Task[tuple[Answer | BaseException, float]]"

    @property
    def at(self) -> float:
        return self.task.result()[1]

    @property
    def was_paid(self) -> bool:
        outcome = self.task.result()[0]
        return isinstance(outcome, Answer) and outcome.body == b"paid"

    @property
    def is_in_progress(self) -> bool:
        outcome = self.task.result()[0]
        return isinstance(outcome, Answer) and isinstance(outcome.outcome, IdempotencyInProgress)

    @property
    def error(self) -> BaseException | None:
        outcome = self.task.result()[0]
        return outcome if isinstance(outcome, BaseException) else None


def now() -> float:
    return float(asyncio.get_running_loop().time())


def payment(key: str, customer: int = 1) -> CommandSubmission:
    return submit(pay(usd(1), customer=customer, merchant=customer + 1000), key)


def payments(name: str, count: int, customer: int = 1) -> list[CommandSubmission]:
    return [payment(f"{name}-{n}", customer) for n in range(count)]


def customer_id(number: int) -> UserId:
    [customer] = [each.owner_id for each in payment("any", number).needs().account_keys if each.kind == "customer"]
    return customer


@dataclass
class Scene:
    world: World
    executor: GroupCommit

    def ask(self, *submissions: Submission) -> list[Asked]:
        async def perform(submission: Submission) -> tuple[Answer | BaseException, float]:
            try:
                return await self.executor.perform(submission), now()
            except Exception as error:  # noqa: BLE001 - what came of it.
                return error, now()

        return [Asked(asyncio.create_task(perform(each))) for each in submissions]

    async def done(self, *asked: Asked) -> None:
        await asyncio.gather(*(each.task for each in asked))


def play(script: "Any", limits: GroupLimits | None = None) -> None:
    """Play a script in virtual time. In the end all is answered, and nothing is left running."""

    async def played(_: object) -> None:
        world = World()
        executor = GroupCommit(
            world.run,
            limits or GroupLimits(),
            scheduling=lambda: Scheduling.PIPELINED,
            run_waiting=world.run_waiting,
        )
        scene: Coroutine[Any, Any, None] = script(Scene(world, executor))
        await scene
        await executor.close()
        assert len(asyncio.all_tasks()) == 1

    in_virtual_time(played)


def test_a_busy_key_holds_up_its_batch_briefly_and_the_next_batches_not_at_all() -> None:
    async def script(scene: Scene) -> None:
        scene.world.held["busy"] = FOR_EVER
        first = scene.ask(payment("lone"), payment("busy"), *payments("beside", 255))
        await asyncio.sleep(BRIEF_SECONDS + 0.1)
        later = scene.ask(*payments("later", 5))
        await scene.done(*first, *later)
        [lone, busy, *beside] = first
        assert all(each.was_paid for each in (lone, *beside, *later))
        assert max(each.at for each in (lone, *beside)) < 2 * BRIEF_SECONDS
        assert max(each.at for each in later) <= BRIEF_SECONDS + 0.1 + 2 * COMMIT_SECONDS
        assert busy.is_in_progress
        assert LOCK_SECONDS <= busy.at <= LOCK_SECONDS + BRIEF_SECONDS
        assert sum("busy" in batch for batch in scene.world.shared) == 1

    play(script)


def test_a_key_that_is_free_within_the_lock_timeout_is_answered() -> None:
    async def script(scene: Scene) -> None:
        scene.world.held |= {"freed": 1.0, "busy": FOR_EVER}
        asked = scene.ask(payment("busy"), payment("freed"), payment("freed"), payment("other"))
        await scene.done(*asked)
        busy, freed, again, other = asked
        assert busy.is_in_progress
        assert freed.was_paid
        assert again.was_paid
        assert 1.0 <= freed.at <= again.at <= 1.0 + 3 * BRIEF_SECONDS
        assert other.at < 2 * BRIEF_SECONDS

    play(script)


def test_several_busy_keys_are_all_refused_soon_after_the_lock_timeout() -> None:
    async def script(scene: Scene) -> None:
        scene.world.held |= {f"busy-{n}": FOR_EVER for n in range(4)}
        asked = scene.ask(payment("innocent"), *payments("busy", 4))
        await scene.done(*asked)
        innocent, *busy = asked
        assert innocent.at < 0.6
        assert all(each.is_in_progress for each in busy)
        assert max(each.at for each in busy) < 2 * LOCK_SECONDS

    play(script)


def test_a_busy_record_fails_what_needs_it_and_nothing_else() -> None:
    async def script(scene: Scene) -> None:
        scene.world.held[customer_id(1)] = FOR_EVER
        asked = scene.ask(*payments("needs", 100, customer=1), *payments("other", 50, customer=2))
        await asyncio.sleep(0.01)
        waiting = scene.ask(*payments("waiting", 50, customer=3))
        await scene.done(*asked, *waiting)
        assert all(type(each.error) is StorageBusy for each in asked[:100])
        assert all(each.was_paid for each in (*asked[100:], *waiting))
        # Those on the same account are put off, once one of them was blocked alone.
        assert max(each.at for each in (*asked[100:], *waiting)) < 4 * BRIEF_SECONDS
        assert max(each.at for each in asked[:100]) < LOCK_SECONDS + 2 * BRIEF_SECONDS

    play(script)


def test_a_record_that_is_free_within_the_lock_timeout_is_paid_from() -> None:
    async def script(scene: Scene) -> None:
        scene.world.held[customer_id(1)] = 1.5
        asked = scene.ask(*payments("needs", 40))
        await scene.done(*asked)
        assert all(each.was_paid for each in asked)

    play(script)


@pytest.mark.parametrize("held", ["key", customer_id(1)])
def test_what_was_blocked_a_moment_ago_blocks_no_batch_when_it_is_sent_again(held: str) -> None:
    async def script(scene: Scene) -> None:
        scene.world.held[held] = 2 * LOCK_SECONDS
        await scene.done(*scene.ask(payment("key")))
        assert len(scene.world.shared) == 1
        again = scene.ask(payment("key"))
        others = scene.ask(*payments("other", 9, customer=2))
        await scene.done(*again, *others)
        assert again[0].was_paid
        assert all(batch[0].startswith("other") for batch in scene.world.shared[1:])
        # Once it has been answered, it is like any other one.
        before = len(scene.world.waited)
        await scene.done(*scene.ask(payment("key")))
        assert scene.world.shared[-1] == ["key"]
        assert len(scene.world.waited) == before

    play(script)


def test_what_waited_for_the_same_transaction_is_run_together_when_it_has_ended() -> None:
    async def script(scene: Scene) -> None:
        customer = customer_id(1)
        scene.world.held[customer] = LOCK_SECONDS + 1.0
        await scene.done(*scene.ask(payment("first")))
        asked = scene.ask(*payments("again", 1000))
        await scene.done(*asked)
        assert all(each.was_paid for each in asked)
        before = len(scene.world.waited)
        assert before < 100
        assert scene.world.shared == [["first"]]

    play(script)


def test_what_was_blocked_is_forgotten_after_a_while() -> None:
    async def script(scene: Scene) -> None:
        scene.world.held["key"] = 1.2 * LOCK_SECONDS
        await scene.done(*scene.ask(payment("key")))
        await asyncio.sleep(3 * LOCK_SECONDS)
        await scene.done(*scene.ask(payment("key")))
        assert scene.world.shared == [["key"], ["key"]]

    play(script)


def test_many_busy_keys_take_no_longer_than_one() -> None:
    async def script(scene: Scene) -> None:
        asked_for = payments("busy", 256)
        scene.world.held |= {each.key.key: FOR_EVER for each in asked_for}
        asked = scene.ask(*asked_for)
        await scene.done(*asked)
        assert all(each.is_in_progress or type(each.error) is StorageBusy for each in asked)
        assert max(each.at for each in asked) < LOCK_SECONDS + 2 * BRIEF_SECONDS

    play(script)


def test_a_bug_among_blocked_submissions_fails_alone() -> None:
    async def script(scene: Scene) -> None:
        scene.world.held["busy"] = 1.0
        asked = scene.ask(*payments("well", 20), payment("busy"), *payments("fine", 20), payment("bug"))
        await scene.done(*asked)
        assert isinstance(asked[-1].error, BugError)
        assert all(each.was_paid for each in asked[:-1])

    play(script)


def test_a_storage_that_goes_away_fails_what_is_blocked_and_what_waits() -> None:
    async def script(scene: Scene) -> None:
        scene.world.held["busy"] = FOR_EVER
        asked = scene.ask(payment("busy"))
        # Before it is run for the second time beside the others.
        await asyncio.sleep(BRIEF_SECONDS + 0.14)
        scene.world.held[customer_id(2)] = FOR_EVER
        in_flight = scene.ask(payment("in-flight", customer=2))
        await asyncio.sleep(COMMIT_SECONDS)
        asked += scene.ask(payment("waiting", customer=3))
        await asyncio.sleep(0)
        scene.world.is_away = True
        await scene.done(*asked)
        assert [type(each.error) for each in asked] == [StorageUnavailable] * 2
        assert max(each.at for each in asked) < 2 * BRIEF_SECONDS
        scene.world.is_away = False
        scene.world.held.clear()
        after = scene.ask(payment("after"))
        await scene.done(*in_flight, *after)
        assert after[0].was_paid

    play(script, GroupLimits(write_connections=1))


@pytest.mark.parametrize("close_seconds_max", [0.01, 10.0])
def test_an_executor_that_closes_answers_what_is_blocked(close_seconds_max: float) -> None:
    async def script(scene: Scene) -> None:
        scene.world.held["busy"] = FOR_EVER
        asked = scene.ask(payment("busy"), payment("well"))
        await asyncio.sleep(2 * BRIEF_SECONDS)
        began = now()
        await scene.executor.close()
        assert now() - began <= min(close_seconds_max, LOCK_SECONDS) + COMMIT_SECONDS
        await scene.done(*asked)
        assert asked[1].was_paid
        if close_seconds_max < 1:
            assert type(asked[0].error) is StorageUnavailable
        else:
            assert asked[0].is_in_progress

    play(script, GroupLimits(close_seconds_max=close_seconds_max))


def test_what_is_blocked_counts_as_waiting() -> None:
    async def script(scene: Scene) -> None:
        asked_for = payments("busy", 5)
        scene.world.held |= {each.key.key: FOR_EVER for each in asked_for}
        asked = scene.ask(*asked_for)
        await asyncio.sleep(2 * BRIEF_SECONDS)
        with pytest.raises(RateLimited):
            scene.executor.check_room(asked_for[0].key.owner_id, 2)
        scene.executor.check_room(customer_id(2), 5)
        with pytest.raises(Overloaded):
            scene.executor.check_room(customer_id(2), 6)
        await scene.done(*asked)
        scene.executor.check_room(asked_for[0].key.owner_id, 6)

    play(script, GroupLimits(waiting_max=10, waiting_per_caller_max=6))


def test_a_caller_that_is_cancelled_does_not_interrupt_a_blocked_submission() -> None:
    async def script(scene: Scene) -> None:
        scene.world.held["busy"] = 1.0
        [asked] = scene.ask(payment("busy"))
        await asyncio.sleep(2 * BRIEF_SECONDS)
        asked.task.cancel()
        await asyncio.sleep(LOCK_SECONDS)
        keys, _ = scene.world.waited[-1]
        assert keys == ["busy"]
        assert scene.world.waited[-1][1] <= BRIEF_SECONDS
        count = len(scene.world.waited)
        await asyncio.sleep(LOCK_SECONDS)
        assert len(scene.world.waited) == count, "it was committed"

    play(script)


def test_a_large_bulk_submission_with_a_busy_key_waits_once_beside_the_others() -> None:
    async def played(_: object) -> None:
        world = World()
        world.held["bulk"] = 1.0

        async def run_beside(submission: Submission) -> Answer | Failed | None:
            try:
                [answer] = await world.run_waiting([submission], BRIEF_SECONDS)
            except KeyBusy as busy:
                return Failed(busy)
            return answer

        executor = GroupCommit(
            world.run,
            GroupLimits(batch_size_max=4),
            scheduling=lambda: Scheduling.PIPELINED,
            run_beside=run_beside,
            run_waiting=world.run_waiting,
        )
        scene = Scene(world, executor)
        bulk = a_bulk_submission(*payments("part", 5), atomic=False, key="bulk")
        asked = scene.ask(bulk, payment("other", customer=2))
        await scene.done(*asked)
        await executor.close()
        assert all(each.was_paid for each in asked)
        assert asked[1].at < BRIEF_SECONDS
        assert world.shared == [["other"]]

    in_virtual_time(played)


def test_only_so_much_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.application.engine.blocked.KNOWN_MAX", 3)

    async def script(scene: Scene) -> None:
        asked_for = payments("busy", 8)
        scene.world.held |= {each.key.key: FOR_EVER for each in asked_for}
        await scene.done(*scene.ask(*asked_for))
        blocked: BlockedSubmissions = scene.executor._blocked  # noqa: SLF001 - what is remembered shows nowhere else.
        assert len(blocked.known) == 3

    play(script)
