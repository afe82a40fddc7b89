"""One user per e-mail address; ids sort in the order of versions, and filters go by the time that is shown."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT
from gateway.application.emails import canonical_email
from gateway.domain.errors import InvalidInput

revision = "0006"
down_revision = "0004"

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = len("pay_") + 26
TIME_FROM = len("pay_") + 1
TIME_LENGTH = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

users = sa.table("users", sa.column("id", TEXT), sa.column("email", TEXT), sa.column("created_at", MOMENT))
log = logging.getLogger(__name__)


def upgrade() -> None:
    """Add what is new. Why it is so is said in `tables.py`, and in decisions 21 and 22."""
    _spell_addresses_canonically()
    ids_ahead = op.create_table(
        "ids_ahead",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("seconds", INTEGER, nullable=False),
        sqlite_strict=True,
    )
    latest_at = _newest_moment()
    if _on_sqlite():
        _make_accounts_anew_on_sqlite(latest_at)
    else:
        _add_to_accounts_on_postgres(latest_at)
    found = [*_furthest_ahead("payments", "id"), *_furthest_ahead("transfers", "transaction_id")]
    if found:
        op.bulk_insert(ids_ahead, found)


def _spell_addresses_canonically() -> None:
    """Who has the canonical spelling keeps it; if nobody has, the oldest of those with the same address gets it.

    The others keep the spelling that they have, and log in with exactly that: nobody is lost, and no two become one.
    """
    bind = op.get_bind()
    others: dict[str, list[str]] = defaultdict(list)
    kept: list[str] = []
    for user_id, email in bind.execute(sa.select(users.c.id, users.c.email).order_by(users.c.created_at, users.c.id)):
        canonical = _canonical(email)
        if canonical is None:
            kept.append(user_id)
        elif canonical != email:
            others[canonical].append(user_id)
    for canonical, user_ids in others.items():
        if bind.execute(sa.select(users.c.id).where(users.c.email == canonical)).first() is None:
            bind.execute(sa.update(users).where(users.c.id == user_ids.pop(0)).values(email=canonical))
        kept += user_ids
    if kept:
        log.warning(
            "%d users keep an e-mail address that is not canonical, or that another user has in another form. They log "
            "in with exactly that spelling: %s",
            len(kept),
            ", ".join(sorted(kept)),
        )


def _canonical(email: str) -> str | None:
    try:
        return canonical_email(email)
    except InvalidInput:
        return None


def _on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _furthest_ahead(table: str, name: str) -> Iterable[dict[str, Any]]:
    """The id that is furthest ahead of `created_at`, if one is by more than its making took.

    Until now, ids of a process did not go back with its clock.
    """
    id_column = sa.column(name, TEXT)
    find = sa.func.instr if _on_sqlite() else sa.func.strpos
    milliseconds: sa.ColumnElement[Any] = sa.literal_column("0", sa.BigInteger)
    for place in range(TIME_LENGTH):
        digit = find(sa.literal_column(f"'{ALPHABET}'"), sa.func.substr(id_column, TIME_FROM + place, 1)) - 1
        milliseconds += sa.cast(digit, sa.BigInteger) * sa.literal_column(str(32 ** (TIME_LENGTH - 1 - place)))
    created_at = "created_at / 1000" if _on_sqlite() else "CAST(extract(epoch FROM created_at) * 1000 AS BIGINT)"
    ahead = (milliseconds - sa.literal_column(created_at)).label("ahead")
    furthest = (
        sa.select(id_column, ahead)
        .select_from(sa.table(table))
        .where(sa.func.length(id_column) == ID_LENGTH)
        .order_by(sa.desc("ahead"))
        .limit(1)
    )
    for found_id, found_ahead in op.get_bind().execute(furthest):
        if found_ahead > 0:
            yield {"id": found_id, "seconds": found_ahead // 1000 + 1}


def _newest_moment() -> datetime | None:
    """The moment that the id of the newest transaction is of: that of no account is later."""
    newest = op.get_bind().execute(sa.text("SELECT max(transaction_id) FROM transfers")).scalar()
    if newest is None or len(newest) != ID_LENGTH or not set(newest[TIME_FROM - 1 :]) <= set(ALPHABET):
        return None
    milliseconds = 0
    for character in newest[TIME_FROM - 1 : TIME_FROM - 1 + TIME_LENGTH]:
        milliseconds = milliseconds * 32 + ALPHABET.index(character)
    return EPOCH + timedelta(milliseconds=milliseconds + 1)


def _make_accounts_anew_on_sqlite(latest_at: datetime | None) -> None:
    """SQLite adds a column behind the constraints: for a table that reads as it was declared, the rows move."""
    op.rename_table("accounts", "before")
    made = op.create_table(
        "accounts",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("owner_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("debits_pending", INTEGER, nullable=False),
        sa.Column("debits_posted", INTEGER, nullable=False),
        sa.Column("credits_pending", INTEGER, nullable=False),
        sa.Column("credits_posted", INTEGER, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("fee_basis_points", INTEGER, nullable=False),
        sa.Column("fee_fixed", INTEGER, nullable=False),
        sa.Column("latest_at", MOMENT),
        sa.UniqueConstraint("owner_id", "currency", "kind", name="accounts_owner_id_currency_kind_key"),
        sa.CheckConstraint(
            "debits_pending >= 0 AND debits_posted >= 0 AND credits_pending >= 0 AND credits_posted >= 0",
            name="accounts_counters_check",
        ),
        sa.CheckConstraint(
            "kind IN ('funding', 'exchange') OR credits_posted - debits_posted >= debits_pending",
            name="accounts_available_check",
        ),
        sa.CheckConstraint("version >= 1", name="accounts_version_check"),
        sa.CheckConstraint(
            "fee_basis_points >= 0 AND fee_basis_points <= 10000 AND fee_fixed >= 0", name="accounts_fees_check"
        ),
        sqlite_strict=True,
    )
    names = [column.name for column in made.columns]
    old: list[sa.ColumnElement[Any]] = [sa.column(name) for name in names[:-1]]
    rows = sa.select(*old, sa.literal(latest_at, MOMENT)).select_from(sa.table("before"))
    op.execute(sa.insert(made).from_select(names, rows))
    op.drop_table("before")


def _add_to_accounts_on_postgres(latest_at: datetime | None) -> None:
    # A default fills the rows that are there without writing them; those to come bring their own values.
    default = None if latest_at is None else sa.text(f"'{latest_at.isoformat()}'")
    op.add_column("accounts", sa.Column("latest_at", MOMENT, server_default=default))
    if default is not None:
        op.alter_column("accounts", "latest_at", server_default=None)
