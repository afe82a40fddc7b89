"""Migration 0006: nobody loses their address, and what was made by clocks that were wrong is found."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, insert

from gateway.adapters.sql import migrate, open_sql_storage
from gateway.adapters.sql.rows.payments import payment_values
from gateway.adapters.sql.rows.transactions import transfer_values
from gateway.adapters.sql.tables import metadata
from gateway.adapters.sql.tables.access import users
from gateway.adapters.sql.tables.ledger import payments, transfers
from gateway.adapters.system.identifiers import TimeOrderedIds
from gateway.application.ports.reader import PaymentFilter, TransactionFilter
from gateway.application.ports.unit_of_work import Wanted
from gateway.contracts.records import a_payment, a_transaction, account_id, an_account, by_email, load
from gateway.domain.payment import PaymentId
from gateway.domain.transaction import TransactionId
from support.migrations import on_connection, to_revision

NOW = datetime(2026, 11, 26, 12, 30, 15, 123_456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
JOSE = "jos\u00e9@example.com"
BEFORE_0006 = "0004"


def before_0007(values: Sequence[object]) -> dict[str, object]:
    """The values of a payment by the columns that there were."""
    return dict(zip([column.name for column in payments.columns][:-1], values, strict=False))


@pytest.fixture
async def old_url(empty_url: str) -> str:
    """A database of the version before."""
    await on_connection(empty_url, to_revision(BEFORE_0006))
    return empty_url


async def write_users(url: str, emails: Mapping[str, str]) -> None:
    """Users by their ids, one registered after the other."""

    def work(connection: Connection) -> None:
        for number, (user_id, email) in enumerate(emails.items()):
            connection.execute(
                insert(users).values(
                    id=user_id,
                    email=email,
                    role="customer",
                    created_at=NOW + number * SECOND,
                    password_hash="$argon2id$",
                )
            )

    await on_connection(url, work)


async def test_the_oldest_user_of_an_address_gets_its_canonical_spelling(
    old_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = {
        "usr_9": "jose\u0301@example.com",
        "usr_1": "j\u200bose@example.com",
        "usr_2": "ada@example.com",
        "usr_3": "ada@xn--bcher-kva.example",
        "usr_4": "ada@bu\u0308cher.example",
        "usr_5": "x@y.com,",
    }
    await write_users(old_url, before)
    with caplog.at_level(logging.WARNING):
        await migrate(old_url)
    after = {**before, "usr_9": JOSE, "usr_3": "ada@b\u00fccher.example"}
    async with open_sql_storage(old_url) as storage:
        found = {user_id: await by_email(storage, email) for user_id, email in after.items()}
    assert {user_id: each and each.user.id for user_id, each in found.items()} == {each: each for each in after}
    # Who keeps another spelling is told by id. Logs hold no addresses.
    [told] = [record.getMessage() for record in caplog.records if "0006" in record.name]
    assert told.startswith("3 users ")
    assert told.endswith("usr_1, usr_4, usr_5")
    assert "@" not in told.replace("e-mail", "")


async def test_who_has_the_canonical_spelling_keeps_it_though_another_is_older(old_url: str) -> None:
    before = {"usr_1": "jose\u0301@example.com", "usr_2": JOSE}
    await write_users(old_url, before)
    await migrate(old_url)
    async with open_sql_storage(old_url) as storage:
        for user_id, email in before.items():
            found = await by_email(storage, email)
            assert found is not None
            assert found.user.id == user_id


async def test_addresses_that_are_canonical_are_left_alone(old_url: str, caplog: pytest.LogCaptureFixture) -> None:
    await write_users(old_url, {"usr_1": "ada@example.com", "usr_2": JOSE})
    with caplog.at_level(logging.WARNING):
        await migrate(old_url)
    assert not [record for record in caplog.records if "0006" in record.name]


@pytest.mark.parametrize("ahead", [timedelta(), 3 * SECOND, timedelta(minutes=10), timedelta(days=365)], ids=str)
async def test_what_has_an_id_of_a_later_time_is_found_by_the_time_that_it_shows(
    old_url: str, ahead: timedelta
) -> None:
    new_id = TimeOrderedIds().of(NOW + ahead)
    payment = a_payment(1, id=PaymentId(new_id("pay")), created_at=NOW, updated_at=NOW)
    transaction = a_transaction(1, id=TransactionId(new_id("txn")), created_at=NOW)

    def work(connection: Connection) -> None:
        connection.execute(insert(payments).values(before_0007(payment_values(payment))))
        connection.execute(insert(transfers).values(transfer_values(transaction)))

    await on_connection(old_url, work)
    await migrate(old_url)
    async with open_sql_storage(old_url) as storage:
        for after, before in ((NOW, NOW + SECOND), (NOW - SECOND, NOW + timedelta.resolution)):
            assert list(
                await storage.reader.payments(
                    PaymentFilter(created_after=after, created_before=before), before=None, limit=2
                )
            ) == [payment]
            assert list(
                await storage.reader.transactions(
                    TransactionFilter(created_after=after, created_before=before), before=None, limit=2
                )
            ) == [transaction]
        for after, before in ((NOW - SECOND, NOW), (NOW + SECOND, NOW + 2 * SECOND)):
            assert not await storage.reader.payments(
                PaymentFilter(created_after=after, created_before=before), before=None, limit=2
            )


async def test_accounts_stay_as_they_are_and_their_next_transactions_come_after_all_others(old_url: str) -> None:
    transaction = a_transaction(1, id=TransactionId(TimeOrderedIds().of(NOW + SECOND)("txn")), created_at=NOW)
    account = an_account(1, debits_posted=1, credits_posted=2, version=3, created_at=NOW)

    def work(connection: Connection) -> None:
        connection.execute(insert(transfers).values(transfer_values(transaction)))
        later = {"latest_at", "managed_by"}
        before = [column for column in metadata.tables["accounts"].c if column.name not in later]
        values = (
            *(account.id, account.owner_id, account.kind.value, account.currency),
            *(account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted),
            *(account.status.value, account.version, account.created_at, *account.fees),
        )
        connection.execute(insert(metadata.tables["accounts"]).values(dict(zip(before, values, strict=True))))

    await on_connection(old_url, work)
    await migrate(old_url)
    async with open_sql_storage(old_url) as storage:
        found = await load(storage, Wanted(account_ids=[account_id(1)]))
    assert found.accounts == (account,)
    assert found.latest_at is not None
    assert TimeOrderedIds().of(found.latest_at + timedelta.resolution)("txn") > transaction.id
