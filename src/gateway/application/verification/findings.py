"""Findings of a verification: the rows that break a rule."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.application.ports.audit_records import NO_LINKS, ChainEnd

NAMED_MAX: Final = 100
"""How many findings are named. All of them are counted."""


class Finding(NamedTuple):
    """One row that breaks one rule."""

    rule: str
    """The stable name of the rule, for example `"account_counters"`."""
    subject: str
    """The id of the row; for a rule about a whole currency, its code."""
    detail: str
    """One sentence for a person."""


@dataclass(slots=True)
class Findings:
    """The result of a verification. `named` holds the first `NAMED_MAX` of `count` findings."""

    count: int = 0
    named: list[Finding] = field(default_factory=list[Finding])
    read: Counter[str] = field(default_factory=Counter[str])
    """The number of rows read in each step."""
    audit_head: ChainEnd = NO_LINKS
    """The end of the chain of the audit log. Keep it elsewhere, and give it to a later run."""

    @property
    def ok(self) -> bool:
        """Whether no row breaks a rule."""
        return self.count == 0

    def add(self, rule: str, subject: str, detail: str) -> None:
        """Record a row that breaks a rule."""
        self.count += 1
        if len(self.named) < NAMED_MAX:
            self.named.append(Finding(rule, subject, detail))
