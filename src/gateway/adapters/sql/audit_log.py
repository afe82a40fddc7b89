"""The audit log, and the step that links committed records to the chain (docs/decisions/0045)."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import FromClause, Select, bindparam, delete, exists, insert, or_, select, text, update
from typing_extensions import override

from gateway.adapters.sql.bounded_lists import ROWS_PER_STEP, BoundedList, Conditions, ListQuery, Ranges
from gateway.adapters.sql.created_times import created_within, ids_within
from gateway.adapters.sql.engine import POSTGRES
from gateway.adapters.sql.rows.audit import NAMES, audit_values, to_audit_record
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.audit import audit_chain, audit_head, audit_log, audit_unlinked
from gateway.adapters.sql.types import BYTES, INTEGER
from gateway.application.audit_chain import FIRST_HASH, chained
from gateway.application.ports.audit_log import AuditFilter, AuditLog
from gateway.application.ports.reader import Listed
from gateway.domain.audit import AuditId, AuditRecord

APPEND: Final = insert(audit_log).values({each: bindparam(each.name, type_=each.type) for each in audit_log.c})
WAIT: Final = insert(audit_unlinked).values(audit_id=bindparam("id"))
LOCK: Final = text("SELECT pg_advisory_xact_lock(7497, CAST(CAST('audit_chain' AS regclass) AS oid)::int)")
"""One process at a time links the records of a schema. Transactions that write records do not wait for it."""
ANY_UNLINKED: Final = select(audit_unlinked.c.audit_id).limit(1)
UNLINKED: Final = (
    select(audit_log)
    .join(audit_unlinked, audit_unlinked.c.audit_id == audit_log.c.id)
    .where(audit_log.c.id > bindparam("after"), ~exists().where(audit_chain.c.audit_id == audit_log.c.id))
    .order_by(audit_log.c.id)
    .limit(bindparam("limit", type_=INTEGER))
)
LAST: Final = select(audit_chain.c.position, audit_chain.c.hash).order_by(audit_chain.c.position.desc()).limit(1)
LINK: Final = insert(audit_chain).values({each: bindparam(each.name, type_=each.type) for each in audit_chain.c})
_still_there: Final = exists().where(
    audit_chain.c.position == audit_head.c.position, audit_chain.c.hash == audit_head.c.hash
)
# Not where the chain does not have it any more: what was cut off stays missing, however far the chain goes on.
MOVE_HEAD: Final = (
    update(audit_head)
    .where(or_(audit_head.c.position == 0, _still_there))
    .values(position=bindparam("to_position", type_=INTEGER), hash=bindparam("to_hash", type_=BYTES))
)
_NOT_AHEAD: Final = timedelta(0)
LINKED: Final = delete(audit_unlinked).where(audit_unlinked.c.audit_id == bindparam("linked_id"))


async def append_audit(transaction: DatabaseTransaction, record: AuditRecord | None) -> None:
    """Write a record with the change that it tells of; nothing without a record."""
    if record is not None:
        await transaction.change(APPEND, dict(zip(NAMES, audit_values(record), strict=True)))
        await transaction.change(WAIT, {"id": record.id})


class SqlAuditLog(AuditLog):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions
        self._locks = transactions.dialect_name == POSTGRES

    @override
    async def append(self, record: AuditRecord) -> None:
        async def work(transaction: DatabaseTransaction) -> None:
            await append_audit(transaction, record)

        await self._transactions.write(work)

    @override
    async def records(self, where: AuditFilter, *, before: AuditId | None, limit: int) -> Listed[AuditRecord]:
        rows, stopped_at = await BoundedList(self._transactions, audit_query(where), limit).before(before)
        return Listed([record for row in rows if (record := to_audit_record(row)) is not None], stopped_at)

    @override
    async def link(self, *, limit: int) -> int:
        if not await self._transactions.read(ANY_UNLINKED):
            return 0

        async def work(transaction: DatabaseTransaction) -> int:
            if self._locks:
                await transaction.rows(LOCK)
            last = await transaction.rows(LAST)
            records = await _waiting(transaction, limit)
            position, previous = last[0] if last else (0, FIRST_HASH)
            links = list(chained(records, position=position, previous=bytes(previous)))
            if links:
                await transaction.change(LINK, [link._asdict() for link in links])
                await transaction.change(LINKED, [{"linked_id": link.audit_id} for link in links])
                await transaction.change(MOVE_HEAD, {"to_position": links[-1].position, "to_hash": links[-1].hash})
            return len(links)

        return await self._transactions.write(work)


async def _waiting(transaction: DatabaseTransaction, limit: int) -> list[AuditRecord]:
    """The oldest records that wait for their places. What cannot be read waits on; a verification names it."""
    records: list[AuditRecord] = []
    after, more = "", True
    while more and len(records) < limit:
        rows = await transaction.rows(UNLINKED, {"after": after, "limit": limit})
        records += [record for row in rows if (record := to_audit_record(row)) is not None]
        more = len(rows) == limit
        after = rows[-1][0] if rows else ""
    return records[:limit]


def audit_query(where: AuditFilter) -> ListQuery:
    """The look-up of the records of a filter: by each column that is given, of which an index has the newest ones."""
    wanted = {
        "owner_id": where.owner_id,
        "actor_id": where.actor,
        "action": where.action,
        "object_id": where.object_id,
    }
    given = {name: str(value) for name, value in wanted.items() if value is not None}

    def matching(looked: FromClause) -> Conditions:
        columns = looked.c
        further = given if len(given) > 1 else {}
        return [
            *(columns[name] == value for name, value in further.items()),
            *created_within(columns.created_at, where.created_after, where.created_before),
        ]

    return ListQuery(
        table=audit_log,
        id_column=audit_log.c.id,
        ways=[Ranges([(audit_log.c[name] == value,)]) for name, value in given.items()] or [Ranges([()])],
        unordered=None,
        # The id of a record is of the moment at which it was made.
        ids=ids_within(audit_log.c.id, "aud", where.created_after, where.created_before, _NOT_AHEAD),
        matching=matching,
        whole=_as_found,
        rows_per_step=ROWS_PER_STEP,
    )


def _as_found(found: Select[Any]) -> Select[Any]:
    return found
