"""A batch: many commands, one transaction, and each answered for itself."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import FreezeAccount, OpenAccount, PaymentResult, UnfreezeAccount
from gateway.adapters.memory import memory_storage
from gateway.application.engine.batch import Batch
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import TryAgain
from gateway.contracts.history import Step, check_the_books, histories, play
from gateway.contracts.records import EUR, NOW
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.errors import (
    AccountExists,
    AccountFrozen,
    DuplicateReference,
    EmailTaken,
    IdempotencyKeyReused,
    InsufficientFunds,
)
from gateway.domain.event_type import EventType
from gateway.domain.payment_status import PaymentStatus
from support.builders import (
    CUSTOMER,
    CUSTOMER_ACCOUNT,
    StandingClock,
    Watch,
    a_batch,
    balances,
    deposit,
    opened,
    pay,
    register,
    submissions,
    submit,
    usd,
    watched,
)
from support.commands import BrokenCodec, BrokenDecide, BrokenNeeds, BugError


async def run(batch: Batch, *asked: Submission) -> list[Answer]:
    answers = await batch.run(asked)
    assert not any(isinstance(answer, Failed) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Answer)]


async def test_a_refused_command_leaves_the_rest_of_its_batch_alone(storage: Storage) -> None:
    batch = a_batch(storage)
    await opened(storage, balance=100)
    refused, accepted = await run(batch, *submissions(pay(usd(101)), pay(usd(60))))
    assert isinstance(refused.outcome, InsufficientFunds)
    assert isinstance(accepted.outcome, PaymentResult)
    assert await balances(storage) == (40, 60)


async def test_a_command_sees_what_earlier_commands_of_its_batch_decided(storage: Storage) -> None:
    batch = a_batch(storage)
    await opened(storage, balance=100)
    first, second = await run(batch, *submissions(pay(usd(60)), pay(usd(60))))
    assert isinstance(first.outcome, PaymentResult)
    assert isinstance(second.outcome, InsufficientFunds)
    assert await balances(storage) == (40, 60)


async def test_a_command_sees_what_earlier_ones_of_its_batch_have_taken(storage: Storage) -> None:
    batch = a_batch(storage)
    await opened(storage)
    account = OpenAccount(key=AccountKey(CUSTOMER, EUR, AccountKind.CUSTOMER))
    answers = await run(
        batch,
        *submissions(pay(usd(1), reference="order-1"), pay(usd(2), reference="order-1")),
        submit(register(7), "first"),
        submit(register(7), "second"),
        submit(account, "third"),
        submit(account, "fourth"),
    )
    refusals = [type(answer.outcome) for answer in answers[1::2]]
    assert refusals == [DuplicateReference, EmailTaken, AccountExists]
    assert await balances(storage) == (99, 1)


async def test_a_batch_commits_once_whatever_its_size(storage: Storage) -> None:
    await opened(storage, balance=100)
    watch = Watch()
    await run(a_batch(watched(storage, watch)), *submissions(*[pay(usd(1)) for _ in range(50)]))
    assert len(watch.loads) == len(watch.commits) == 1
    [changes] = watch.commits
    assert (len(changes.accounts_changed), len(changes.payments_new), len(changes.answers_new)) == (2, 50, 50)
    assert await balances(storage) == (50, 50)


async def test_a_batch_that_changes_nothing_commits_nothing(storage: Storage) -> None:
    await opened(storage)
    watch = Watch()
    batch = a_batch(watched(storage, watch))
    await run(batch, submit(pay(usd(1)), "key"))
    await run(batch, submit(pay(usd(1)), "key"))
    assert (len(watch.loads), len(watch.commits)) == (2, 1)


async def test_the_time_is_read_after_the_locks_are_held(storage: Storage) -> None:
    clock = StandingClock()
    batch = a_batch(watched(storage, Watch(before_load=lambda: clock.advance(7))), clock)
    await opened(storage)
    [answer] = await run(batch, submit(pay(usd(1)), "key"))
    assert (answer.outcome.payment.created_at - NOW).total_seconds() == 7


async def test_the_same_request_again_gets_the_same_bytes(storage: Storage) -> None:
    batch = a_batch(storage)
    await opened(storage)
    [first] = await run(batch, submit(pay(usd(40)), "key"))
    again, and_again = await run(batch, submit(pay(usd(40)), "key"), submit(pay(usd(40)), "key"))
    assert not first.replayed
    assert (again.replayed, again.body) == (and_again.replayed, and_again.body) == (True, first.body)
    assert await balances(storage) == (60, 40)


async def test_the_same_request_twice_in_a_batch_is_decided_once(storage: Storage) -> None:
    batch = a_batch(storage)
    await opened(storage)
    first, again = await run(batch, submit(pay(usd(40)), "key"), submit(pay(usd(40)), "key"))
    assert (first.replayed, again.replayed) == (False, True)
    assert first.body == again.body
    assert await balances(storage) == (60, 40)


@pytest.mark.parametrize("together", [True, False])
async def test_a_key_serves_one_request_only(storage: Storage, *, together: bool) -> None:
    batch = a_batch(storage)
    await opened(storage)
    asked = [submit(pay(usd(40)), "key"), submit(pay(usd(41)), "key")]
    answers = await run(batch, *asked) if together else [*await run(batch, asked[0]), *await run(batch, asked[1])]
    assert isinstance(answers[1].outcome, IdempotencyKeyReused)
    assert await balances(storage) == (60, 40)
    [original] = await run(batch, asked[0])
    assert (original.replayed, original.body) == (True, answers[0].body)


async def test_a_payment_refused_for_lack_of_funds_is_stored_as_failed(storage: Storage) -> None:
    await opened(storage, balance=10)
    watch = Watch()
    [answer] = await run(a_batch(watched(storage, watch)), submit(pay(usd(11)), "key"))
    payment = await storage.reader.payment(answer.outcome.facts["payment_id"])
    assert payment is not None
    assert (payment.status, payment.failure_code) == (PaymentStatus.FAILED, "insufficient_funds")
    [changes] = watch.commits
    [event] = changes.events_new
    assert (event.type, event.object, event.sequence) == (EventType.PAYMENT_FAILED, payment, 1)
    assert not changes.accounts_changed
    assert not changes.transactions_new


async def test_a_refusal_for_lack_of_funds_stays_even_when_funds_come(storage: Storage) -> None:
    batch = a_batch(storage)
    await opened(storage, balance=10)
    [refused] = await run(batch, submit(pay(usd(11)), "key"))
    await run(batch, submit(deposit(usd(100)), "more"))
    [again] = await run(batch, submit(pay(usd(11)), "key"))
    assert (again.replayed, again.body) == (True, refused.body)
    assert again.refused
    assert await balances(storage) == (110, 0)


async def test_a_refusal_that_somebody_else_can_lift_is_not_stored(storage: Storage) -> None:
    batch = a_batch(storage)
    await opened(storage, balance=100)
    await run(batch, submit(FreezeAccount(account_id=CUSTOMER_ACCOUNT), "freeze"))
    [refused] = await run(batch, submit(pay(usd(40)), "key"))
    assert isinstance(refused.outcome, AccountFrozen)
    await run(batch, submit(UnfreezeAccount(account_id=CUSTOMER_ACCOUNT), "unfreeze"))
    [accepted] = await run(batch, submit(pay(usd(40)), "key"))
    assert isinstance(accepted.outcome, PaymentResult)
    assert await balances(storage) == (60, 40)


async def test_a_bug_in_deciding_fails_alone(storage: Storage) -> None:
    batch = a_batch(storage)
    await opened(storage)
    first, broken, last = await batch.run(submissions(pay(usd(10)), BrokenDecide(), pay(usd(10))))
    assert isinstance(broken, Failed)
    assert isinstance(broken.error, BugError)
    assert isinstance(first, Answer)
    assert isinstance(last, Answer)
    assert await balances(storage) == (80, 20)


async def test_a_bug_in_needing_fails_alone(storage: Storage) -> None:
    batch = a_batch(storage)
    await opened(storage)
    first, broken, last = await batch.run(submissions(pay(usd(10)), BrokenNeeds(), pay(usd(10))))
    assert isinstance(broken, Failed), "a bug was taken for an answer, and stored"
    assert isinstance(broken.error, BugError)
    assert isinstance(first, Answer)
    assert isinstance(last, Answer)
    assert await balances(storage) == (80, 20)


async def test_a_bug_in_encoding_fails_alone_and_writes_nothing_of_its_command(storage: Storage) -> None:
    batch = a_batch(storage)
    await opened(storage)
    asked = submit(pay(usd(10)), "broken")
    unspeakable = replace(asked, codec=BrokenCodec())
    broken, fine = await batch.run([unspeakable, submit(pay(usd(1)), "fine")])
    assert isinstance(broken, Failed)
    assert isinstance(broken.error, BugError)
    assert isinstance(fine, Answer)
    assert await balances(storage) == (99, 1)
    [now_spoken] = await run(batch, asked)
    assert not now_spoken.replayed


async def test_a_batch_that_did_not_commit_has_changed_nothing(storage: Storage) -> None:
    await opened(storage)
    watch = Watch(before_commit=_not_now)
    with pytest.raises(TryAgain):
        await a_batch(watched(storage, watch)).run([submit(pay(usd(10)), "key")])
    assert await balances(storage) == (100, 0)


def _not_now(_: object) -> None:
    raise TryAgain


@settings(max_examples=60)
@given(histories(), st.integers(2, 8))
async def test_grouping_never_changes_an_outcome(history: list[Step], batch_size: int) -> None:
    alone = await play(memory_storage(), history, batch_size=1, tick_seconds=0)
    together = await play(memory_storage(), history, batch_size=batch_size, tick_seconds=0)
    assert together == alone
    check_the_books(together)
