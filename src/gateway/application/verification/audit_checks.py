"""Rules about the audit log: no record was changed, deleted or inserted by hand, and its end was not cut off."""

from gateway.application.audit_chain import hash_of
from gateway.application.ports.audit_records import NO_LINKS, ChainedRecord, ChainEnd, StrayRecord
from gateway.application.verification.findings import Findings
from gateway.domain.audit import THE_LOG


class AuditChecks:
    """Checks the chain link by link, and the records that have no place in it."""

    def __init__(self, findings: Findings, known_head: ChainEnd | None) -> None:
        """Checks of one run.

        Args:
            findings: Where findings are added.
            known_head: An end of the chain that an earlier run has told; `None` without one.
        """
        self._findings = findings
        self._position, self._previous = NO_LINKS
        self._known_head = known_head
        self._heads: list[ChainEnd] = []

    def begin(self, deleted: ChainEnd | None, head: ChainEnd | None) -> None:
        """Begin behind the links that housekeeping has deleted; `head` is the end of the chain as it was written down.

        A chain may go on behind `head`: processes of the version before do not move it on.
        """
        if head is None:
            self._findings.add("audit_chain_cut", THE_LOG, "The end of the chain is not written down any more.")
        self._heads = [each for each in (head, self._known_head) if each is not None]
        if deleted is not None:
            self._position, self._previous = deleted
            known = self._known_head
            if known is not None and known.position < deleted.position:
                detail = f"The records until {deleted.position} were deleted: give a later end than {known.position}."
                self._findings.add("audit_head_too_old", THE_LOG, detail)
        self._compare_heads()

    def finish(self) -> ChainEnd:
        """Check that the chain has not ended before. Returns its end."""
        come = max((head.position for head in self._heads), default=0)
        if come > self._position:
            detail = f"The chain ends at {self._position}; it had come to {come}."
            self._findings.add("audit_chain_cut", THE_LOG, detail)
        return ChainEnd(self._position, self._previous)

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
        self._compare_heads()

    def _compare_heads(self) -> None:
        """A chain that was written anew has another hash where it had ended."""
        for head in self._heads:
            if head.position == self._position and head.hash != self._previous:
                detail = f"Its hash at {head.position} is not the one that was written down: it was made anew."
                self._findings.add("audit_chain_cut", THE_LOG, detail)

    def add_stray(self, stray: StrayRecord) -> None:
        """Check a record without a place in the chain: only a new one waits for it."""
        if not stray.waits:
            detail = "It has no place in the chain, and waits for none: the gateway has not written it."
            self._findings.add("audit_record_inserted", stray.audit_id, detail)
        elif not stray.exists:
            detail = "It waits for its place, but does not exist, or cannot be read."
            self._findings.add("audit_record_missing", stray.audit_id, detail)
