"""The statements of the queues of waiting deliveries. Each finds its rows by index, however many deliveries wait."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import bindparam, column, text
from sqlalchemy.sql.elements import TextClause

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.rows.deliveries import RECORDING, rows_given
from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT


def _typed(sql: str, *, moments: Iterable[str] = (), integers: Iterable[str] = ()) -> TextClause:
    """A statement whose parameters have types."""
    return text(sql).bindparams(
        *(bindparam(name, type_=MOMENT) for name in moments), *(bindparam(name, type_=INTEGER) for name in integers)
    )


_LEASABLE: Final = """
    due_at <= :now
    AND (paused_until IS NULL OR paused_until <= :now OR paused_at >= :ahead)
    AND (leased_until IS NULL OR leased_until <= :now OR leased_until > :void_after)
"""
ANY_LEASABLE: Final = _typed(
    f"""
    SELECT EXISTS (SELECT 1 FROM webhook_queues WHERE is_slow = 0 AND {_LEASABLE})
        OR EXISTS (SELECT 1 FROM webhook_queues WHERE is_slow = 1 AND {_LEASABLE})
    """,  # noqa: S608 - made of the constant above.
    moments=("now", "ahead", "void_after"),
)
"""Without a transaction: it is asked several times a second."""

_LEASED: Final = (column("endpoint_id", TEXT), column("failing_since", MOMENT), column("is_slow", INTEGER))
LEASE: Final = _typed(
    f"""
    WITH fast AS (
        SELECT endpoint_id FROM webhook_queues WHERE is_slow = 0 AND {_LEASABLE}
        ORDER BY due_at, endpoint_id LIMIT :fast_max FOR UPDATE SKIP LOCKED
    ), slow AS (
        SELECT endpoint_id FROM webhook_queues WHERE is_slow = 1 AND {_LEASABLE}
        ORDER BY due_at, endpoint_id LIMIT :slow_max FOR UPDATE SKIP LOCKED
    )
    UPDATE webhook_queues SET leased_by = :worker, leased_until = :until, paused_until = NULL, paused_at = NULL
    WHERE endpoint_id = ANY (ARRAY (SELECT endpoint_id FROM fast UNION ALL SELECT endpoint_id FROM slow))
    RETURNING endpoint_id, failing_since, is_slow
    """,  # noqa: S608 - made of the constant above.
    moments=("now", "ahead", "void_after", "until"),
    integers=("fast_max", "slow_max"),
).columns(*_LEASED)
"""On Postgres. On SQLite, the transaction has the file to itself, and runs the two statements below."""
LEASABLE: Final = _typed(
    f"""
    SELECT endpoint_id, failing_since, is_slow FROM webhook_queues WHERE is_slow = :is_slow AND {_LEASABLE}
    ORDER BY due_at, endpoint_id LIMIT :limit
    """,  # noqa: S608 - made of the constant above.
    moments=("now", "ahead", "void_after"),
    integers=("is_slow", "limit"),
).columns(*_LEASED)

_HELD: Final = {
    POSTGRES: "endpoint_id = ANY (CAST(:endpoint_ids AS text[])) AND leased_by = :worker",
    SQLITE: "endpoint_id IN :endpoint_ids AND leased_by = :worker",
}


def _of_held(sql: str, *, moments: Iterable[str] = ()) -> dict[str, TextClause]:
    """A statement about the endpoints among `endpoint_ids` that `worker` holds, for each database."""
    statements = {dialect: _typed(f"{sql} WHERE {held}", moments=moments) for dialect, held in _HELD.items()}
    statements[SQLITE] = statements[SQLITE].bindparams(bindparam("endpoint_ids", expanding=True))
    return statements


TAKE_LEASES: Final = _typed(
    "UPDATE webhook_queues SET leased_by = :worker, leased_until = :until, paused_until = NULL, paused_at = NULL "
    "WHERE endpoint_id IN :endpoint_ids",
    moments=("until",),
).bindparams(bindparam("endpoint_ids", expanding=True))
HELD: Final = _of_held("SELECT endpoint_id FROM webhook_queues")
RENEW: Final = _of_held("UPDATE webhook_queues SET leased_until = :until", moments=("until",))

LOCK_HELD: Final = _typed(
    f"SELECT endpoint_id FROM webhook_queues WHERE {_HELD[POSTGRES]} ORDER BY endpoint_id FOR UPDATE"  # noqa: S608 - as above.
)
"""Waits for a fan-out that makes deliveries of these endpoints. The next statement sees them."""
_FIRST_DUE_AT: Final = """
    SELECT due_at FROM webhook_deliveries
    WHERE webhook_deliveries.endpoint_id = webhook_queues.endpoint_id AND due_at IS NOT NULL
    ORDER BY due_at LIMIT 1
"""
RELEASE: Final = {
    dialect: statement
    for dialect, greatest in ((POSTGRES, "greatest"), (SQLITE, "max"))
    for statement in [
        _of_held(
            f"""
            UPDATE webhook_queues
            SET leased_by = NULL, leased_until = NULL, planned_at = :now, due_at = (
                SELECT {greatest}(first.due_at, :now) FROM ({_FIRST_DUE_AT}) AS first
            )
            """,  # noqa: S608 - as above.
            moments=("now",),
        )[dialect]
    ]
}
_RELEASED: Final = (column("endpoint_id", TEXT), column("due_at", MOMENT), column("paused_until", MOMENT))
RELEASED: Final = {
    POSTGRES: _typed(
        """
        SELECT endpoint_id, due_at, paused_until FROM webhook_queues
        WHERE endpoint_id = ANY (CAST(:endpoint_ids AS text[])) AND due_at IS NOT NULL
        """
    ).columns(*_RELEASED),
    SQLITE: _typed(
        "SELECT endpoint_id, due_at, paused_until FROM webhook_queues "
        "WHERE endpoint_id IN :endpoint_ids AND due_at IS NOT NULL"
    )
    .bindparams(bindparam("endpoint_ids", expanding=True))
    .columns(*_RELEASED),
}

_COLUMNS: Final = """
    delivery.id, delivery.endpoint_id, delivery.event_id, delivery.position, delivery.event_type, delivery.object_id,
    delivery.created_at, delivery.due_at, delivery.ended_at, delivery.outcome, delivery.attempts
