"""The executor for Python callers: takes a command, returns its result or raises its refusal."""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import TypeVar, cast

from gateway.application.engine import outcome_codec
from gateway.application.engine.command import Command
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.engine.executor import Executor
from gateway.application.engine.fingerprints import fingerprint_of
from gateway.application.engine.host_transactions import HostTransactions
from gateway.application.engine.loop_calls import GatewayClosed
from gateway.application.engine.submission import Answer, CommandSubmission, Submission
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.identifiers import Identifiers
from gateway.domain.audit import AuditId, AuditNote, AuditRecord, Origin
from gateway.domain.checks import check_id, check_idempotency_key, check_type, wrong_type
from gateway.domain.errors import Refusal, invalid
from gateway.domain.user import SYSTEM, UserId

Result = TypeVar("Result")


class CommandExecutor:
    """Executes commands for Python callers. The HTTP adapter uses `perform`, with its own codec."""

    def __init__(
        self, executor: Executor, identifiers: Identifiers, in_transactions: HostTransactions | None = None
    ) -> None:
        self._executor = executor
        self._identifiers = identifiers
        self._in_transactions = in_transactions
        self._loop = OneEventLoop()

    async def execute(
        self,
        command: Command[Result],
        *,
        idempotency_key: str | None = None,
        owner_id: UserId = SYSTEM,
        origin: Origin | None = None,
    ) -> Result:
        """Decide a command, commit, and return its result.

        Args:
            command: The command.
            idempotency_key: 1 to 255 visible ASCII characters. The same key and command return the same result, for
                days. Without a key, every call is a new request.
            owner_id: The caller, who owns the key. Two callers may use the same key, and share batches in turns.
            origin: Who does it, for the audit log: the owner of the key unless given.

        Raises:
            InvalidInput: `command` is no command, the key is malformed, `owner_id` is no id, or `origin` no origin.
            Refusal: A rule forbids it; also `IdempotencyKeyReused`, `IdempotencyInProgress`, `Overloaded`,
                `RateLimited`.
            StorageUnavailable: The storage could not be reached. The call may be repeated with the same key.
            WrongEventLoop: The running event loop is not the gateway's. Nothing was done.
            GatewayClosed: The gateway was closed. Nothing was done.
        """
        self._check_open()
        submission = self._submission(command, idempotency_key, owner_id, origin)
        return self._result(command, await self._executor.perform(submission))

    async def execute_in(
        self,
        connection: object,
        command: Command[Result],
        *,
        idempotency_key: str | None = None,
        owner_id: UserId = SYSTEM,
        origin: Origin | None = None,
    ) -> Result:
        """As `execute`, but within the transaction of a connection of the program, which commits or rolls back.

        Args:
            connection: A connection of asyncpg with a transaction; or a connection or session of SQLAlchemy on asyncpg
                or aiosqlite. Its database is the gateway's.
            command: As in `execute`.
            idempotency_key: As in `execute`. If the program rolls back, the key is not used.
            owner_id: As in `execute`.
            origin: As in `execute`.

        Raises:
            InvalidInput: As `execute`; or the connection has no transaction or another database, or is in use
                (`connection_in_use`), or the storage has no transactions of programs.
            asyncio.CancelledError: Nothing was written, and the transaction goes on.
            Refusal: As `execute`. The transaction goes on: what was written of the refusal (a failed payment) is
                committed or rolled back with it.
            StorageUnavailable: The transaction cannot go on. Roll back, and repeat all of it with the same key.
            WrongEventLoop, GatewayClosed: As `execute`.
        """
        self._loop.check()
        self._check_open()
        submission = self._submission(command, idempotency_key, owner_id, origin)
        if self._in_transactions is None:
            raise invalid("connection", "value_invalid", "This executor has no transactions of programs.")
        return self._result(command, await self._in_transactions.perform(connection, submission))

    def _check_open(self) -> None:
        # A server that closes answers with `Overloaded`: its clients try again, and find another one.
        if self._executor.is_closing:
            self._loop.check()  # What to do about another event loop helps more than that this one is closed.
            raise GatewayClosed("The gateway is closed.")

    def _submission(
        self, command: Command[Result], idempotency_key: str | None, owner_id: UserId, origin: Origin | None
    ) -> CommandSubmission:
        if not isinstance(command, Command):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may have no types.
            raise wrong_type("command", "a command", command)
        check_id("owner_id", owner_id)
        if origin is not None:
            check_type("origin", origin, Origin)
        if idempotency_key is None:
            key, request = self.fresh_key(owner_id), b""  # No other request can have a fresh key.
        else:
            check_idempotency_key(idempotency_key)
            key = AnswerKey(owner_id, idempotency_key)
            request = fingerprint_of(command)
        return CommandSubmission(command=command, key=key, fingerprint=request, codec=outcome_codec, origin=origin)

    def _result(self, command: Command[Result], answer: Answer) -> Result:
        outcome = outcome_codec.decode(answer.body, command.result_type) if answer.replayed else answer.outcome
        if isinstance(outcome, Refusal):
            raise outcome
        return cast("Result", outcome)

    def perform(self, submission: Submission) -> Awaitable[Answer]:
        """Answer a submission, encoded by its codec. As `Executor.perform`."""
        return self._executor.perform(submission)

    def submit(self, submission: Submission) -> asyncio.Future[Answer]:
        """Take a submission, encoded by its codec. As `Executor.submit`."""
        return self._executor.submit(submission)

    def check_room(self, caller: UserId, size: int) -> None:
        """Check that a submission of `size` items would be accepted now. As `Executor.check_room`."""
        self._executor.check_room(caller, size)

    def audit_record(self, note: AuditNote, *, origin: Origin, now: datetime) -> AuditRecord:
        """The record of something that no command does, such as a login: it is written with its change."""
        new_id = self._identifiers.of(now)
        return AuditRecord(id=AuditId(new_id("aud")), origin=origin, note=note, created_at=now)

    def fresh_key(self, owner_id: UserId) -> AnswerKey:
        """A key for a caller's request without one: a commit whose acknowledgement was lost is then not repeated."""
        return AnswerKey(owner_id, self._identifiers("key"))
