"""The only place that writes money: many commands, one database transaction.

Load what the commands need, let each decide in order, write the changes, commit once. A refusal or a bug affects its
own command alone; the rest of the batch is written.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.application.engine.audit_records import audit_records
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.draft import Draft
from gateway.application.engine.ledger_view import RequiresOwnTransaction
from gateway.application.engine.risk import Risk
from gateway.application.engine.submission import (
    Answer,
    BulkSubmission,
    CommandSubmission,
    Failed,
    Submission,
    is_stored,
)
from gateway.application.engine.wanted import needs_of, wanted_by
from gateway.application.ports.batch_records import StoredAnswer
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.unit_of_work import (
    Changes,
    KeyBusy,
    Needs,
    StorageUnavailable,
    TryAgain,
    UnitOfWorkFactory,
)
from gateway.domain.account import AccountKind
from gateway.domain.errors import IdempotencyKeyReused, Refusal
from gateway.domain.immutable import immutable

logger = logging.getLogger(__name__)

PARTS_PER_SLICE: Final = 16
"""After so many parts of a bulk submission (about a millisecond), the event loop runs other tasks."""

_OF_USERS: Final = frozenset({AccountKind.CUSTOMER, AccountKind.MERCHANT})

RunBatch = Callable[[Sequence[Submission]], Awaitable[list[Answer | Failed]]]
RunWaiting = Callable[[Sequence[Submission], float], Awaitable[list[Answer | Failed]]]
RunBeside = Callable[[Submission], Awaitable[Answer | Failed | None]]


class _NeedsSharedAccounts(Exception):  # noqa: N818 - no error: the batch is run otherwise.
    """A batch beside others needs accounts of the gateway."""


def not_observed() -> None:
    """Nobody in this process waits for events."""


@immutable
class Batch:
    """Runs submissions as one database transaction. Decisions are pure, and a run that did not commit is repeated.

    Attributes:
        committed: Called after each commit with events.
        risk: The rules that payments are asked for, if there are any.
    """

    unit_of_work: UnitOfWorkFactory
    clock: Clock
    identifiers: Identifiers
    committed: Callable[[], None] = not_observed
    risk: Risk | None = None

    async def run_beside(self, bulk: Submission) -> Answer | Failed | None:
        """Answer a bulk submission while other batches that need none of its accounts are decided and committed.

        Returns:
            `Failed` with `KeyBusy` if another transaction holds one of the keys. `None` if it must be run like any
            other batch: it failed, another process was faster, or it moves money on accounts of the gateway, which all
            others may need. Nothing was written, or it was and the keys tell.

        Raises:
            StorageUnavailable: The storage cannot be reached.
        """
        try:
            [answer] = await self.run([bulk], may_be_cached=False, moves_shared_accounts=False)
        except KeyBusy as busy:
            return Failed(busy)
        except StorageUnavailable:
            raise
        except (TryAgain, RequiresOwnTransaction, _NeedsSharedAccounts):
            return None
        except Exception:
            # The second run raises a bug of a command again; a bug of running beside others shows here alone.
            logger.exception("batch_beside_failed")
            return None
        return answer

    async def run_waiting(self, submissions: Sequence[Submission], lock_seconds_max: float) -> list[Answer | Failed]:
        """As `run`, while other batches are decided and committed, and with a time to wait for each lock.

        On Postgres no other batch waits for this one, unless it needs a record that this one has locked.
        """
        return await self.run(submissions, may_be_cached=False, lock_seconds_max=lock_seconds_max)

    async def run(
        self,
        submissions: Sequence[Submission],
        *,
        may_be_cached: bool = True,
        moves_shared_accounts: bool = True,
        lock_seconds_max: float | None = None,
    ) -> list[Answer | Failed]:
        """Answer the submissions, in order.

        Args:
            submissions: Commands and bulk submissions.
            may_be_cached: False if other batches run meanwhile: caches know of none of them.
            moves_shared_accounts: Whether accounts of the gateway may be needed, which all others may need, too.
            lock_seconds_max: As `Wanted.lock_seconds_max`.

        Raises:
            KeyBusy: Another transaction holds one of the keys.
            TryAgain: The transaction did not commit, or its result is unknown.
            StorageUnavailable: The storage cannot be reached.
            RequiresOwnTransaction: The submissions cannot be written in one transaction; each must be run alone.
        """
        needs = needs_of(submissions)
        async with self.unit_of_work() as work:
            wanted = wanted_by(
                submissions, needs, self.risk, may_be_cached=may_be_cached, lock_seconds_max=lock_seconds_max
            )
            records = await work.load(wanted)
            if not moves_shared_accounts and any(account.kind not in _OF_USERS for account in records.accounts):
                raise _NeedsSharedAccounts
            draft = Draft(records, self.risk)
            # Read after the locks are taken: a batch that waited for another one is not dated before it.
            moment = Moment.after(records.latest_at, self.clock(), self.identifiers)
            answers = await answer_all(submissions, needs, draft, moment)
            changes = draft.changes(moment.transactions_at)
            if changes is not None or records.are_cached:
                await work.commit(changes or Changes())
        if changes is not None and changes.events_new:
            self.committed()
        return answers


async def answer_all(
    submissions: Sequence[Submission], needs: Sequence[Needs | Failed], draft: Draft, moment: Moment
) -> list[Answer | Failed]:
    """The answers to all submissions, in order. Between slices of a bulk submission, other tasks run."""
    answers: list[Answer | Failed] = []
    for submission, need in zip(submissions, needs, strict=True):
        if isinstance(need, Failed):
            answers.append(need)
        elif isinstance(submission, BulkSubmission):
            answers.append(await answer_bulk(submission, draft, moment))
        else:
            answers.append(answer(submission, draft, moment))
    return answers


def answer(submission: CommandSubmission, draft: Draft, moment: Moment) -> Answer | Failed:
    """The answer to one command: replayed, or decided now."""
    stored = draft.answer(submission.key)
    if stored is not None:
        return replayed(submission, stored)
    try:
        decision = decide(submission.command, draft, moment)
        body, event_id = submission.codec.encode(decision.outcome, decision.events)
    except RequiresOwnTransaction:
        raise
    except Exception as bug:  # noqa: BLE001 - as above; nothing of this command is written.
        return Failed(bug)
    refused = isinstance(decision.outcome, Refusal)
    if not refused or is_stored(decision.outcome):
        draft.write(decision)
        if decision.notes:
            draft.record(audit_records(decision.notes, submission, moment))
        draft.store(
            StoredAnswer(
                key=submission.key,
                fingerprint=submission.fingerprint,
                body=body,
                created_at=moment.now,
                event_id=event_id,
            )
        )
    return Answer(body=body, outcome=decision.outcome, refused=refused, replayed=False)


async def answer_bulk(bulk: BulkSubmission, draft: Draft, moment: Moment) -> Answer | Failed:
    """The answer to a bulk submission, which contains the answers to its parts."""
    stored = draft.answer(bulk.key)
    if stored is not None:
        return replayed(bulk, stored) if stored.body else _rebuilt(bulk, stored, draft)
    answers = await (_answer_atomic_parts if bulk.atomic else _answer_parts)(bulk, draft, moment)
    if isinstance(answers, Failed):
        return answers
    await asyncio.sleep(0)
    try:
        body = bulk.encode_all(answers)
        refused = bulk.codec.is_refusal(body)
    except Exception as bug:  # noqa: BLE001 - as above; the parts have keys of their own, and can be sent again.
        return Failed(bug)
    if all(isinstance(each, Answer) and is_stored(each.outcome) for each in answers):
        kept = b"" if _can_be_rebuilt(bulk, answers, draft) else body
        draft.store(StoredAnswer(key=bulk.key, fingerprint=bulk.fingerprint, body=kept, created_at=moment.now))
    return Answer(body=body, outcome=answers, refused=refused, replayed=False)


def _can_be_rebuilt(bulk: BulkSubmission, answers: Sequence[Answer | Failed], draft: Draft) -> bool:
    """Whether each part is answered now and its answer is stored, and so for as long as the answer to all."""
    return all(
        isinstance(given, Answer)
        and not given.replayed
        and (stored := draft.answer(part.key)) is not None
        and stored.body is given.body
        for part, given in zip(bulk.parts, answers, strict=False)
    )


def _rebuilt(bulk: BulkSubmission, stored: StoredAnswer, draft: Draft) -> Answer | Failed:
    """The answer to all, from the stored answers to the parts: the same request has the same parts."""
    if stored.fingerprint != bulk.fingerprint:
        return reused(bulk)
    answers = [draft.answer(part.key) for part in bulk.parts]
    if None in answers:
        return Failed(StorageUnavailable("The answer to this bulk submission is too old, and is being deleted."))
    try:
        body = bulk.encode_all([replayed(part, each) for part, each in zip(bulk.parts, answers, strict=True) if each])
        return Answer(body=body, outcome=None, refused=bulk.codec.is_refusal(body), replayed=True)
    except Exception as bug:  # noqa: BLE001 - as above.
        return Failed(bug)


async def _answer_parts(bulk: BulkSubmission, draft: Draft, moment: Moment) -> list[Answer | Failed]:
    answers: list[Answer | Failed] = []
    for number, part in enumerate(bulk.parts, 1):
        if number % PARTS_PER_SLICE == 0:
            await asyncio.sleep(0)
        answers.append(_answer_part(part, bulk, draft, moment))
    return answers


async def _answer_atomic_parts(bulk: BulkSubmission, draft: Draft, moment: Moment) -> list[Answer | Failed] | Failed:
    """The answers up to the first refusal, or a part's failure. The parts are written if there is neither."""
    trial = draft.fork()
    answers: list[Answer | Failed] = []
    for number, part in enumerate(bulk.parts, 1):
        if number % PARTS_PER_SLICE == 0:
            await asyncio.sleep(0)
        last = _answer_part(part, bulk, trial, moment)
        if isinstance(last, Failed):
            return last
        answers.append(last)
        if last.refused:
            return answers
    draft.adopt(trial)
    return answers


