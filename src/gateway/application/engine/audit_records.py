"""The records of the audit log that a command makes."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from gateway.application.engine.command import Moment
from gateway.application.engine.submission import CommandSubmission
from gateway.domain.audit import THE_SYSTEM, Actor, ActorKind, AuditId, AuditNote, AuditRecord, Origin
from gateway.domain.user import SYSTEM


def audit_records(notes: Collection[AuditNote], submission: CommandSubmission, moment: Moment) -> Iterator[AuditRecord]:
    """What the audit log records of a decision. A submission without an origin is the owner's of its key.

    A user who acts for another one, as a member does for a merchant, is the actor; `acts_for` names the other one.
    """
    owner_id = submission.key.owner_id
    if submission.origin is not None:
        origin = submission.origin.origin
    elif owner_id == SYSTEM:
        origin = Origin(actor=THE_SYSTEM)
    else:
        origin = Origin(actor=Actor(kind=ActorKind.USER, id=owner_id))
    actor = origin.actor
    acts_for = owner_id if actor.kind is ActorKind.USER and owner_id not in (actor.id, SYSTEM) else None
    for each in notes:
        note = each if acts_for is None else replace(each, after={**each.after, "acts_for": acts_for})
        yield AuditRecord(id=AuditId(moment.new_id("aud")), origin=origin, note=note, created_at=moment.now)
