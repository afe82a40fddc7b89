"""Records of the audit log, with their places in the chain."""

from typing import Final, NamedTuple

from gateway.domain.audit import AuditId, AuditRecord


class ChainLink(NamedTuple):
    """A record's place in the chain.

    Attributes:
        position: From 1, without gaps.
        audit_id: Of the record.
        hash: The SHA-256 of the hash before it and of the record, 32 bytes.
    """

    position: int
    audit_id: AuditId
    hash: bytes


class ChainEnd(NamedTuple):
    """The last link of a part of the chain: its position and its hash."""

    position: int
    hash: bytes


NO_LINKS: Final = ChainEnd(0, bytes(32))
"""The end of a chain without links: what the first one is chained to."""


class ChainedRecord(NamedTuple):
    """A link, with the record that it names; `None` if there is no such record."""

    link: ChainLink
    record: AuditRecord | None


class StrayRecord(NamedTuple):
    """A record and its place in the chain, where they are not both there.

    Attributes:
        audit_id: Of the record.
        exists: Whether there is such a record, and it can be read.
        waits: Whether it waits for its place in the chain.
    """

    audit_id: AuditId
    exists: bool
    waits: bool
