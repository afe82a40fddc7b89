"""The chain of hashes over the audit log (docs/decisions/0045)."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from gateway.application.ports.audit_records import ChainLink
from gateway.domain.audit import AuditRecord

FIRST_HASH: Final = bytes(32)
"""What the first record is chained to."""

_encoder = msgspec.json.Encoder(order="deterministic")


def chained(records: Iterable[AuditRecord], *, position: int, previous: bytes) -> Iterator[ChainLink]:
    """The links of records, each chained to the one before.

    Args:
        records: In the order of the chain.
        position: Of the last link before them; 0 if there is none.
        previous: The hash of that link; `FIRST_HASH` if there is none.
    """
    for number, record in enumerate(records, position + 1):
        previous = hash_of(record, number, previous)
        yield ChainLink(position=number, audit_id=record.id, hash=previous)


def hash_of(record: AuditRecord, position: int, previous: bytes) -> bytes:
    """The hash of a record at a position: the SHA-256 of the hash before it and of all fields, as JSON."""
    origin, note = record.origin, record.note
    fields = (
        position,
        record.id,
        record.created_at.isoformat(),
        origin.actor.kind.value,
        origin.actor.id,
        origin.address,
        origin.request_id,
        note.action.value,
        note.object_id,
        note.reason,
        dict(note.before),
        dict(note.after),
        # Records of before it was recorded have the hashes that they had.
        *(() if note.owner_id is None else (note.owner_id,)),
    )
    return hashlib.sha256(previous + _encoder.encode(fields)).digest()
