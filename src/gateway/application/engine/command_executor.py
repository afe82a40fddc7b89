"""The executor for Python callers: takes a command, returns its result or raises its refusal."""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import TypeVar, cast

import msgspec

from gateway.application.engine import outcome_codec
from gateway.application.engine.command import Command
from gateway.application.engine.executor import Executor
from gateway.application.engine.submission import Answer, CommandSubmission, Submission, fingerprint
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.unit_of_work import AnswerKey
from gateway.domain.audit import AuditId, AuditNote, AuditRecord, Origin
from gateway.domain.checks import check_id, check_idempotency_key, check_type, wrong_type
from gateway.domain.errors import Refusal
from gateway.domain.user import SYSTEM, UserId

Result = TypeVar("Result")

_encoder = msgspec.json.Encoder(order="deterministic")


class CommandExecutor:
    """Executes commands for Python callers. The HTTP adapter uses `perform`, with its own codec."""

    def __init__(self, executor: Executor, identifiers: Identifiers) -> None:
        self._executor = executor
        self._identifiers = identifiers

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
        """
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
            request = fingerprint(type(command).__qualname__.encode(), _encoder.encode(command))
        answer = await self._executor.perform(
            CommandSubmission(command=command, key=key, fingerprint=request, codec=outcome_codec, origin=origin)
        )
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
