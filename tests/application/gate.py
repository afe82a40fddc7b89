"""A gate that lets batches run one by one, and submissions that wait for it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.application.engine.batch import RunBatch
from gateway.application.engine.group_commit import GroupCommit
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.ports.storage import Scheduling
from support.builders import a_bulk_submission, pay, submit, usd


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


def ask(executor: GroupCommit, count: int, name: str) -> list["asyncio.Task[Answer]"]:
    """`count` submissions at once, with keys of this name."""
    return [asyncio.create_task(executor.perform(submit(pay(usd(1)), f"{name}-{n}"))) for n in range(count)]


def ask_bulk(executor: GroupCommit, size: int, name: str) -> "asyncio.Task[Answer]":
    """A bulk submission of `size` payments."""
    parts = [submit(pay(usd(1)), f"{name}-{n}") for n in range(size)]
    return asyncio.create_task(executor.perform(a_bulk_submission(*parts, atomic=False, key=name)))


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)
