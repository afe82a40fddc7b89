"""Run: one history from a seed, checked after every step."""

import asyncio
import hashlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from gateway.application.access.caller import Caller
from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
from gateway.application.engine.executor import Executor, OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.engine.submission import Answer, Submission
from gateway.application.ports.sessions import SessionId
from gateway.application.ports.storage import Scheduling, Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.queries import Queries
from gateway.application.verification.verify import verify
from gateway.domain.errors import IdempotencyInProgress, Refusal
from gateway.domain.user import Role, UserId
from gateway.simulation.answers import model_account, model_payment, model_quote
from gateway.simulation.clock import VirtualClock
from gateway.simulation.delivery import Door, Step, next_step, submission
from gateway.simulation.faults import Faults
from gateway.simulation.feed_readers import READS_PERCENT, Feed, FeedReader
from gateway.simulation.identifiers import CountedIdentifiers
from gateway.simulation.model import Model
from gateway.simulation.operations.accounts import registration
from gateway.simulation.report import Failure, Report, described, kind_of
from gateway.simulation.shifts import Shifts
from gateway.simulation.violation import Violation
from gateway.simulation.witness import Touched, Witness
from gateway.simulation.world import CURRENCIES, CUSTOMERS_MAX, NO_ACCOUNT, World

VERIFIED_FIRST: Final = 2_000
"""The whole ledger is verified after so many steps, then after twice as many and so on, and in the end. So all of it
together takes twice as long as the last time."""

TRIES_MAX: Final = 20
"""How often users repeat a request, with the same key, while the storage is unavailable."""

RETRIED_AFTER_MICROSECONDS: Final = 20_000

_OPERATOR: Final = Caller(user_id=UserId("usr_operator"), role=Role.OPERATOR, session_id=SessionId("ses_none"))

_PAUSES: Final = ((70, 2_000_000), (24, 1), (5, 3_600_000_000), (1, 86_400_000_000))
"""The pause before a step: its frequency in per cent, and its maximum in microseconds."""
_PAUSE_DECK: Final = tuple(microseconds for weight, microseconds in _PAUSES for _ in range(weight))


