"""Tables of money: accounts, payments, transfers, refunds."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import CheckConstraint, Column, ColumnElement, Index, UniqueConstraint, and_

from gateway.adapters.sql.tables.base import integers, key, literal, table, text
from gateway.adapters.sql.types import INTEGER, MOMENT
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.transaction import TransactionType

accounts: Final = table(
    "accounts",
    key("id"),
    text("owner_id"),
    text("kind"),
    text("currency"),
    *integers("debits_pending", "debits_posted", "credits_pending", "credits_posted"),
    text("status"),
    *integers("version"),
    Column("created_at", MOMENT, nullable=False),
    *integers("fee_basis_points", "fee_fixed"),
    # The moment that the id of the newest transaction is of. Ids of the next transaction sort after it, whatever the
    # clock of the next server says: the history of an account is in the order of its versions.
    Column("latest_at", MOMENT),
    text("managed_by", nullable=True),
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

# The accounts of one currency, newest first, for operators.
Index("accounts_currency_id_idx", accounts.c.currency, accounts.c.id)

payments: Final = table(
    "payments",
    key("id"),
    text("status"),
    *integers("amount"),
    text("currency"),
    text("capture"),
    text("customer_id", nullable=True),
    text("merchant_id"),
    *integers("amount_captured", "amount_refunded", "fee_amount"),
    text("reference", nullable=True),
    text("description", nullable=True),
    text("metadata"),
    Column("expires_at", MOMENT),
    text("failure_code", nullable=True),
    *integers("version"),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    *integers("fee_refunded", "amount_refunded_with_fee", "captures", "refunds"),
    # The terms of a payment across currencies stand in its quote: one at once in one currency is no wider for them.
    text("quote_id", nullable=True),
    text("reference_held_by", nullable=True),
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

# The same lists of one status. Most payments are `captured` at once: they are not in these indexes, and cost nothing.
IS_NOT_CAPTURED: Final = payments.c.status != literal(PaymentStatus.CAPTURED)

for _party in (payments.c.customer_id, payments.c.merchant_id):
    Index(
        f"payments_{_party.name}_status_id_idx",
        _party,
        payments.c.status,
        payments.c.id,
        postgresql_where=IS_NOT_CAPTURED,
        sqlite_where=IS_NOT_CAPTURED,
    )

# The payments that expire, by their time. Payments at once are not in it, and cost nothing.
_unfinished: Final = payments.c.status.in_(
    ["authorized", "partially_captured", "requires_confirmation", "requires_review"]
)

Index(
    "payments_unfinished_expires_at_id_idx",
    payments.c.expires_at,
    payments.c.id,
    postgresql_where=_unfinished,
    sqlite_where=_unfinished,
)

# Of the payments whose reference one user gave, each reference names one. A payment that released its reference has no
# holder: nulls differ from each other in a unique index, and lists still find it. Payments without a reference are not
# in it.
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

transfers: Final = table(
    "transfers",
    # A transaction has no table of its own: nearly all have one transfer, and a row with both saves the other row.
    key("transaction_id"),
    Column("position", INTEGER, primary_key=True),
    text("type"),
    text("payment_id", nullable=True),
    text("customer_id", nullable=True),
    text("merchant_id", nullable=True),
    text("description", nullable=True),
    text("reverses", nullable=True),
    Column("created_at", MOMENT, nullable=False),
    text("kind"),
    *integers("amount"),
    text("currency"),
    text("debit_account_id"),
    *integers("debit_posted_after", "debit_held_after", "debit_version"),
    text("credit_account_id"),
    *integers("credit_posted_after", "credit_held_after", "credit_version"),
    CheckConstraint("position >= 0", name="transfers_position_check"),
    CheckConstraint("amount >= 1", name="transfers_amount_check"),
    CheckConstraint("debit_account_id <> credit_account_id", name="transfers_accounts_check"),
)


def _first_transfers(name: str, *columns: str, unique: bool = False, where: Iterable[ColumnElement[bool]] = ()) -> None:
    """An index of transactions, by their first transfer. Transactions without a value in the column cost nothing."""
    there = and_(transfers.c[columns[0]].is_not(None), transfers.c.position == 0, *where)
    Index(name, *(transfers.c[column] for column in columns), unique=unique, postgresql_where=there, sqlite_where=there)


# The lists that customers and merchants ask for, newest first.
_first_transfers("transfers_customer_id_transaction_id_idx", "customer_id", "transaction_id")

_first_transfers("transfers_merchant_id_transaction_id_idx", "merchant_id", "transaction_id")

# The same lists of one type, unless it is one of those that most transactions have.
RARE_TYPES: Final = frozenset(TransactionType) - {
    TransactionType.PAYMENT,
    TransactionType.HOLD,
    TransactionType.CAPTURE,
}
HAS_RARE_TYPE: Final = transfers.c.type.in_([literal(each) for each in sorted(RARE_TYPES)])

_first_transfers(
    "transfers_customer_id_type_transaction_id_idx", "customer_id", "type", "transaction_id", where=[HAS_RARE_TYPE]
)

_first_transfers(
    "transfers_merchant_id_type_transaction_id_idx", "merchant_id", "type", "transaction_id", where=[HAS_RARE_TYPE]
)

# The few transactions of one payment. Both ids are time-ordered, so it grows at its end, which is cheap.
_first_transfers("transfers_payment_id_transaction_id_idx", "payment_id", "transaction_id")

# A transaction is reversed once.
_first_transfers("transfers_reverses_key", "reverses", unique=True)

# How far ids are ahead of `created_at`, at most: what was created until a moment is looked for among ids so much later.
# Nearly always it is empty. Ids are ahead where the clocks of servers differ, and were after a clock had been set back.
ids_ahead: Final = table("ids_ahead", key("id"), *integers("seconds"))

refunds: Final = table(
    "refunds",
    key("id"),
    text("payment_id"),
    text("transaction_id"),
    *integers("amount"),
    text("currency"),
    *integers("fee_refunded"),
    text("reason", nullable=True),
    Column("created_at", MOMENT, nullable=False),
    CheckConstraint("amount >= 1 AND fee_refunded >= 0 AND fee_refunded <= amount", name="refunds_amounts_check"),
)

# The refunds of one payment, newest first.
Index("refunds_payment_id_id_idx", refunds.c.payment_id, refunds.c.id)