def _answer_part(part: CommandSubmission, bulk: BulkSubmission, draft: Draft, moment: Moment) -> Answer | Failed:
    """The bulk submission's own key counts as used from the start, although its answer is written last."""
    return reused(part) if part.key == bulk.key else answer(part, draft, moment)


def replayed(submission: Submission, stored: StoredAnswer) -> Answer | Failed:
    """The stored answer, if it belongs to the same request."""
    if stored.fingerprint != submission.fingerprint:
        return reused(submission)
    refused = submission.codec.is_refusal(stored.body)
    return Answer(body=stored.body, outcome=None, refused=refused, replayed=True)


def reused(submission: Submission) -> Answer | Failed:
    """The refusal of a submission whose key was used for another request."""
    return refusal(submission, IdempotencyKeyReused("This idempotency key belongs to another request."))


def refusal(submission: Submission, outcome: Refusal) -> Answer | Failed:
    """The answer to a submission that is refused before its command is decided."""
    try:
        return Answer(body=submission.codec.encode(outcome).body, outcome=outcome, refused=True, replayed=False)
    except Exception as bug:  # noqa: BLE001 - a bug in one codec must not fail the whole batch.
        return Failed(bug)


def decide(command: Command[object], draft: Draft, moment: Moment) -> Decision[object]:
    """What a command decides. A refusal that it raises is a decision that writes nothing."""
    try:
        return command.decide(draft, moment)
    except Refusal as outcome:
        return Decision(outcome=outcome)