async def simulate(
    storage: Storage,
    *,
    seed: int,
    steps: int,
    faulty: bool,
    races: bool = False,
    clock: VirtualClock | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Run this many steps on an empty storage, or until an invariant is violated.

    Args:
        storage: Where it is played.
        seed: Decides everything.
        steps: How many; each is one operation of users, with the commands that it takes.
        faulty: Whether the storage fails now and then.
        races: Whether transactions on the storage run side by side, so that it may say `TryAgain` of its own accord. On
            the memory adapter they take turns, and nothing but the seed decides.
        clock: The clock of the virtual loop that runs this, for workers that deliver webhooks now and then. Without it,
            there are none.
        on_progress: Told how many steps are done, after each.
    """
    async with _opened(storage, seed=seed, faulty=faulty, races=races, clock=clock) as simulation:
        await simulation.begin()
        for number in range(1, steps + 1):
            await simulation.take(number, whole=number == steps or _is_doubled(number))
            on_progress(number)
            if simulation.report.failure is not None:
                break
        simulation.report.trace = simulation.trace()
        return simulation.report


def _is_doubled(number: int) -> bool:
    times, rest = divmod(number, VERIFIED_FIRST)
    return rest == 0 and times.bit_count() == 1


class _Simulation:
    def __init__(self, storage: Storage, *, seed: int, faulty: bool, races: bool, clock: VirtualClock | None) -> None:
        self.report = Report()
        self._trace = hashlib.blake2b(digest_size=16)
        self._storage = storage
        self._clock = clock or VirtualClock()
        self._model = Model()
        # Two sources of chance: what users draw does not depend on how often storages do.
        self._world = World(random=Random(f"{seed}: users"), clock=self._clock, model=self._model)
        self._faults = Faults(clock=self._clock, random=Random(f"{seed}: storages") if faulty else None)
        self._feed = Feed()
        self._readers_random = Random(f"{seed}: readers")
        self._readers = [FeedReader(f"Reader {name}", storage.events, self._feed, in_order=not races) for name in "AB"]
        identifiers = CountedIdentifiers()
        self._witness = Witness(storage, identifiers, self._clock, self._faults, self._model, self._feed, races=races)
        self._queries = Queries(storage.reader, self._clock)
        limits = RetryLimits(duration_seconds_max=math.inf)
        run_batch = retrying(self._witness.run, limits, sleep=self._sleep_virtually)
        alone = OneByOne(run_batch)
        grouped = GroupCommit(run_batch, GroupLimits(), scheduling=lambda: Scheduling.PIPELINED)
        self._executors: dict[Door, Sequence[Executor]] = {
            Door.ONE_BY_ONE: (alone,),
            Door.GROUPED: (grouped,),
            Door.BOTH: (alone, grouped),
        }

        self._shifts = (
            None
            if clock is None
            else Shifts(
                random=Random(f"{seed}: workers"),
                storage=storage,
                clock=clock,
                world=self._world,
                feed=self._feed,
                identifiers=identifiers,
                disable=self._disable,
                note=self._note,
                is_faulty=faulty,
            )
        )

    async def close(self) -> None:
        """Kill the workers, and close the executors."""
        if self._shifts:
            await self._shifts.close()
        for executor in self._executors[Door.BOTH]:
            await executor.close()

    def trace(self) -> str:
        """The hash of all submissions and answers so far."""
        return self._trace.hexdigest()

    async def begin(self) -> None:
        """Register the first users: two customers and two merchants."""
        roles = {0: Role.CUSTOMER, 1: Role.CUSTOMER, CUSTOMERS_MAX: Role.MERCHANT, CUSTOMERS_MAX + 1: Role.MERCHANT}
        commands = [registration(number, role, CURRENCIES[0]) for number, role in roles.items()]
        opening = [submission(self._world, command) for command in commands]
        await self._play(0, Step(name="opening", submissions=opening, executor=Door.GROUPED), whole=False)

    async def take(self, number: int, *, whole: bool) -> None:
        """Run a step, and check the records that it concerns; on request also the whole ledger."""
        if self._shifts is None or not await self._shifts.pass_time():
            self._clock.wait(int(self._world.random.random() * self._world.one_of(_PAUSE_DECK)))
        await self._play(number, next_step(self._world), whole=whole)
        self.report.steps = number

    async def _play(self, number: int, step: Step, *, whole: bool) -> None:
        witness, began = self._witness, self._clock.now
        waiting = list(step.submissions)
        for _ in range(TRIES_MAX):
            waiting = await self._hand_in(waiting, step.executor)
            if not waiting:
                break
        witness.settle()
        for changes in witness.committed:
            self._world.learn(changes)
        await self._compare(witness.touched)
        await self._read_feed(last=whole)
        if self._shifts is not None:
            await self._deliver(self._shifts)
            if whole and not witness.violations:
                witness.violations.extend(await self._shifts.drain())
        # What is found without it is found again without it, when the same seed ends at this step.
        if whole and not witness.violations:
            await self._verify()
        for each in step.submissions:
            self._world.remember(each)
        self._note(f"{number} {step.name} {step.executor} {began}".encode())
        self.report.commands += sum(each.size for each in step.submissions)
        self.report.faults += witness.touched.faults
        if witness.violations:
            self.report.failure = Failure(
                step=number, operation=described(step, began), violations=tuple(witness.violations)
            )
        witness.forget()

    async def _hand_in(self, submissions: Sequence[Submission], executor: Door) -> list[Submission]:
        """Submit all concurrently. Returns those without an answer."""
        executors = self._executors[executor]
        handed_in = [executors[index % len(executors)].perform(asked) for index, asked in enumerate(submissions)]
        # Mostly it is one, and then no task is made for it.
        answers = [await _outcome(handed_in[0])] if len(handed_in) == 1 else await _outcomes(handed_in)
        unanswered: list[Submission] = []
        for asked, answer in zip(submissions, answers, strict=True):
            if isinstance(answer, Answer) and not isinstance(answer.outcome, IdempotencyInProgress):
                self._answered(asked, answer)
            elif isinstance(answer, Answer | StorageUnavailable) and self._witness.touched.faults:
                unanswered.append(asked)
            else:
                self._find("answered", f"{asked.key} came to {answer!r}.")
        return unanswered

    def _answered(self, asked: Submission, answer: Answer) -> None:
        self._note(asked.key.key.encode(), asked.fingerprint, answer.body)
        self.report.outcomes[kind_of(answer)] += 1
        if answer.body not in self._witness.touched.bodies.get((asked.key, asked.fingerprint), ()):
            self._find("own_answer", f"{asked.key} was told {answer.body!r}, which is no answer to it.")

    async def _compare(self, touched: Touched) -> None:
        """Compare the stored records that the step concerns with the model."""
        reader, model, now = self._storage.reader, self._model, self._clock.now
        for key in touched.accounts:
            account = await reader.account(self._world.ids.get(key, NO_ACCOUNT))
            self._must_be("account", key, None if account is None else model_account(account), model.accounts.get(key))
        for payment_id in touched.payments:
            payment, must = await reader.payment(payment_id), model.payments.get(payment_id)
            self._must_be("payment", payment_id, None if payment is None else model_payment(payment), must)
            if payment is not None and must is not None:
                shown = await self._queries.payment(_OPERATOR, payment_id)
                actions = [action.value for action in shown.allowed_actions]
                seen = {"current_status": shown.status.value, "allowed_actions": actions}
                self._must_be("payment_shown", payment_id, seen, must.state_facts(now))

        for quote_id in touched.quotes:
            quote, promised = await reader.quote(quote_id), model.quotes.get(quote_id)
            self._must_be("quote", quote_id, None if quote is None else model_quote(quote), promised)
            if quote is not None and promised is not None:
                self._must_be("quote_version", quote_id, quote.version, promised.version)

    async def _deliver(self, shifts: Shifts) -> None:
        self._witness.violations.extend(await shifts.after_step(self._witness.committed))
        outcome = await shifts.ask()
        if outcome is not None:
            self.report.outcomes[outcome] += 1

    async def _disable(self, command: DisableWebhookEndpoint) -> bool:
        """A worker disables an endpoint, as every other command is performed."""
        [alone] = self._executors[Door.ONE_BY_ONE]
        answer = await alone.perform(submission(self._world, command))
        if isinstance(answer.outcome, Refusal):
            raise answer.outcome
        endpoint = self._model.endpoints[command.endpoint_id]
        return bool(endpoint.disabled) or endpoint.deleted

    async def _read_feed(self, *, last: bool) -> None:
        """One reader keeps up, the other one pauses for many steps."""
        keeps_up, pauses = self._readers
        random = self._readers_random
        self._witness.violations.extend(await keeps_up.catch_up(random))
        if last or random.random() * 100 < READS_PERCENT:
            self._witness.violations.extend(await pauses.catch_up(random))

    def _must_be(self, invariant: str, subject: object, found: object, must: object) -> None:
        if found != must:
            self._find(invariant, f"{subject} is {found}; it must be {must}.")

    async def _verify(self) -> None:
        async with self._storage.audit() as audit:
            findings = await verify(audit)
        for each in findings.named:
            self._find(f"verify: {each.rule}", f"{each.subject}: {each.detail}")

    def _note(self, *parts: bytes) -> None:
        for part in parts:
            self._trace.update(part)

    def _find(self, invariant: str, detail: str) -> None:
        self._witness.violations.append(Violation(invariant, detail))

    async def _sleep_virtually(self, seconds: float) -> None:
        """Let other tasks run, without a delay: delays of the retries do not come from the seed."""
        del seconds
        self._clock.wait(RETRIED_AFTER_MICROSECONDS)
        await asyncio.sleep(0)


@asynccontextmanager
async def _opened(
    storage: Storage, *, seed: int, faulty: bool, races: bool, clock: VirtualClock | None
) -> AsyncGenerator[_Simulation]:
    simulation = _Simulation(storage, seed=seed, faulty=faulty, races=races, clock=clock)
    try:
        yield simulation
    finally:
        await simulation.close()


async def _outcome(performed: Awaitable[Answer]) -> Answer | BaseException:
    try:
        return await performed
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the user is told.
        return error


async def _outcomes(performed: Sequence[Awaitable[Answer]]) -> list[Answer | BaseException]:
    return await asyncio.gather(*performed, return_exceptions=True)
