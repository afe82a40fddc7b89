"""What units of work on Postgres send to it: counted, listened to, or lost on the way back."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from gateway.adapters.sql.postgres_connections import WriteConnection

Send = Callable[[], Awaitable[Any]]


@contextmanager
def counting() -> Iterator[dict[str, int]]:
    """Counts what units of work send meanwhile: statements, and the commands that begin and end transactions."""
    counted = {"statements": 0, "BEGIN": 0, "COMMIT": 0}

    plain_execute = WriteConnection.execute

    def count_statement() -> None:
        counted["statements"] += 1

    async def execute(self: WriteConnection, command: str) -> Any:
        counted[command.partition(";")[0]] += 1
        return await plain_execute(self, command)

    with hearing(count_statement), patch.object(WriteConnection, "execute", execute):
        yield counted


@contextmanager
def hearing(of: Callable[[], None]) -> Iterator[None]:
    """Hears of each statement just before it is sent."""

    async def hear(send: Send) -> Any:
        of()
        return await send()

    with between(hear):
        yield


@contextmanager
def losing_one_answer() -> Iterator[None]:
    """The connection of the next statement breaks once Postgres has done what it says, and before it could tell."""
    is_lost = False

    async def lose(send: Send) -> Any:
        nonlocal is_lost
        loses, is_lost = not is_lost, True
        found = await send()
        if loses:
            raise ConnectionResetError("The answer of Postgres is lost.")
        return found

    with between(lose):
        yield


@contextmanager
def between(step_in: Callable[[Send], Awaitable[Any]]) -> Iterator[None]:
    """Has each statement sent by `step_in`, which may do so or not, and answers in its place."""
    plain_fetch = WriteConnection.fetch

    async def fetch(self: WriteConnection, *arguments: Any) -> Any:
        return await step_in(lambda: plain_fetch(self, *arguments))

    with patch.object(WriteConnection, "fetch", fetch):
        yield
