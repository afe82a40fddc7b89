"""A gate that lets batches run one by one, and submissions that wait for it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.application.engine.batch import RunBatch
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.ports.storage import Scheduling, Storage
from support.builders import a_batch, a_bulk_submission, opened, pay, submit, usd


@dataclass(slots=True)
class Gate:
    """Lets batches run one by one, or all at once, and records their sizes."""

    run_batch: RunBatch
    sizes: list[int] = field(default_factory=list[int])
    inside: int = 0
    inside_max: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    may_pass: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def run(self, submissions: Sequence[Submission]) -> list[Answer | Failed]:
        self.sizes.append(len(submissions))
        self.inside += 1
        self.inside_max = max(self.inside_max, self.inside)
        self.arrived.set()
        await self.may_pass.acquire()
        self.inside -= 1
        return await self.run_batch(submissions)

    def open(self, batches: int = 1000) -> None:
        for _ in range(batches):
            self.may_pass.release()


def pipelined() -> Scheduling:
    return Scheduling.PIPELINED


def alternating() -> Scheduling:
    return Scheduling.ALTERNATING


@dataclass(slots=True)
class GatedExecutor:
    """A group commit whose batches wait at a gate, and all that was submitted to it."""

    gate: Gate
    executor: GroupCommit
    asked: list["asyncio.Task[Answer]"] = field(default_factory=list["asyncio.Task[Answer]"])

    @property
    def sizes(self) -> list[int]:
        """The sizes of the batches that have begun."""
        return self.gate.sizes

    async def ask(self, count: int, name: str) -> None:
        """Submit `count` payments, and let the batches begin that may."""
        self.asked += ask(self.executor, count, name)
        await settle()

    async def ask_bulk(self, size: int, name: str) -> None:
        """Submit `size` payments as one, and let the batches begin that may."""
        parts = [submit(pay(usd(1)), f"{name}-{n}") for n in range(size)]
        bulk = a_bulk_submission(*parts, atomic=False, key=name)
        self.asked.append(asyncio.create_task(self.executor.perform(bulk)))
        await settle()

    async def let_one_pass(self) -> None:
        """Let one batch be run, and those begin that may."""
        self.gate.open(1)
        await settle()

    async def answers(self) -> list[Answer]:
        """Let all batches be run, and return all answers."""
        self.gate.open()
        async with asyncio.timeout(30):
            return await asyncio.gather(*self.asked)


@asynccontextmanager
async def gated(
    storage: Storage, limits: GroupLimits | None = None, *, scheduling: Callable[[], Scheduling] = pipelined
) -> AsyncGenerator[GatedExecutor]:
    """A group commit over a storage with opened accounts; in the end all is answered, and it is closed."""
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    gated_executor = GatedExecutor(gate, GroupCommit(gate.run, limits or GroupLimits(), scheduling=scheduling))
    yield gated_executor
    await gated_executor.answers()
    await gated_executor.executor.close()


def ask(executor: GroupCommit, count: int, name: str) -> list["asyncio.Task[Answer]"]:
    """`count` submissions at once, with keys of this name."""
    return [asyncio.create_task(executor.perform(submit(pay(usd(1)), f"{name}-{n}"))) for n in range(count)]


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)
