"""What a unit of work on Postgres promises beyond the port: one transaction, few round trips, safe in every fault."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncpg import CheckViolationError  # type: ignore[import-untyped]  # asyncpg ships no types.
from sqlalchemy import text

from gateway.adapters.sql import SqlLimits, migrate, open_sql_storage
from gateway.adapters.sql.asyncpg_transaction import AsyncpgTransaction
from gateway.adapters.sql.engine import audit_engine, postgres_engine
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.write_pool import open_write_pool
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.commands.deposit import MakeDeposit
from gateway.application.commands.freeze_account import FreezeAccount, UnfreezeAccount
from gateway.application.commands.pay import Pay
from gateway.application.commands.register import Register
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.engine import outcome_codec
from gateway.application.engine.batch import Batch
from gateway.application.engine.command import Command
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.engine.submission import Answer, CommandSubmission
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.busy import RecordBusy
from gateway.application.ports.reader import AccountFilter
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import (
    Changes,
    Conflict,
    KeyBusy,
    KeyTaken,
    StorageRefused,
    StorageUnavailable,
    TryAgain,
    Wanted,
)
from gateway.application.verification.verify import verify
from gateway.contracts.records import a_user, account_id, an_account, an_answer, commit, load, user_id
from gateway.domain.account import Account
from gateway.domain.errors import AccountFrozen, IdempotencyKeyReused, InsufficientFunds
from gateway.domain.money import Money, currency_code
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.user import SYSTEM, Role, UserId
from support.postgres import LocalPostgres
from support.slow_commits import in_commit, slow_commits
from support.statements import counting

USD = currency_code("USD")
IMPATIENT = SqlLimits(write_pool_size=3, lock_timeout_seconds=0.8)
LOCKING = replace(IMPATIENT, optimistic=False)
INDEXES = [("accounts", 3), ("answers", 1), ("events", 1), ("payments", 8), ("transfers", 7)]
COUNTERS = text(
    """SELECT sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_hot_upd), sum(n_tup_del) FROM pg_stat_user_tables"""
)
OTHERS = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
WRITTEN_BY = text(
    """
    SELECT count(DISTINCT xmin::text), count(*) FROM (
        SELECT xmin FROM users UNION ALL SELECT xmin FROM accounts UNION ALL SELECT xmin FROM payments
        UNION ALL SELECT xmin FROM transfers UNION ALL SELECT xmin FROM events UNION ALL SELECT xmin FROM answers
    ) AS written
    """
)


@pytest.fixture
async def storage(postgres_url: str) -> AsyncIterator[Storage]:
    async with open_sql_storage(postgres_url, IMPATIENT) as opened:
        yield opened


@pytest.fixture
async def locking(postgres_url: str) -> AsyncIterator[Storage]:
    """The same, where every unit of work locks what it loads."""
    async with open_sql_storage(postgres_url, LOCKING) as opened:
        yield opened


@pytest.fixture
async def somebody_else(postgres_url: str) -> AsyncIterator[DatabaseTransaction]:
    """A transaction of another program."""
    engine = audit_engine(postgres_url, SqlLimits())
    async with DatabaseTransaction(engine) as transaction:
        yield transaction
    await engine.dispose()


async def test_a_batch_is_one_transaction_whatever_is_in_it(
    storage: Storage, somebody_else: DatabaseTransaction
) -> None:
    customers = [register(Role.CUSTOMER) for _ in range(3)]
    await run(storage, [*customers, register(Role.MERCHANT)])
    [[transactions, rows]] = await somebody_else.rows(WRITTEN_BY)
    assert transactions == 1
    assert rows == 4 + 7 + 7 + 4  # users; their accounts and the gateway's three; an event for each; answers


@pytest.mark.parametrize("size", [1, 16, 64])
async def test_a_batch_of_payments_costs_the_same_round_trips_whatever_its_size(storage: Storage, size: int) -> None:
    customer, merchant = await funded(storage)
    with counting() as counted:
        await run(storage, [pay(customer, merchant) for _ in range(size)])
    assert counted == {"statements": 2, "BEGIN": 0, "COMMIT": 0}  # what is read; everything that is written


@pytest.mark.parametrize("size", [1, 16, 64])
async def test_so_does_one_that_locks(locking: Storage, size: int) -> None:
    customer, merchant = await funded(locking)
    with counting() as counted:
        await run(locking, [pay(customer, merchant) for _ in range(size)])
    assert counted == {"statements": 2, "BEGIN": 1, "COMMIT": 1}


async def test_a_wanted_reference_costs_one_round_trip_more(storage: Storage) -> None:
    customer, merchant = await funded(storage)
    with counting() as counted:
        await run(storage, [pay(customer, merchant, reference=f"order-{n}") for n in range(16)])
    assert counted == {"statements": 3, "BEGIN": 0, "COMMIT": 0}


async def test_a_payment_writes_four_rows_and_updates_two(
    postgres_url: str, somebody_else: DatabaseTransaction
) -> None:
    async with open_sql_storage(postgres_url) as storage:
        pairs = [await funded(storage) for _ in range(16)]
    before = await counters(somebody_else)
    async with open_sql_storage(postgres_url) as storage:
        await run(storage, [pay(*pair) for pair in pairs])
    after = await counters(somebody_else)
    change = {name: (after[name] - before[name]) / len(pairs) for name in after}
    # Most accounts are updated within their page, and no index with them (HOT); a page that is just full has no room.
    assert change.pop("updated without an index") > 1
    # Inserted: the payment, its transfer, its event, its answer; one row for all events. Updated: both accounts.
    assert change == {"inserted": 4 + 1 / len(pairs), "updated": 2, "deleted": 0}


async def test_the_tables_of_a_payment_have_no_index_more_than_they_need(somebody_else: DatabaseTransaction) -> None:
    found = await somebody_else.rows(
        text(
            """SELECT tablename, count(*) FROM pg_indexes
            WHERE tablename IN ('payments', 'transfers', 'events', 'answers', 'accounts') GROUP BY 1 ORDER BY 1"""
        )
    )
    # Those of payments and transfers are partial where nearly no row is in them (decision 32). One more makes each
    # payment dearer.
    assert [tuple(row) for row in found] == INDEXES


async def test_accounts_that_were_committed_here_lately_are_not_read_again(storage: Storage) -> None:
    pair = await funded(storage)
    await run(storage, [pay(*pair)])
    with counting() as counted:
        await run(storage, [pay(*pair) for _ in range(16)])
    assert counted == {"statements": 1, "BEGIN": 0, "COMMIT": 0}


async def test_what_is_remembered_is_no_reason_to_refuse(storage: Storage, locking: Storage) -> None:
    customer, merchant = await funded(storage)
    await run(storage, [pay(customer, merchant, amount_minor=999_999)])
    account = await account_of(storage, customer)
    deposit = MakeDeposit(account_id=account.id, amount=Money(100, USD), owner_id=None)
    await run(locking, [deposit])  # By another process, as far as the storage can tell.
    [paid] = await run(storage, [pay(customer, merchant, amount_minor=101)])
    assert isinstance(paid, PaymentResult)


async def test_what_is_remembered_is_no_reason_to_pay(storage: Storage, locking: Storage) -> None:
    customer, merchant = await funded(storage)
    await run(storage, [pay(customer, merchant)])
    await run(locking, [pay(customer, merchant, amount_minor=999_999)])
    [refused] = await run(storage, [pay(customer, merchant)])
    assert isinstance(refused, InsufficientFunds)
    async with storage.audit() as audit:
        assert (await verify(audit)).named == []


async def test_what_is_remembered_of_a_freeze_is_checked_before_anybody_is_told(
    storage: Storage, locking: Storage
) -> None:
    customer, merchant = await funded(storage)
    account = await account_of(storage, customer)
    await run(storage, [pay(customer, merchant), FreezeAccount(account_id=account.id)])
    await run(locking, [UnfreezeAccount(account_id=account.id)])
    [paid] = await run(storage, [pay(customer, merchant)])
    assert isinstance(paid, PaymentResult)
    await run(locking, [FreezeAccount(account_id=account.id)])
    [refused] = await run(storage, [pay(customer, merchant)])
    assert isinstance(refused, AccountFrozen)


async def test_a_repetition_is_answered_without_trying_to_pay(storage: Storage) -> None:
    pair = await funded(storage)
    asked = submission(pay(*pair))
    await batch_on(storage).run([asked])
    with counting() as counted:
        [again] = await batch_on(storage).run([asked])
    assert isinstance(again, Answer)
    assert again.replayed
    assert counted == {"statements": 2, "BEGIN": 0, "COMMIT": 0}  # what is read, the answer


async def test_a_key_that_was_answered_elsewhere_is_no_reason_to_lock(storage: Storage, locking: Storage) -> None:
    pair, others = await funded(storage), await funded(storage)
    await run(storage, [pay(*pair)])
    elsewhere = submission(pay(*others))
    await batch_on(locking).run([elsewhere])
    with counting() as counted:
        [reused] = await retrying(batch_on(storage).run, RetryLimits())(
            [replace(elsewhere, command=pay(*pair), fingerprint=b"another")]
        )
    assert isinstance(reused, Answer)
    assert isinstance(reused.outcome, IdempotencyKeyReused)
    assert counted == {"statements": 3, "BEGIN": 0, "COMMIT": 0}  # what cannot be written; what is read, the answer


async def test_little_is_remembered_at_a_time(postgres_url: str) -> None:
    async with open_sql_storage(postgres_url, SqlLimits(cached_max=4)) as storage:
        pairs = [await funded(storage) for _ in range(3)]
        for pair in pairs:
            await run(storage, [pay(*pair)])
        with counting() as counted:
            await run(storage, [pay(*pairs[-1])])
            await run(storage, [pay(*pairs[0])])
    assert counted == {"statements": 1 + 2, "BEGIN": 0, "COMMIT": 0}


async def test_whoever_was_overtaken_locks_the_next_time(storage: Storage) -> None:
    customer, merchant = await funded(storage)
    account = await account_of(storage, customer)
    async with storage.unit_of_work() as slow:
        await slow.load(Wanted(account_ids=[account.id]))
        await run(storage, [pay(customer, merchant)])
        with pytest.raises(Conflict):
            await slow.commit(Changes(accounts_changed=[account.changed(credits_posted=1)]))
    assert (await account_of(storage, customer)).credits_posted == account.credits_posted
    with counting() as counted:
        await run(storage, [pay(customer, merchant)])
    assert counted == {"statements": 2, "BEGIN": 1, "COMMIT": 1}


async def test_what_was_answered_before_is_found_in_the_statement_that_reads(storage: Storage) -> None:
    customer, merchant = await funded(storage)
    asked = [submission(pay(customer, merchant)) for _ in range(2)]
    await batch_on(storage).run(asked[:1])
    with counting() as counted:
        answers = await batch_on(storage).run(asked)
    assert [answer.replayed for answer in answers if isinstance(answer, Answer)] == [True, False]
    assert counted == {"statements": 3, "BEGIN": 0, "COMMIT": 0}  # what is read, the answer; what is written


async def test_many_batches_at_once_keep_the_ledger_right(storage: Storage) -> None:
    pairs = [await funded(storage) for _ in range(2)]
    # Each batch locks both merchants and both customers, and they come in every order.
    orders = [[pay(*pairs[(n + k) % 2], reference=f"{n}-{k}") for k in range(8)] for n in range(12)]
    for start in range(0, len(orders), 3):
        await asyncio.gather(*(run(storage, order) for order in orders[start : start + 3]))
    async with storage.audit() as audit:
        findings = await verify(audit)
    assert findings.ok, findings.named
    assert findings.read["payments"] == 12 * 8


async def test_connections_are_set_so_that_nothing_waits_for_ever(postgres_url: str) -> None:
    limits = SqlLimits(lock_timeout_seconds=1.5, statement_timeout_seconds=2.5, idle_timeout_seconds=3.5)
    settings = text(
        """SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),
        current_setting('idle_in_transaction_session_timeout'), current_setting('application_name'),
        current_setting('timezone'), current_setting('synchronous_commit'),
        current_setting('transaction_isolation'), current_setting('jit')"""
    )
    engine = postgres_engine(postgres_url, limits)
    async with open_write_pool(postgres_url, limits) as pool:
        rest = ("2500ms", "3500ms", "gateway", "UTC", "on", "read committed", "off")
        async with DatabaseTransaction(engine) as transaction:
            [row] = await transaction.rows(settings)
        assert tuple(row) == ("1500ms", *rest)
        # Others wait with a unit of work, unless it says for how long it waits.
        async with AsyncpgTransaction(pool, acquire_seconds_max=1) as work:
            [row] = await work.rows(settings)
            assert tuple(row) == ("187ms", *rest)
            await work.begin(lock_seconds_max=0.75)
            [row] = await work.rows(settings)
            assert tuple(row) == ("750ms", *rest)
            await work.commit()
            [row] = await work.rows(settings)
            assert tuple(row) == ("187ms", *rest)
    await engine.dispose()


async def test_a_key_that_another_transaction_has_committed_is_taken(storage: Storage) -> None:
    async with storage.unit_of_work() as slow:
        await slow.load(Wanted(answers=[an_answer().key]))
        await commit(storage, Changes(accounts_new=[an_account(2)], answers_new=[an_answer()]))
        with pytest.raises(KeyTaken):
            await slow.commit(Changes(accounts_new=[an_account(1)], answers_new=[an_answer(body=b"mine")]))
    assert await storage.reader.account(account_id(1)) is None
    assert (await load(storage, Wanted(answers=[an_answer().key]))).answers == (an_answer(),)


async def test_a_key_that_another_transaction_holds_too_long_is_busy(
    storage: Storage, somebody_else: DatabaseTransaction
) -> None:
    await somebody_else.change(
        text("INSERT INTO answers VALUES (:owner, :key, '', '', now())"),
        {"owner": an_answer().key.owner_id, "key": an_answer().key.key},
    )
    with pytest.raises(KeyBusy):
        await commit(storage, Changes(answers_new=[an_answer()]))


@pytest.mark.parametrize(
    ("held", "changes"),
    [
        (
            "INSERT INTO users VALUES (:owner || '2', 'user1@example.com', 'customer', NULL, now(), 'hash')",
            Changes(users_new=[a_user(1)]),
        ),
        (
            "INSERT INTO accounts VALUES ('acc_other', :owner, 'customer', 'USD', 0, 0, 0, 0, 'open', 1, now(), 0, 0)",
            Changes(accounts_new=[an_account(1)]),
        ),
    ],
)
async def test_another_key_that_is_held_too_long_is_no_busy_idempotency_key(
    storage: Storage, somebody_else: DatabaseTransaction, held: str, changes: Changes
) -> None:
    await somebody_else.change(text(held), {"owner": user_id(1)})
    with pytest.raises(RecordBusy):
        await commit(storage, changes)


async def test_a_lock_that_is_held_too_long_is_tried_again(storage: Storage, locking: Storage) -> None:
    await commit(locking, Changes(accounts_new=[an_account(1)]))
    changes, wanted = Changes(accounts_changed=[an_account(1).frozen()]), Wanted(account_ids=[account_id(1)])
    async with locking.unit_of_work() as holder:
        await holder.load(wanted)
        with pytest.raises(RecordBusy):
            await load(locking, wanted)
        with pytest.raises(RecordBusy):
            await commit(storage, changes, wanted)
    await commit(storage, changes, wanted)


async def test_when_every_connection_is_busy_the_storage_is_unavailable_at_once(storage: Storage) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(IMPATIENT.write_pool_size):
            await stack.enter_async_context(storage.unit_of_work())
        with pytest.raises(StorageUnavailable):
            await load(storage, Wanted())
        # Look-ups have connections of their own.
        await storage.reader.check()
    await load(storage, Wanted())


async def test_money_that_an_account_does_not_have_is_stopped_by_the_database(storage: Storage) -> None:
    await commit(storage, Changes(accounts_new=[an_account(1)]))
    overdrawn = an_account(1).changed(debits_posted=1)
    with pytest.raises(StorageRefused) as refused:
        await commit(storage, Changes(accounts_changed=[overdrawn]), Wanted(account_ids=[overdrawn.id]))
    assert isinstance(refused.value.__cause__, CheckViolationError)
    assert "accounts_available_check" in str(refused.value.__cause__)
    assert await storage.reader.account(account_id(1)) == an_account(1)


@pytest.mark.parametrize("version", [0, 1])
async def test_an_account_that_is_not_what_was_loaded_stops_everything(storage: Storage, version: int) -> None:
    await commit(storage, Changes(accounts_new=[an_account(1)]))
    stale = an_account(1, credits_posted=1, version=version)
    with pytest.raises(RuntimeError, match="no change of what was loaded"):
        await commit(storage, Changes(accounts_changed=[stale], answers_new=[an_answer()]))
    assert await storage.reader.account(account_id(1)) == an_account(1)
    assert (await load(storage, Wanted(answers=[an_answer().key]))).answers == ()


async def test_a_commit_whose_connection_is_cut_is_run_again(
    storage: Storage, somebody_else: DatabaseTransaction
) -> None:
    await slow_commits(somebody_else, seconds=30)
    committing = asyncio.create_task(commit(storage, Changes(answers_new=[an_answer()])))
    backend = await in_commit(somebody_else)
    await somebody_else.rows(text("SELECT pg_terminate_backend(:backend)"), {"backend": backend})
    with pytest.raises(TryAgain):
        await committing
    # The next one takes a connection that works.
    await load(storage, Wanted(answers=[an_answer().key]))


async def test_a_commit_that_gets_no_answer_is_run_again(postgres_url: str, somebody_else: DatabaseTransaction) -> None:
    await slow_commits(somebody_else, seconds=30)
    async with open_sql_storage(postgres_url, SqlLimits(command_timeout_seconds=1.0)) as storage:
        with pytest.raises(TryAgain):
            await commit(storage, Changes(answers_new=[an_answer()]))
        await load(storage, Wanted(answers=[an_answer().key]))


async def test_connections_that_died_while_nobody_used_them_do_not_fail_a_look_up(
    storage: Storage, somebody_else: DatabaseTransaction
) -> None:
    await asyncio.gather(*(storage.reader.check() for _ in range(4)))
    await somebody_else.rows(
        text(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
    )
    await asyncio.gather(*(storage.reader.check() for _ in range(4)))


async def is_served(storage: Storage) -> bool:
    try:
        await load(storage, Wanted(answers=[an_answer().key]))
    except (TryAgain, StorageUnavailable):
        return False
    return True


async def test_a_server_that_is_away_is_unavailable_and_one_that_is_back_serves(
    private_postgres: LocalPostgres,
) -> None:
    url = private_postgres.url("postgres")
    await migrate(url)
    async with open_sql_storage(url, IMPATIENT) as storage:
        await commit(storage, Changes(answers_new=[an_answer()]))
        private_postgres.kill()
        # The process behind a connection may outlive its server for a moment, and answer: one of the first times.
        assert False in [await is_served(storage) for _ in range(20)]
        for _ in range(3):
            assert not await is_served(storage)
        with pytest.raises(StorageUnavailable):
            await storage.reader.check()
        private_postgres.start()
        assert (await load(storage, Wanted(answers=[an_answer().key]))).answers == (an_answer(),)


def batch_on(storage: Storage) -> Batch:
    return Batch(unit_of_work=storage.unit_of_work, clock=lambda: datetime.now(UTC), identifiers=time_ordered_id)


def submission(command: Command[Any]) -> CommandSubmission:
    key = AnswerKey(SYSTEM, time_ordered_id("key"))
    return CommandSubmission(command=command, key=key, fingerprint=b"", codec=outcome_codec)


async def run(storage: Storage, commands: Sequence[Command[Any]]) -> list[Any]:
    """Run commands as one batch; what came of them."""
    run_batch = retrying(batch_on(storage).run, RetryLimits(attempts_max=20))
    answers = await run_batch([submission(command) for command in commands])
    assert all(isinstance(answer, Answer) for answer in answers), answers
    return [answer.outcome for answer in answers if isinstance(answer, Answer)]


def register(role: Role) -> Register:
    user_id = UserId(time_ordered_id("usr"))
    return Register(
        user_id=user_id, email=f"{user_id}@example.com", password_hash="hash", role=role, name=None, currency=USD
    )


async def funded(storage: Storage) -> tuple[UserId, UserId]:
    """A customer with money, and a merchant."""
    customer, merchant = await run(storage, [register(Role.CUSTOMER), register(Role.MERCHANT)])
    deposit = MakeDeposit(account_id=customer.accounts[0].id, amount=Money(1_000_000, USD), owner_id=None)
    await run(storage, [deposit])
    return customer.user.id, merchant.user.id


def pay(customer: UserId, merchant: UserId, *, reference: str | None = None, amount_minor: int = 1) -> Pay:
    order = PaymentOrder(
        customer_id=customer, merchant_id=merchant, amount=Money(amount_minor, USD), reference=reference, metadata={}
    )
    return Pay(order=order)


async def account_of(storage: Storage, owner_id: UserId) -> Account:
    """The one account that somebody has."""
    [account] = await storage.reader.accounts(AccountFilter(owner_id=owner_id), before=None, limit=1)
    return account


async def counters(somebody_else: DatabaseTransaction) -> dict[str, int]:
    """What was written to all tables, once every other session has ended: they tell what they did when they end."""
    async with asyncio.timeout(10):
        while (await somebody_else.rows(OTHERS))[0][0]:
            await somebody_else.commit()  # Within a transaction, the view stays as it was first seen.
            await asyncio.sleep(0.01)
    await somebody_else.commit()
    [counted] = await somebody_else.rows(COUNTERS)
    await somebody_else.commit()
    names = ("inserted", "updated", "updated without an index", "deleted")
    return dict(zip(names, map(int, counted), strict=True))
