"""Rules about the audit log: no record was changed, deleted or inserted by hand."""

from gateway.application.audit_chain import FIRST_HASH, hash_of
from gateway.application.ports.audit_records import ChainedRecord, ChainEnd, StrayRecord
from gateway.application.verification.findings import Findings


class AuditChecks:
    """Checks the chain link by link, and the records that have no place in it."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._position, self._previous = ChainEnd(0, FIRST_HASH)

    def begin_after(self, deleted: ChainEnd) -> None:
        """Begin behind the links that housekeeping has deleted."""
        self._position, self._previous = deleted

    def add_link(self, chained: ChainedRecord) -> None:
        """Check a link against the link before it, and its record against its hash."""
        link, record = chained
        if link.position != self._position + 1:
            detail = f"Before the position {link.position} comes {self._position}: links are missing."
            self._findings.add("audit_chain_broken", link.audit_id, detail)
        elif record is None:
            self._findings.add("audit_record_missing", link.audit_id, "The chain has it, but it cannot be read.")
        elif hash_of(record, link.position, self._previous) != link.hash:
            self._findings.add("audit_record_changed", link.audit_id, "It is not what was written: its hash differs.")
        self._position, self._previous = link.position, link.hash

    def add_stray(self, stray: StrayRecord) -> None:
        """Check a record without a place in the chain: only a new one waits for it."""
        if not stray.exists:
            self._findings.add("audit_record_missing", stray.audit_id, "It waits for its place, but does not exist.")
        elif not stray.waits:
            detail = "It has no place in the chain, and waits for none: the gateway has not written it."
            self._findings.add("audit_record_inserted", stray.audit_id, detail)