"""
_EARLIER: Final = """
    FROM webhook_deliveries AS earlier
    WHERE earlier.endpoint_id = delivery.endpoint_id AND earlier.object_id = delivery.object_id
        AND earlier.position < delivery.position AND earlier.due_at IS NOT NULL
    ORDER BY earlier.position DESC LIMIT 1
"""
_JOIN_PREDECESSOR: Final = {
    POSTGRES: f"LEFT JOIN LATERAL (SELECT id, due_at, created_at {_EARLIER}) AS predecessor ON true",
    SQLITE: f"LEFT JOIN webhook_deliveries AS predecessor ON predecessor.id = (SELECT earlier.id {_EARLIER})",
}
DUE: Final = {
    dialect: _typed(
        f"""
        SELECT {_COLUMNS}, predecessor.id, predecessor.due_at, predecessor.created_at,
            events.sequence, events.customer_id, events.merchant_id, events.created_at, events.data
        FROM (
            SELECT * FROM webhook_deliveries
            WHERE endpoint_id = :endpoint_id AND due_at <= :now
            ORDER BY due_at, position LIMIT :limit
        ) AS delivery
        {join_predecessor}
        LEFT JOIN events ON events.id = delivery.event_id
        ORDER BY delivery.due_at, delivery.position
        """,  # noqa: S608 - as above.
        moments=("now",),
        integers=("limit",),
    ).columns(
        *(column(name, TEXT) for name in ("id", "endpoint_id", "event_id")),
        column("position", INTEGER),
        *(column(name, TEXT) for name in ("event_type", "object_id")),
        *(column(name, MOMENT) for name in ("created_at", "due_at", "ended_at")),
        *(column(name, TEXT) for name in ("outcome", "attempts", "predecessor_id")),
        *(column(name, MOMENT) for name in ("predecessor_due_at", "predecessor_created_at")),
        column("sequence", INTEGER),
        *(column(name, TEXT) for name in ("customer_id", "merchant_id")),
        column("event_created_at", MOMENT),
        column("data", TEXT),
    )
    for dialect, join_predecessor in _JOIN_PREDECESSOR.items()
}

RECORD: Final = {
    POSTGRES: text(
        f"""
        UPDATE webhook_deliveries
        SET due_at = given.due_at, planned_at = given.planned_at, ended_at = given.ended_at,
            outcome = given.outcome, attempts = given.attempts
        FROM {rows_given(RECORDING)}
        WHERE webhook_deliveries.id = given.id AND webhook_deliveries.due_at IS NOT NULL
            AND (webhook_deliveries.due_at = given.due_before OR given.outcome = 'delivered')
        """  # noqa: S608 - as above.
    ),
    SQLITE: _typed(
        """
        UPDATE webhook_deliveries
        SET due_at = :due_at, planned_at = :planned_at, ended_at = :ended_at, outcome = :outcome, attempts = :attempts
        WHERE id = :id AND due_at IS NOT NULL AND (due_at = :due_before OR :outcome = 'delivered')
        """,
        moments=("due_before", "due_at", "planned_at", "ended_at"),
    ),
}
SET_STATE: Final = _typed(
    """
    UPDATE webhook_queues
    SET failing_since = :failing_since, paused_until = :paused_until, paused_at = :paused_at, is_slow = :is_slow
    WHERE endpoint_id = :endpoint_id AND leased_by = :worker
    """,
    moments=("failing_since", "paused_until", "paused_at"),
    integers=("is_slow",),
)

ABANDONED: Final = _typed(
    """
    SELECT webhook_queues.endpoint_id
    FROM webhook_queues LEFT JOIN webhook_endpoints ON webhook_endpoints.id = webhook_queues.endpoint_id
    WHERE webhook_queues.due_at IS NOT NULL
        AND (webhook_endpoints.id IS NULL OR webhook_endpoints.disabled_reason IS NOT NULL)
    LIMIT :limit
    """,
    integers=("limit",),
)
_WAITING_IDS: Final = """
    SELECT id FROM webhook_deliveries WHERE endpoint_id = :endpoint_id AND due_at IS NOT NULL
    ORDER BY due_at, position LIMIT :limit
"""
CANCEL: Final = {
    dialect: _typed(
        f"""
        UPDATE webhook_deliveries SET due_at = NULL, ended_at = :now, outcome = 'canceled'
        WHERE id {among} AND due_at IS NOT NULL
        """,  # noqa: S608 - as above.
        moments=("now",),
        integers=("limit",),
    )
    for dialect, among in ((POSTGRES, f"= ANY (ARRAY ({_WAITING_IDS}))"), (SQLITE, f"IN ({_WAITING_IDS})"))
}
LOCK_QUEUE: Final = text("SELECT 1 FROM webhook_queues WHERE endpoint_id = :endpoint_id FOR UPDATE")
SET_DUE: Final = text(f"UPDATE webhook_queues SET due_at = ({_FIRST_DUE_AT}) WHERE endpoint_id = :endpoint_id")  # noqa: S608 - as above.
FORGET_QUEUE: Final = text(
    """
    DELETE FROM webhook_queues
    WHERE endpoint_id = :endpoint_id AND due_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM webhook_endpoints WHERE id = :endpoint_id)
    """
)
