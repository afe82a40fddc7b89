"""The tables. What may stand in them is checked by the database too, in case the code is wrong one day.

Every index makes each payment dearer, so each one says what it is for. There are no foreign keys between the tables
that payments are written to: the unit of work holds the rows it refers to locked, nothing is ever deleted, and each key
would cost a look-up and a row lock per row.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, MetaData, Sequence, Table, UniqueConstraint
from sqlalchemy.schema import SchemaItem

from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

metadata: Final = MetaData()


def _table(name: str, *parts: SchemaItem, **options: Any) -> Table:
    # Without STRICT, SQLite would store text in an integer column.
    return Table(name, metadata, *parts, sqlite_strict=True, **options)


def _key(name: str) -> Column[str]:
    return Column(name, TEXT, primary_key=True)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, TEXT, nullable=nullable)


def _integers(*names: str) -> Iterable[Column[int]]:
    return (Column(name, INTEGER, nullable=False) for name in names)


users: Final = _table(
    "users",
    _key("id"),
    _text("email"),
    _text("role"),
    _text("name", nullable=True),
    Column("created_at", MOMENT, nullable=False),
    _text("password_hash"),
    UniqueConstraint("email", name="users_email_key"),
)

accounts: Final = _table(
    "accounts",
    _key("id"),
    _text("owner_id"),
    _text("kind"),
    _text("currency"),
    *_integers("debits_pending", "debits_posted", "credits_pending", "credits_posted"),
    _text("status"),
    *_integers("version"),
    Column("created_at", MOMENT, nullable=False),
    *_integers("fee_basis_points", "fee_fixed"),
    # The moment that the id of the newest transaction is of. Those of the next one sort after it, whatever the clock of
    # the next server says: the history of an account is in the order of its versions.
    Column("latest_at", MOMENT),
    # Batches find accounts by it, owners list theirs by it, and it lets nobody open one twice.
    UniqueConstraint("owner_id", "currency", "kind", name="accounts_owner_id_currency_kind_key"),
    CheckConstraint(
        "debits_pending >= 0 AND debits_posted >= 0 AND credits_pending >= 0 AND credits_posted >= 0",
        name="accounts_counters_check",
    ),
    # As a comparison, not a subtraction of all three: that could pass 64 bits.
    CheckConstraint(
        "kind IN ('funding', 'exchange') OR credits_posted - debits_posted >= debits_pending",
        name="accounts_available_check",
    ),
    CheckConstraint("version >= 1", name="accounts_version_check"),
    CheckConstraint(
        "fee_basis_points >= 0 AND fee_basis_points <= 10000 AND fee_fixed >= 0", name="accounts_fees_check"
    ),
    # Free space in each page, and no index on what changes: Postgres then updates a balance within its page, without
    # touching an index (HOT).
    postgresql_with={"fillfactor": 70},
)

payments: Final = _table(
    "payments",
    _key("id"),
    _text("status"),
    *_integers("amount"),
    _text("currency"),
    _text("capture"),
    _text("customer_id", nullable=True),
    _text("merchant_id"),
    *_integers("amount_captured", "amount_refunded", "fee_amount"),
    _text("reference", nullable=True),
    _text("description", nullable=True),
    _text("metadata"),
    Column("expires_at", MOMENT),
    _text("failure_code", nullable=True),
    *_integers("version"),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    *_integers("fee_refunded", "amount_refunded_with_fee", "captures", "refunds"),
    # The terms of a payment across currencies stand in its quote: one at once in one currency is no wider for them.
    _text("quote_id", nullable=True),
    _text("reference_held_by", nullable=True),
    CheckConstraint(
        "amount >= 1 AND amount >= amount_captured AND amount_captured >= amount_refunded AND amount_refunded >= 0",
        name="payments_amounts_check",
    ),
    CheckConstraint("fee_amount >= 0 AND fee_amount <= amount", name="payments_fee_amount_check"),
    CheckConstraint("version >= 1", name="payments_version_check"),
    CheckConstraint(
        "fee_refunded >= 0 AND amount_refunded_with_fee >= 0 AND amount_refunded_with_fee <= amount_refunded",
        name="payments_refunds_check",
    ),
)
# The lists that customers and merchants ask for, newest first.
Index("payments_customer_id_id_idx", payments.c.customer_id, payments.c.id)
Index("payments_merchant_id_id_idx", payments.c.merchant_id, payments.c.id)
# Those whose time is nearly over. Payments at once are not in it, and cost nothing.
_unfinished: Final = payments.c.status.in_(["authorized", "partially_captured", "requires_confirmation"])
Index(
    "payments_expires_at_id_idx",
    payments.c.expires_at,
    payments.c.id,
    postgresql_where=_unfinished,
    sqlite_where=_unfinished,
)
# A reference names one payment of those that the same user named. A payment that gave it back has no holder: nulls
# differ from each other in a unique index, and lists still find it. Payments without a reference are not in it.
Index(
    "payments_reference_key",
    payments.c.merchant_id,
    payments.c.reference,
    payments.c.reference_held_by,
    unique=True,
    postgresql_where=payments.c.reference.is_not(None),
    sqlite_where=payments.c.reference.is_not(None),
)

# A quote is used once. Its row says so too, and is locked when it is used: this is for the day when the code is wrong.
Index(
    "payments_quote_id_key",
    payments.c.quote_id,
    unique=True,
    postgresql_where=payments.c.quote_id.is_not(None),
    sqlite_where=payments.c.quote_id.is_not(None),
)

transfers: Final = _table(
    "transfers",
    # A transaction has no table of its own: nearly all have one transfer, and a row with both saves the other row.
    _key("transaction_id"),
    Column("position", INTEGER, primary_key=True),
    _text("type"),
    _text("payment_id", nullable=True),
    _text("customer_id", nullable=True),
    _text("merchant_id", nullable=True),
    _text("description", nullable=True),
    _text("reverses", nullable=True),
    Column("created_at", MOMENT, nullable=False),
    _text("kind"),
    *_integers("amount"),
    _text("currency"),
    _text("debit_account_id"),
    *_integers("debit_posted_after", "debit_held_after", "debit_version"),
    _text("credit_account_id"),
    *_integers("credit_posted_after", "credit_held_after", "credit_version"),
    CheckConstraint("position >= 0", name="transfers_position_check"),
    CheckConstraint("amount >= 1", name="transfers_amount_check"),
    CheckConstraint("debit_account_id <> credit_account_id", name="transfers_accounts_check"),
)


def _first_transfers(name: str, *columns: str, unique: bool = False) -> None:
    """An index of transactions, by their first transfer; those which have none of the column cost nothing."""
    there = transfers.c[columns[0]].is_not(None) & (transfers.c.position == 0)
    Index(name, *(transfers.c[column] for column in columns), unique=unique, postgresql_where=there, sqlite_where=there)


# The lists that customers and merchants ask for, newest first.
_first_transfers("transfers_customer_id_transaction_id_idx", "customer_id", "transaction_id")
_first_transfers("transfers_merchant_id_transaction_id_idx", "merchant_id", "transaction_id")
# The few transactions of one payment. Both ids are time-ordered, so it grows at its end, which is cheap.
_first_transfers("transfers_payment_id_transaction_id_idx", "payment_id", "transaction_id")
# A transaction is reversed once.
_first_transfers("transfers_reverses_key", "reverses", unique=True)

# How far ids are ahead of `created_at`, at most: what was created until a moment is looked for among ids so much later.
# Nearly always it is empty. Ids are ahead where the clocks of servers differ, and were after a clock had been set back.
ids_ahead: Final = _table("ids_ahead", _key("id"), *_integers("seconds"))

refunds: Final = _table(
    "refunds",
    _key("id"),
    _text("payment_id"),
    _text("transaction_id"),
    *_integers("amount"),
    _text("currency"),
    *_integers("fee_refunded"),
    _text("reason", nullable=True),
    Column("created_at", MOMENT, nullable=False),
    CheckConstraint("amount >= 1 AND fee_refunded >= 0 AND fee_refunded <= amount", name="refunds_amounts_check"),
)
# The refunds of one payment, newest first.
Index("refunds_payment_id_id_idx", refunds.c.payment_id, refunds.c.id)

rates: Final = _table(
    "rates",
    _key("from_currency"),
    _key("to_currency"),
    # As text: it is an exact decimal, of which SQLite has none.
    _text("rate"),
    *_integers("spread_basis_points"),
    Column("updated_at", MOMENT, nullable=False),
    CheckConstraint("spread_basis_points >= 0 AND spread_basis_points <= 10000", name="rates_spread_check"),
    CheckConstraint("from_currency <> to_currency", name="rates_currencies_check"),
)

quotes: Final = _table(
    "quotes",
    _key("id"),
    _text("customer_id"),
    *_integers("source_amount"),
    _text("source_currency"),
    *_integers("target_amount"),
    _text("target_currency"),
    *_integers("spread"),
    _text("rate"),
    *_integers("spread_basis_points"),
    Column("expires_at", MOMENT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    _text("payment_id", nullable=True),
    *_integers("version"),
    CheckConstraint(
        "source_amount >= 1 AND target_amount >= 1 AND spread >= 0 AND spread <= source_amount",
        name="quotes_amounts_check",
    ),
    CheckConstraint("version >= 1", name="quotes_version_check"),
)

events: Final = _table(
    "events",
    _key("id"),
    _text("type"),
    _text("object_id"),
    *_integers("sequence"),
    _text("customer_id", nullable=True),
    _text("merchant_id", nullable=True),
    Column("created_at", MOMENT, nullable=False),
    _text("data"),
    # Which row of `event_batches` the event belongs to, and its place there, from 0.
    *_integers("batch_id", "batch_index"),
)

# The events of one transaction, and where they stand in the feed. Events have no index of their batch: those of a batch
# are found between two ids, which belong to nearly no other batch.
event_batches: Final = _table(
    "event_batches",
    Column("first_position", INTEGER, primary_key=True),
    *_integers("batch_id"),
    _text("first_event_id"),
    _text("last_event_id"),
    *_integers("size"),
    UniqueConstraint("batch_id", name="event_batches_batch_id_key"),
    CheckConstraint("first_position >= 1 AND size >= 1", name="event_batches_positions_check"),
)

# Batches that were committed and have no position yet (docs/decisions/0023). Rows do not stay, and are read without an
# index. Empty on SQLite, where transactions come one after the other and number their own batches.
event_batch_ids: Final = Sequence("event_batch_ids", metadata=metadata)
event_batches_unnumbered: Final = _table(
    "event_batches_unnumbered",
    *_integers("batch_id"),
    _text("first_event_id"),
    _text("last_event_id"),
    *_integers("size"),
    # Vacuumed after so many rows, however many there were once: reading the table takes as long as its dead rows.
    postgresql_with={"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 1000},
)

answers: Final = _table(
    "answers",
    _key("owner_id"),
    _key("key"),
    Column("fingerprint", BYTES, nullable=False),
    # The data of the event, if there is one, stands right behind it: most of an answer is in its event already.
    Column("body", BYTES, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    _text("event_id", nullable=True),
)

sessions: Final = _table(
    "sessions",
    _key("id"),
    _text("user_id"),
    Column("created_at", MOMENT, nullable=False),
    Column("revoked_at", MOMENT),
)
# To end all sessions of a user, and to list those that ended lately (which every process asks every few seconds).
Index("sessions_user_id_idx", sessions.c.user_id)
Index(
    "sessions_revoked_at_idx",
    sessions.c.revoked_at,
    postgresql_where=sessions.c.revoked_at.is_not(None),
    sqlite_where=sessions.c.revoked_at.is_not(None),
)

refresh_tokens: Final = _table(
    "refresh_tokens",
    Column("token_hash", BYTES, primary_key=True),
    Column("session_id", TEXT, ForeignKey("sessions.id", name="refresh_tokens_session_id_fkey"), nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("used_at", MOMENT),
    Column("successor_hash", BYTES),
    Column("sealed", BYTES),
)

login_failures: Final = _table(
    "login_failures",
    _key("scope"),
    *_integers("count"),
    Column("last_at", MOMENT, nullable=False),
)

KEYS_TAKEN: Final = {
    "users_pkey": "users.id",
    "users_email_key": "users.email",
    "accounts_owner_id_currency_kind_key": "accounts.owner_id, accounts.currency, accounts.kind",
    "payments_reference_key": "payments.merchant_id, payments.reference, payments.reference_held_by",
    "payments_quote_id_key": "payments.quote_id",
    "transfers_reverses_key": "transfers.reverses",
    "answers_pkey": "answers.owner_id, answers.key",
}
"""The unique keys that two batches may both want, by their names in Postgres, and as SQLite words them."""
