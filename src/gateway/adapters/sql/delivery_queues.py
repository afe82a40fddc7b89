"""The queues of waiting deliveries: leases, what is due, and what became of it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from typing_extensions import override

from gateway.adapters.sql import delivery_statements as statements
from gateway.adapters.sql.engine import POSTGRES
from gateway.adapters.sql.rows.deliveries import RECORDING, given_rows, recording_values, to_due_delivery, to_leases
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.types import Found
from gateway.application.ports.deliveries import AHEAD_MAX, VOID_LEASES, DeliveryQueues
from gateway.application.ports.delivery_records import DueDelivery, Lease, QueueState, Recording, WorkerId
from gateway.domain.webhook_endpoint import EndpointId


class SqlDeliveryQueues(DeliveryQueues):
    """See the port. On Postgres, a lease is taken with SKIP LOCKED; on SQLite, transactions take turns."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions
        self._dialect = transactions.dialect_name

    @override
    async def lease(
        self, worker: WorkerId, *, now: datetime, until: datetime, fast_max: int, slow_max: int
    ) -> Sequence[Lease]:
        given: dict[str, Any] = {
            "now": now,
            "ahead": now + AHEAD_MAX,
            "void_after": now + VOID_LEASES * (until - now),
        }
        [[any_leasable]] = await self._transactions.read(statements.ANY_LEASABLE, given)
        if not any_leasable:
            return ()

        async def on_postgres(transaction: DatabaseTransaction) -> Sequence[Found]:
            maxima = {"fast_max": fast_max, "slow_max": slow_max}
            return await transaction.rows(statements.LEASE, {**given, **maxima, "worker": worker, "until": until})

        async def on_sqlite(transaction: DatabaseTransaction) -> Sequence[Found]:
            rows = [
                row
                for is_slow, limit in ((0, fast_max), (1, slow_max))
                for row in await transaction.rows(statements.LEASABLE, {**given, "is_slow": is_slow, "limit": limit})
            ]
            taken = {"worker": worker, "until": until, "endpoint_ids": [row[0] for row in rows]}
            await transaction.change(statements.TAKE_LEASES, taken)
            return rows

        return to_leases(
            await self._transactions.write(on_postgres if self._dialect == POSTGRES else on_sqlite),
        )

    @override
    async def renew(
        self, worker: WorkerId, endpoint_ids: Collection[EndpointId], *, until: datetime
    ) -> Collection[EndpointId]:
        of = {"worker": worker, "endpoint_ids": list(endpoint_ids)}

        async def work(transaction: DatabaseTransaction) -> Collection[EndpointId]:
            await transaction.change(statements.RENEW[self._dialect], {**of, "until": until})
            return {row[0] for row in await transaction.rows(statements.HELD[self._dialect], of)}

        return await self._transactions.write(work)

    @override
    async def release(
        self, worker: WorkerId, endpoint_ids: Collection[EndpointId], *, now: datetime
    ) -> Sequence[tuple[EndpointId, datetime]]:
        of = {"worker": worker, "endpoint_ids": list(endpoint_ids)}

        async def work(transaction: DatabaseTransaction) -> Sequence[Found]:
            if self._dialect == POSTGRES:
                held = await transaction.rows(statements.LOCK_HELD, of)
            else:
                held = await transaction.rows(statements.HELD[self._dialect], of)
            await transaction.change(statements.RELEASE[self._dialect], {**of, "now": now})
            released = {"endpoint_ids": [row[0] for row in held]}
            return await transaction.rows(statements.RELEASED[self._dialect], released)

        rows = await self._transactions.write(work)
        return [(endpoint_id, max(due_at, paused_until or due_at)) for endpoint_id, due_at, paused_until in rows]

    @override
    async def due(self, endpoint_id: EndpointId, *, now: datetime, limit: int) -> Sequence[DueDelivery]:
        of = {"endpoint_id": endpoint_id, "now": now, "limit": limit}
        return [to_due_delivery(row) for row in await self._transactions.read(statements.DUE[self._dialect], of)]

    @override
    async def record(
        self, worker: WorkerId, recordings: Sequence[Recording], states: Sequence[QueueState] = ()
    ) -> None:
        rows = [recording_values(recording) for recording in recordings]
        known = [
            {
                "endpoint_id": state.endpoint_id,
                "worker": worker,
                "failing_since": state.failing_since,
                "paused_until": state.paused_until,
                "paused_at": state.paused_at,
                "is_slow": int(state.is_slow),
            }
            for state in sorted(states, key=lambda state: state.endpoint_id)
        ]

        async def work(transaction: DatabaseTransaction) -> None:
            if rows:
                await transaction.change(statements.RECORD[self._dialect], given_rows(self._dialect, RECORDING, rows))
            if known:
                await transaction.change(statements.SET_STATE, known)

        await self._transactions.write(work)

    @override
    async def abandoned(self, *, limit: int) -> Sequence[EndpointId]:
        return [row[0] for row in await self._transactions.read(statements.ABANDONED, {"limit": limit})]

    @override
    async def cancel(self, endpoint_id: EndpointId, *, now: datetime, limit: int) -> int:
        of = {"endpoint_id": endpoint_id}

        async def work(transaction: DatabaseTransaction) -> int:
            canceled = await transaction.change(statements.CANCEL[self._dialect], {**of, "now": now, "limit": limit})
            if self._dialect == POSTGRES:
                await transaction.rows(statements.LOCK_QUEUE, of)
            await transaction.change(statements.SET_DUE, of)
            await transaction.change(statements.FORGET_QUEUE, of)
            return canceled

        return await self._transactions.write(work)
