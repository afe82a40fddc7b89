"""Other schemas of the ledger, and copies of a loaded database in them, made as a migration would make them."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.

from bench import usage
from bench.connection import connected
from bench.databases import administering
from support.postgres import LocalPostgres

Tell = Callable[[str], None]

LOADED: Final = "loaded"
"""The database that the others are copies of."""

ID_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "accounts": ("id", "owner_id", "managed_by"),
    "payments": ("id", "customer_id", "merchant_id", "quote_id", "reference_held_by"),
    "transfers": (
        *("transaction_id", "payment_id", "customer_id", "merchant_id", "reverses"),
        *("debit_account_id", "credit_account_id"),
    ),
    "events": ("id", "object_id", "customer_id", "merchant_id"),
    "event_batches": ("first_event_id", "last_event_id"),
    "event_batches_unnumbered": ("first_event_id", "last_event_id"),
    "answers": ("owner_id", "event_id"),
}
"""The columns with ids in the tables that a payment writes to."""

PARTIES: Final = frozenset({"owner_id", "customer_id", "merchant_id", "managed_by", "reference_held_by"})
"""The columns with ids of users, which a program that embeds the gateway chooses, in any form."""

PARTY_INDEXES: Final = ("transfers_customer_id_transaction_id_idx", "transfers_merchant_id_transaction_id_idx")
PAYMENT_INDEX: Final = "transfers_payment_id_transaction_id_idx"

MOVE_ANSWERS: Final = """UPDATE events SET answer_owner_id = owner_id, answer_key = key,
    answer_fingerprint = fingerprint, answer_body = body FROM answers WHERE answers.event_id = events.id"""
INDEX_ANSWERS: Final = """CREATE UNIQUE INDEX events_answer_key ON events (answer_owner_id, answer_key)
    WHERE answer_key IS NOT NULL"""

# Eight characters of base32 at a time: of a byte each, with 5 bits, pairs are moved together in three steps. What is no
# id, but the name of the system, which owns accounts, becomes the UUID of zeros.
TO_UUID: Final = r"""
CREATE FUNCTION bench.packed(spread text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE x bigint := ('x' || spread)::bit(64)::bigint & 0x1f1f1f1f1f1f1f1f;
BEGIN
    x := (x & 0x001f001f001f001f) | ((x & 0x1f001f001f001f00) >> 3);
    x := (x & 0x000003ff000003ff) | ((x & 0x03ff000003ff0000) >> 6);
    RETURN (x & 0xfffff) | ((x & 0x000fffff00000000) >> 12);
END $$;
CREATE FUNCTION bench.to_uuid(id text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE h text;
BEGIN
    IF id = 'system' THEN RETURN '00000000-0000-0000-0000-000000000000'; END IF;
    h := '404040404040' || encode(convert_to(
        translate(right(id, 26), '0123456789abcdefghjkmnpqrstvwxyz', '@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_'), 'UTF8'
    ), 'hex');
    RETURN (lpad(to_hex(bench.packed(substr(h, 1, 16))), 2, '0')
        || lpad(to_hex(bench.packed(substr(h, 17, 16))), 10, '0')
        || lpad(to_hex(bench.packed(substr(h, 33, 16))), 10, '0')
        || lpad(to_hex(bench.packed(substr(h, 49, 16))), 10, '0'))::uuid;
END $$;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A schema.

    Attributes:
        name: Also that of its database.
        made_from: The database that it is a copy of.
        uuids: Whether ids are `uuid`.
        texts: Columns with ids that are text nevertheless.
        answers_in_events: Whether an answer stands in the row of its event.
        dropped: Indexes that it does not have.
    """

    name: str
    made_from: str = LOADED
    uuids: bool = False
    texts: frozenset[str] = frozenset()
    answers_in_events: bool = False
    dropped: Sequence[str] = ()


VARIANTS: Final = (
    Variant(name="as_is"),
    Variant(name="uuids", uuids=True),
    Variant(name="own_uuids", uuids=True, texts=PARTIES),
    Variant(name="answers", answers_in_events=True),
    Variant(name="lists", dropped=PARTY_INDEXES),
    Variant(name="lists_payment", dropped=(*PARTY_INDEXES, PAYMENT_INDEX)),
    Variant(name="all_three", made_from="uuids", uuids=True, answers_in_events=True, dropped=PARTY_INDEXES),
)
"""A variant comes after the one that it is made from. The first is the schema as it is."""


async def make(server: LocalPostgres, variant: Variant, tell: Tell) -> str:
    """Make the database of a variant; its URL."""
    async with administering(server) as connection:
        await connection.execute(f"CREATE DATABASE {variant.name} TEMPLATE {variant.made_from} STRATEGY file_copy")
    url = server.url(variant.name)
    async with connected(url) as connection:
        if variant.uuids and variant.made_from == LOADED:
            await _change_ids(connection, variant, tell)
        if variant.answers_in_events:
            await _move_answers(connection, "uuid" if variant.uuids else "text", tell)
        for index in variant.dropped:
            definition = await connection.fetchval("SELECT pg_get_indexdef($1::regclass)", index)
            await connection.execute(f"DROP INDEX {index}")
            await _timed(connection, f"{variant.name}: making {index} again", definition, tell)
            await connection.execute(f"DROP INDEX {index}")
        await connection.execute("VACUUM ANALYZE")
    return url


async def _change_ids(connection: asyncpg.Connection, variant: Variant, tell: Tell) -> None:
    await connection.execute(TO_UUID)
    for table, names in ID_COLUMNS.items():
        statement = to_uuids(table, [name for name in names if name not in variant.texts])
        await _timed(connection, f"{variant.name}: {table}", statement, tell)


def to_uuids(table: str, names: Iterable[str]) -> str:
    """The statement that rewrites a table."""
    parts = (f"ALTER {name} TYPE uuid USING bench.to_uuid({name})" for name in names)
    return f"ALTER TABLE {table} {', '.join(parts)}"


async def _move_answers(connection: asyncpg.Connection, type_of_ids: str, tell: Tell) -> None:
    """As if answers had been in events from the beginning: no dead rows, and an index that was built at once."""
    await connection.execute(
        f"ALTER TABLE events ADD answer_owner_id {type_of_ids}, ADD answer_key text, "
        "ADD answer_fingerprint bytea, ADD answer_body bytea"
    )
    await _timed(connection, "answers into events", MOVE_ANSWERS, tell)
    await connection.execute("TRUNCATE answers")
    await connection.execute("VACUUM FULL events")
    await _timed(connection, "index of answers", INDEX_ANSWERS, tell)


async def _timed(connection: asyncpg.Connection, title: str, statement: str, tell: Tell) -> None:
    """Run a statement of a migration, and tell what it took, what it wrote, and what it locked."""
    pid = connection.get_server_pid()
    lsn, cpu, start = await log_position(connection), usage.exact_cpu_seconds([pid]), time.perf_counter()
    async with connection.transaction():
        await connection.execute(statement)
        locks = await connection.fetch(
            "SELECT DISTINCT relname || ' ' || mode AS lock FROM pg_locks JOIN pg_class ON relation = pg_class.oid "
            "WHERE pid = $1 AND relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
            pid,
        )
    taken, cpu = time.perf_counter() - start, usage.exact_cpu_seconds([pid]) - cpu
    written = (await log_position(connection) - lsn) / 1e6
    tell(f"{title}: {taken:.1f} s, CPU {cpu:.1f} s, log {written:,.0f} MB; {', '.join(row['lock'] for row in locks)}")


async def log_position(connection: asyncpg.Connection) -> int:
    """How many bytes of log there are."""
    return int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


async def sizes(connection: asyncpg.Connection) -> Mapping[str, tuple[int, int]]:
    """Bytes of the tables that a payment writes to, and of their indexes."""
    rows: Sequence[Any] = await connection.fetch(
        "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class WHERE relname = ANY ($1) ORDER BY 1",
        list(ID_COLUMNS),
    )
    return {row[0]: (row[1], row[2]) for row in rows}
