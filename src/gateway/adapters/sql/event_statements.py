"""The statements that read the event feed. A position is that of a batch and the event's place in it."""

from functools import cache
from typing import Any, Final

from sqlalchemy import Integer, TextClause, TextualSelect, bindparam, column, text

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT

_EVENT: Final = """first_position + event.batch_index AS position, event.id, event.type, event.object_id,
            event.sequence, event.customer_id, event.merchant_id, event.created_at"""
_COLUMNS: Final[tuple[Any, ...]] = (
    column("position", INTEGER),
    *(column(name, TEXT) for name in ("id", "type", "object_id")),
    column("sequence", INTEGER),
    *(column(name, TEXT) for name in ("customer_id", "merchant_id")),
    column("created_at", MOMENT),
)

EVENTS_OF_BATCH: Final = {
    # The limit keeps the planner from making a join of it, for which it might read all events. The order keeps it from
    # reading the table from its beginning, where a limit lets it expect matching rows.
    POSTGRES: """JOIN LATERAL (
        SELECT * FROM events
        WHERE id BETWEEN first_event_id AND last_event_id AND batch_id = batch.batch_id
        ORDER BY id LIMIT size
    ) AS event ON true""",
    # A cross join is never reordered.
    SQLITE: """CROSS JOIN events AS event
        ON event.id BETWEEN first_event_id AND last_event_id AND event.batch_id = batch.batch_id""",
}
"""Joins the events of a row of `event_batches AS batch`."""
BATCH_AT: Final = "coalesce((SELECT max(first_position) FROM event_batches WHERE first_position <= {}), 0)"
"""The batch that a position belongs to."""


def _read(dialect: str, data: str) -> TextClause:
    return text(
        f"""
        SELECT {_EVENT}{data}
        FROM event_batches AS batch {EVENTS_OF_BATCH[dialect]}
        WHERE first_position >= {BATCH_AT.format(":after")} AND first_position + event.batch_index > :after
        ORDER BY first_position, event.batch_index
        LIMIT :limit
        """  # noqa: S608 - made of the constants above.
    ).bindparams(bindparam("after", type_=INTEGER), bindparam("limit", type_=INTEGER))


READ: Final = {
    dialect: _read(dialect, ", event.data").columns(*_COLUMNS, column("data", TEXT)) for dialect in EVENTS_OF_BATCH
}
"""The first events after a position."""

READ_KEYS: Final = {dialect: _read(dialect, "").columns(*_COLUMNS) for dialect in EVENTS_OF_BATCH}
"""As `READ`, without the data."""

EVENT: Final = (
    text(
        f"""
        SELECT {_EVENT}, event.data FROM events AS event
        JOIN event_batches AS batch ON batch.batch_id = event.batch_id
        WHERE event.id = :id
        """  # noqa: S608 - as above.
    )
    .bindparams(bindparam("id", type_=TEXT))
    .columns(*_COLUMNS, column("data", TEXT))
)

NEWEST: Final = text("SELECT first_position + size - 1 FROM event_batches ORDER BY first_position DESC LIMIT 1")

OLDEST: Final = text("SELECT first_position FROM event_batches ORDER BY first_position LIMIT 1")

_CONDITIONS: Final = {
    "customer_id": ("event.customer_id = :customer_id", bindparam("customer_id", type_=TEXT)),
    "merchant_id": ("event.merchant_id = :merchant_id", bindparam("merchant_id", type_=TEXT)),
    "types": ("event.type IN :types", bindparam("types", type_=TEXT, expanding=True)),
    "object_id": ("event.object_id = :object_id", bindparam("object_id", type_=TEXT)),
    "created_after": ("event.created_at >= :created_after", bindparam("created_after", type_=MOMENT)),
    "created_before": ("event.created_at < :created_before", bindparam("created_before", type_=MOMENT)),
}
"""The condition on an event for each parameter of a search."""

_BLOCK_CONDITIONS: Final = {
    "created_after": ("last_created_at >= :created_after", _CONDITIONS["created_after"][1]),
    "created_before": ("first_created_at < :created_before", _CONDITIONS["created_before"][1]),
}


@cache
def events_between(dialect: str, names: frozenset[str], *, descending: bool, in_blocks: bool) -> TextualSelect:
    """The statement for matching events in a range of positions, `lowest` to `highest`.

    Args:
        dialect: Of the database.
        names: The parameters of the search that are given.
        descending: Whether the highest position comes first.
        in_blocks: Whether only the blocks of the index that begin at the positions `blocks` are read.
    """
    conditions, parameters = _conditions(_CONDITIONS, names)
    ranges = "(SELECT :lowest AS low, :highest AS high)"
    if in_blocks:
        ranges = (
            "(SELECT first_position AS low, last_position AS high FROM event_index WHERE first_position IN :blocks)"
        )
        parameters.append(bindparam("blocks", type_=INTEGER, expanding=True))
    batches = f"first_position BETWEEN {BATCH_AT.format('low')} AND high"
    batch = {
        # The limit and the order, as above. A range has no more batches than positions.
        POSTGRES: f"""JOIN LATERAL (
            SELECT * FROM event_batches WHERE {batches} ORDER BY first_position LIMIT high - low + 1
        ) AS batch ON true""",  # noqa: S608 - constants.
        SQLITE: f"CROSS JOIN event_batches AS batch ON batch.{batches}",
    }[dialect]
    return (
        text(
            f"""
            SELECT {_EVENT}, event.data
            FROM {ranges} AS ranges {batch} {EVENTS_OF_BATCH[dialect]}
            WHERE first_position + event.batch_index BETWEEN low AND high
                AND first_position + event.batch_index BETWEEN :lowest AND :highest {conditions}
            ORDER BY position {"DESC" if descending else "ASC"}
            LIMIT :limit
            """  # noqa: S608 - as above.
        )
        .bindparams(
            *(bindparam(name, type_=INTEGER) for name in ("lowest", "highest", "limit")),
            *parameters,
        )
        .columns(*_COLUMNS, column("data", TEXT))
    )


@cache
def blocks_between(names: frozenset[str], bits: int, *, descending: bool) -> TextClause:
    """The statement for the blocks of the index in a range of positions that may have matching events.

    Args:
        names: The parameters of the search that are given.
        bits: How many bits the filter must have: `bit_0` … are their numbers.
        descending: Whether the highest position comes first.
    """
    conditions, parameters = _conditions(_BLOCK_CONDITIONS, names)
    wanted = [f"bit_{number}" for number in range(bits)]
    # Not `= 1`: the planner expects few rows of it, and would read the whole index to sort them.
    has_bits = "".join(f" AND get_bit(keys, :{name}) <> 0" for name in wanted)
    lowest = "coalesce((SELECT max(first_position) FROM event_index WHERE first_position <= :lowest), 0)"
    return text(
        f"""
        SELECT first_position, last_position FROM event_index
        WHERE first_position BETWEEN {lowest} AND :highest AND last_position >= :lowest {conditions}{has_bits}
        ORDER BY first_position {"DESC" if descending else "ASC"}
        LIMIT :limit
        """  # noqa: S608 - as above.
    ).bindparams(
        *(bindparam(name, type_=INTEGER) for name in ("lowest", "highest", "limit")),
        *(bindparam(name, type_=Integer()) for name in wanted),
        *parameters,
    )


def _conditions(known: dict[str, tuple[str, Any]], names: frozenset[str]) -> tuple[str, list[Any]]:
    chosen = [known[name] for name in sorted(names & known.keys())]
    return "".join(f" AND {condition}" for condition, _ in chosen), [parameter for _, parameter in chosen]
