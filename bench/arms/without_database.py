"""The gateway on memory adapters; with BENCH_NOTHING set, with an executor that does nothing."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from litestar import Litestar

from bench.population import People, payment, populate
from gateway import PaymentResult
from gateway.adapters.http import HttpLimits, create_app
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import Executor
from gateway.application.engine.submission import Answer, Submission
from gateway.application.gateway import Gateway
from gateway.bootstrap.garbage_collection import collect_garbage_seldom
from gateway.bootstrap.keys import cursor_keys
from gateway.bootstrap.wiring import open_gateway
from gateway.settings.reader import read_settings


class AnswersAtOnce(Executor):
    """An executor that answers all submissions with the same result: only the cost of HTTP remains."""

    def __init__(self, paid: PaymentResult) -> None:
        self._paid = paid

    def submit(self, submission: Submission) -> asyncio.Future[Answer]:
        """Encode the result, without deciding."""
        body = submission.codec.encode(self._paid).body
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(Answer(body=body, outcome=self._paid, refused=False, replayed=False))
        return answer

    def check_room(self, caller: str, size: int) -> None:
        """There is room."""

    async def close(self) -> None:
        """Nothing to close."""


def app() -> Litestar:
    """The application, configured by the environment."""
    settings = read_settings(os.environ)
    people = People.read(Path(os.environ["BENCH_PEOPLE"]))

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Gateway]:
        async with open_gateway(settings) as gateway:
            await populate(gateway.storage, people)
            if "BENCH_NOTHING" not in os.environ:
                yield gateway
                return
            paid = await gateway.execute(payment(people.customers[0], people.merchants[0]))
            yield replace(gateway, executor=CommandExecutor(AnswersAtOnce(paid), time_ordered_id))

    collect_garbage_seldom()  # As `gateway serve` does.
    return create_app(
        opened, cursor_keys=cursor_keys(settings), sandbox=True, limits=HttpLimits(), payment_lane=settings.payment_lane
    )
