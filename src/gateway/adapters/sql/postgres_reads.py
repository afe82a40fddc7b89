"""The statements that read for a unit of work on Postgres: few, set-shaped, and the same for every size of batch.

Sets travel as one array for each column, and `unnest` makes rows of them.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Executable,
    Select,
    TableValuedAlias,
    any_,
    bindparam,
    column,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
)

from gateway.adapters.sql.subqueries import DATA_OF_EVENT, REVERSED_BY
from gateway.adapters.sql.tables.access import users
from gateway.adapters.sql.tables.customers import customers
from gateway.adapters.sql.tables.events import answers
from gateway.adapters.sql.tables.exchange import quotes
from gateway.adapters.sql.tables.ledger import accounts, payments, transfers
from gateway.adapters.sql.tables.risk import payment_counters
from gateway.adapters.sql.tables.webhooks import webhook_endpoints
from gateway.adapters.sql.types import INTEGER, TEXT

Columns = Sequence[Column[Any]]


def given(prefix: str, of: Columns) -> TableValuedAlias:
    """Rows of these columns, from one array parameter for each, named `prefix_column`."""
    arrays = [bindparam(f"{prefix}_{each.name}", type_=ARRAY(each.type)) for each in of]
    names = [column(each.name, each.type) for each in of]
    return func.unnest(*arrays).table_valued(*names).render_derived(name="given")


def arrays(prefix: str, of: Columns, rows: Collection[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The parameters of `given`."""
    values = zip(*rows, strict=True) if rows else ((),) * len(of)
    return {f"{prefix}_{each.name}": array for each, array in zip(of, values, strict=True)}


def _named(of: Columns, columns: Sequence[ColumnElement[Any]], prefix: str = "wanted") -> Select[*tuple[Any, ...]]:
    """These columns of the rows that the keys `wanted` name, key by key.

    `LIMIT 1` keeps the planner from turning the look-ups into a join: with statistics of an empty table, it would read
    the whole index instead, and go on doing so while the table grows.
    """
    wanted = given(prefix, of)
    row = (
        select(*columns).where(*(each == wanted.c[each.name] for each in of)).limit(literal_column("1")).lateral("row")
    )
    return select(*row.c).select_from(wanted.join(row, true()))


ONE: Final = literal_column("1", INTEGER)
ACCOUNT_KEY: Final = (accounts.c.owner_id, accounts.c.currency, accounts.c.kind)
ANSWER_KEY: Final = (answers.c.owner_id, answers.c.key)
REFERENCE: Final = (payments.c.merchant_id, payments.c.reference, payments.c.reference_held_by)
EMAIL: Final = (users.c.email,)
USER_ID: Final = (users.c.id,)
ACCOUNT_HOLDER: Final = (accounts.c.owner_id, accounts.c.kind)
EXTERNAL_ID: Final = (customers.c.merchant_id, customers.c.external_id)
IDS: Final = bindparam("ids", type_=ARRAY(accounts.c.id.type))
OWNER_IDS: Final = bindparam("owner_ids", type_=ARRAY(TEXT))

LOCK_USERS: Final = select(users).where(users.c.id == any_(IDS)).order_by(users.c.id).with_for_update()

FIND_ACCOUNTS_OF: Final = select(accounts.c.id).where(accounts.c.owner_id == any_(OWNER_IDS))

LOCK_PAYMENTS: Final = select(payments).where(payments.c.id == any_(IDS)).order_by(payments.c.id).with_for_update()

LOCK_QUOTES: Final = select(quotes).where(quotes.c.id == any_(IDS)).order_by(quotes.c.id).with_for_update()

LOCK_PAYMENT_COUNTERS: Final = (
    select(payment_counters).where(payment_counters.c.id == any_(IDS)).order_by(payment_counters.c.id).with_for_update()
)

FOUND_ANSWERS: Final = exists(_named(ANSWER_KEY, (answers.c.key,), "answered").subquery("found")).label("found_answers")
"""Whether any of the wanted keys was answered. Read with the accounts, it saves nearly every batch a round trip. What
another transaction answers meanwhile is found when this one claims the key."""

# Keys become ids first, and then one list of ids is locked: nothing of how keys are found can disturb the order.
_keyed_ids: Final = func.array(_named(ACCOUNT_KEY, (accounts.c.id,)).scalar_subquery(), type_=ARRAY(accounts.c.id.type))
LOCK_ACCOUNTS: Final = (
    select(accounts, FOUND_ANSWERS)
    .where(accounts.c.id == any_(_keyed_ids.concat(IDS)))
    .order_by(accounts.c.id)
    .with_for_update(of=accounts)
)


def _read_accounts(*, by_id: bool) -> Executable:
    by_key = _named(ACCOUNT_KEY, [*accounts.c])
    found = by_key.union(select(accounts).where(accounts.c.id == any_(IDS))) if by_id else by_key
    read = found.subquery("read")
    return select(*read.c, FOUND_ANSWERS)


READ_ACCOUNTS_BY_KEY: Final = _read_accounts(by_id=False)
READ_ACCOUNTS: Final = _read_accounts(by_id=True)

FIND_TRANSACTIONS: Final = (
    select(transfers, REVERSED_BY)
    .where(transfers.c.transaction_id == any_(IDS))
    .order_by(transfers.c.transaction_id, transfers.c.position)
)
FIND_ANSWERS: Final = _named(ANSWER_KEY, (*answers.c, DATA_OF_EVENT))
CLAIM_KEYS: Final = text(
    """
    INSERT INTO answers (owner_id, key, fingerprint, body, created_at)
    SELECT owner_id, key, '', '', now() FROM unnest(:claimed_owner_id, :claimed_key) AS given(owner_id, key)
    ON CONFLICT DO NOTHING
    """
).bindparams(*(bindparam(f"claimed_{each.name}", type_=ARRAY(each.type)) for each in ANSWER_KEY))
"""Waits for other transactions that have written answers under these keys, and is taken back."""
LOCK_WEBHOOK_ENDPOINTS: Final = (
    select(webhook_endpoints)
    .where(or_(webhook_endpoints.c.id == any_(IDS), webhook_endpoints.c.owner_id == any_(OWNER_IDS)))
    .order_by(webhook_endpoints.c.id)
    .with_for_update()
)
LOCK_WEBHOOK_OWNERS: Final = text(
    """
    SELECT pg_advisory_xact_lock(CAST(CAST('webhook_endpoints' AS regclass) AS oid)::int, owner)
    FROM (SELECT DISTINCT hashtext(id) AS owner FROM unnest(:owner_ids) AS given(id) ORDER BY owner) AS owners
    """
).bindparams(bindparam("owner_ids", type_=ARRAY(TEXT)))
"""Nobody else creates a webhook endpoint for these owners until the transaction has ended: row locks do not prevent it,
and two transactions at the same time could create more endpoints than an owner may have."""

FIND_REFERENCES: Final = _named(REFERENCE, REFERENCE)
FIND_EMAILS: Final = _named(EMAIL, EMAIL)
FIND_USER_IDS: Final = _named(USER_ID, USER_ID)
FIND_ACCOUNT_HOLDERS: Final = _named(ACCOUNT_HOLDER, (*ACCOUNT_HOLDER, accounts.c.managed_by))
FIND_EXTERNAL_IDS: Final = _named(EXTERNAL_ID, EXTERNAL_ID)
LOCK_CUSTOMERS: Final = select(customers).where(customers.c.id == any_(IDS)).order_by(customers.c.id).with_for_update()
