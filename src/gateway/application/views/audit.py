"""Records of the audit log, as clients see them."""

from typing import Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.audit import ActorKind, AuditAction, AuditRecord, Fact


class ActorView(msgspec.Struct, frozen=True, kw_only=True):
    """Who did it: a user or a key by its id, `cli` or `system`."""

    kind: ActorKind
    id: str


class AuditRecordView(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, by whom, to what, when and from where.

    `owner_id` is the user whom it concerns. `before` and `after` have what is different; never a secret. Of what
    operators do, merchants see neither who has done it (`operators`), nor from where, nor why.
    """

    id: str
    object: Literal["audit_record"] = "audit_record"
    actor: ActorView
    action: AuditAction
    object_id: str
    owner_id: str | None
    reason: str | None
    before: dict[str, Fact]
    after: dict[str, Fact]
    address: str | None
    request_id: str | None
    created_at: Instant


def audit_record_view(record: AuditRecord) -> AuditRecordView:
    """A record as clients see it."""
    origin, note = record.origin, record.note
    return AuditRecordView(
        id=record.id,
        actor=ActorView(kind=origin.actor.kind, id=origin.actor.id),
        action=note.action,
        object_id=note.object_id,
        owner_id=note.owner_id,
        reason=note.reason,
        before=dict(note.before),
        after=dict(note.after),
        address=origin.address,
        request_id=origin.request_id,
        created_at=record.created_at,
    )
