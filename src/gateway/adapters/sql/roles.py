"""Roles of Postgres for processes of the gateway: only the owner may change or delete rows of the ledger."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sqlalchemy import Column, Connection, Table, func, select
from sqlalchemy.dialects import postgresql

from gateway.adapters.sql.engine import POSTGRES, audit_engine
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.rows.accounts import ACCOUNT_CHANGES
from gateway.adapters.sql.rows.payments import PAYMENT_CHANGES
from gateway.adapters.sql.rows.quotes import QUOTE_CHANGES
from gateway.adapters.sql.rows.users import USER_CHANGES
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables import (
    access,
    audit,
    customers,
    events,
    exchange,
    ledger,
    members,
    metadata,
    production,
    risk,
    webhooks,
)

READ: Final = "gateway_read"
"""For `gateway verify`, and for reports: it reads no secrets and no password hashes."""
SERVE: Final = "gateway_serve"
"""For `gateway serve`: what `READ` may, and to write what requests write."""
WORKER: Final = "gateway_worker"
"""For `gateway worker`: what `SERVE` may, and to delete what housekeeping deletes."""
ROLES: Final = (READ, SERVE, WORKER)
"""Each role has the rights of the role before it."""

VERSIONS_TABLE: Final = "alembic_version"


_WITH_SECRETS: Final = frozenset(
    {
        access.users,
        access.sessions,
        access.refresh_tokens,
        access.api_keys,
        customers.customers,
        access.second_factors,
        members.members,
        access.login_failures,
        access.rate_budgets,
        webhooks.webhook_endpoints,
    }
)


def _update(columns: Iterable[Column[object]]) -> str:
    """The right to change these columns, and to lock rows. The primary key is what a row is found by."""
    return f"UPDATE ({', '.join(column.name for column in columns if not column.primary_key)})"


_WRITTEN: Final[Mapping[Table, tuple[str, ...]]] = {
    # Append-only: a row never changes.
    ledger.transfers: ("INSERT",),
    ledger.ids_ahead: ("INSERT",),
    ledger.refunds: ("INSERT",),
    events.events: ("INSERT",),
    events.event_batches: ("INSERT",),
    events.event_index: ("INSERT",),
    events.answers: ("INSERT",),
    audit.audit_log: ("INSERT",),
    audit.audit_chain: ("INSERT",),
    # Parties, currencies and terms never change.
    ledger.accounts: ("INSERT", _update([*ACCOUNT_CHANGES, ledger.accounts.c.managed_by])),
    ledger.payments: ("INSERT", _update(PAYMENT_CHANGES)),
    exchange.quotes: ("INSERT", _update(QUOTE_CHANGES)),
    audit.audit_head: (_update(audit.audit_head.c),),
    risk.payment_counters: ("INSERT", "UPDATE"),
    # Rows wait here for their positions, and for their places in the chain.
    audit.audit_unlinked: ("INSERT", "DELETE"),
    events.event_batches_unnumbered: ("INSERT", "DELETE"),
    exchange.rates: ("INSERT", "UPDATE"),
    access.users: ("INSERT", _update([access.users.c.email, access.users.c.password_hash, *USER_CHANGES])),
    access.sessions: ("INSERT", "UPDATE"),
    access.refresh_tokens: ("INSERT", "UPDATE"),
    access.api_keys: ("INSERT", "UPDATE", "DELETE"),
    customers.customers: ("INSERT", "UPDATE"),
    access.second_factors: ("INSERT", "UPDATE", "DELETE"),
    members.members: ("INSERT", "UPDATE", "DELETE"),
    access.login_failures: ("INSERT", "UPDATE", "DELETE"),
    access.rate_budgets: ("INSERT", "UPDATE", "DELETE"),
    webhooks.webhook_endpoints: ("INSERT", "UPDATE", "DELETE"),
    webhooks.webhook_deliveries: ("INSERT", "UPDATE"),
    webhooks.webhook_queues: ("INSERT", "UPDATE", "DELETE"),
    webhooks.webhook_replays: ("INSERT",),
    webhooks.event_cursors: (),
    events.retention: (),
    # Only the owner of the tables marks the database.
    production.production: (),
}
"""What `SERVE` may do with each table, beside reading it."""

_BY_WORKERS: Final[Mapping[Table, tuple[str, ...]]] = {
    **dict.fromkeys(
        (
            events.events,
            events.event_batches,
            events.event_index,
            events.answers,
            audit.audit_log,
            audit.audit_chain,
            exchange.quotes,
            access.sessions,
            access.refresh_tokens,
            webhooks.webhook_deliveries,
        ),
        ("DELETE",),
    ),
    webhooks.webhook_replays: ("UPDATE", "DELETE"),
    webhooks.event_cursors: ("INSERT", "UPDATE"),
    events.retention: ("INSERT", "UPDATE"),
}
"""What `WORKER` may do in addition."""


def role_statements(schema: str = "public") -> Iterator[str]:
    """The SQL that makes the roles, without a login, and gives them exactly their rights. It may be run again.

    Args:
        schema: The schema of the tables. Its owner runs the statements, with `CREATEROLE` if roles are missing.
    """
    quoted = postgresql.dialect().identifier_preparer.quote(schema)  # type: ignore[no-untyped-call]  # untyped there.
    tables = {table.name: table for table in metadata.sorted_tables}
    for role in ROLES:
        yield _unless(f"SELECT FROM pg_roles WHERE rolname = '{role}'", f"CREATE ROLE {role} NOLOGIN")
    for member, role in zip(ROLES[1:], ROLES, strict=False):
        is_member = f"SELECT FROM pg_auth_members WHERE roleid = '{role}'::regrole AND member = '{member}'::regrole"
        yield _unless(is_member, f"GRANT {role} TO {member}")
    all_tables = ", ".join(f"{quoted}.{name}" for name in (*tables, VERSIONS_TABLE))
    yield f"REVOKE ALL ON {all_tables} FROM {', '.join(ROLES)}"
    yield f"GRANT USAGE ON SCHEMA {quoted} TO {READ}"
    for name in (*tables, VERSIONS_TABLE):
        yield f"GRANT SELECT ON {quoted}.{name} TO {SERVE if tables.get(name) in _WITH_SECRETS else READ}"
    yield f"GRANT USAGE ON SEQUENCE {quoted}.{events.event_batch_ids.name} TO {SERVE}"
    for role, rights in ((SERVE, _WRITTEN), (WORKER, _BY_WORKERS)):
        for table, given in rights.items():
            if given:
                yield f"GRANT {', '.join(given)} ON {quoted}.{table.name} TO {role}"


def _unless(there: str, statement: str) -> str:
    """A statement that another session may run at the same time."""
    concurrently = "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL"
    return f"DO $$ BEGIN IF NOT EXISTS ({there}) THEN {statement}; END IF; {concurrently}; END $$"


async def grant_roles(url: str, limits: SqlLimits | None = None) -> None:
    """Make the roles, and give them their rights on the tables in the schema of the connection.

    Raises:
        StorageUnavailable: Postgres cannot be reached, or the connection's role lacks a right.
        ValueError: The URL is not one of Postgres.
    """
    engine = audit_engine(url, limits or SqlLimits())
    try:
        if engine.dialect.name != POSTGRES:
            raise ValueError("Only Postgres has roles.")
        async with DatabaseTransaction(engine) as transaction:
            await transaction.run(_grant)
            await transaction.commit()
    finally:
        await engine.dispose()


def _grant(connection: Connection) -> None:
    for statement in role_statements(connection.scalars(select(func.current_schema())).one()):
        connection.exec_driver_sql(statement)
