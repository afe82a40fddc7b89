"""Records of the audit log as rows."""

import json
from typing import Final, cast

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.tables.audit import audit_log
from gateway.adapters.sql.types import Found
from gateway.application.ports.audit_records import ChainedRecord, ChainLink
from gateway.domain.audit import Actor, ActorKind, AuditAction, AuditNote, AuditRecord, Facts, Origin
from gateway.domain.errors import InvalidInput

ACTOR_KINDS: Final = {kind.value: kind for kind in ActorKind}
ACTIONS: Final = {action.value: action for action in AuditAction}
NAMES: Final = [column.name for column in audit_log.c]


def audit_values(record: AuditRecord) -> Values:
    """The row of a record."""
    origin, note = record.origin, record.note
    return (
        record.id,
        origin.actor.kind.value,
        origin.actor.id,
        note.action.value,
        note.object_id,
        record.created_at,
        origin.address,
        origin.request_id,
        note.reason,
        _text(note.before),
        _text(note.after),
        note.owner_id,
    )


def to_audit_record(row: Found) -> AuditRecord | None:
    """The record of a row; nothing if it cannot be read: it was changed by hand, or a newer version has written it."""
    try:
        return _record(row)
    except (KeyError, ValueError, RecursionError, InvalidInput):
        return None


def _record(row: Found) -> AuditRecord:
    record_id, kind, actor_id, action, object_id, created_at, address, request_id, reason, before, after, owner_id = (
        row[:12]
    )
    return AuditRecord(
        id=record_id,
        origin=Origin(actor=Actor(kind=ACTOR_KINDS[kind], id=actor_id), address=address, request_id=request_id),
        note=AuditNote(
            action=ACTIONS[action],
            object_id=object_id,
            owner_id=owner_id,
            reason=reason,
            before=_facts(before),
            after=_facts(after),
        ),
        created_at=created_at,
    )


def to_chained_record(row: Found) -> ChainedRecord:
    """The link of a row of the chain, behind which stands the row of its record."""
    position, audit_id, link_hash = row[:3]
    link = ChainLink(position=position, audit_id=audit_id, hash=bytes(link_hash))
    record = None if row[3] is None else to_audit_record(row[3:])  # type: ignore[arg-type]  # A part of a row is a tuple.
    return ChainedRecord(link, record)


def _facts(text: str) -> Facts:
    facts = json.loads(text)
    json.dumps(facts, ensure_ascii=False).encode()  # Half a character, which JSON can say, has no hash.
    known = cast("dict[str, object]", facts if isinstance(facts, dict) else {"": facts})
    if not all(name and (fact is None or isinstance(fact, str | int)) for name, fact in known.items()):
        raise ValueError("These are no facts.")
    return cast("Facts", known)


def _text(facts: Facts) -> str:
    return json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)
