"""Rules about payments: each row against its transactions, its events and its quote.

The first pass, `PaymentChecks`, checks rows by themselves and finds in constant memory whether any payment differs from
its history. If one does, the second pass, `SuspectPayments`, compares the payments that may, and names those that do.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from gateway.application.ports.reader import UsedQuote
from gateway.application.verification.bucket_sums import BucketSums
from gateway.application.verification.findings import Findings
from gateway.application.verification.kept_events import KeptEvents
from gateway.application.verification.payment_flows import Flow, flows_implied_by, flows_implied_by_quote
from gateway.application.verification.payment_rows import VERSION_MAX, check_payment, has_possible_version
from gateway.domain.payment import Payment, PaymentId, QuoteId
from gateway.domain.quote import Quote


class _QuoteUse(NamedTuple):
    """The fact that a payment has used a quote: told by the quote, and implied by the payment."""

    quote_id: QuoteId


class _PartlyKept(NamedTuple):
    """A payment some of whose first events may be deleted."""

    payment: Payment
    sequences: list[int]


class PaymentChecks:
    """The first pass. Rows come in any order."""

    def __init__(self, findings: Findings, kept_events: KeptEvents) -> None:
        self._findings = findings
        self._kept_events = kept_events
        self._partly_kept: dict[PaymentId, _PartlyKept] = {}
        """The payments of whose events the first ones may be deleted, and the last one must be kept."""
        self.sums = BucketSums()

    def add_flow(self, payment_id: PaymentId, flow: Flow, amount_minor: int) -> None:
        """Add what a transfer did for a payment."""
        self.sums.add(payment_id, flow, amount_minor)

    def add_payment(self, payment: Payment) -> None:
        """Check a row, and subtract what it implies."""
        check_payment(payment, self._findings)
        if not has_possible_version(payment):
            return
        for flow, amount_minor in flows_implied_by(payment).items():
            self.sums.subtract(payment.id, flow, amount_minor)
        if self._kept_events.has(payment.created_at):
            for sequence in _sequences_implied_by(payment):
                self.sums.subtract(payment.id, sequence)
        elif self._kept_events.has(payment.updated_at):
            self._partly_kept[payment.id] = _PartlyKept(payment, [])
        if payment.quote_id is not None:
            self.sums.subtract(payment.id, _QuoteUse(payment.quote_id))

    def add_used_quote(self, used: UsedQuote) -> None:
        """Check a quote against the payment that has used it."""
        quote, payment = used
        if quote.payment_id is None or payment is None:
            self._findings.add("quote_payment", quote.id, f"{quote.payment_id} has used it, but does not exist.")
            return
        if quote.customer_id != payment.customer_id or quote.target != payment.amount:
            self._findings.add("quote_payment", quote.id, f"It is not for what {payment.id} is.")
        self.sums.add(payment.id, _QuoteUse(quote.id))
        for flow, amount_minor in flows_implied_by_quote(quote, payment).items():
            self.sums.subtract(payment.id, flow, amount_minor)

    def add_events(self, events: tuple[PaymentId, Collection[int]]) -> None:
        """Add the sequences of some events of a payment."""
        payment_id, sequences = events
        if payment_id in self._partly_kept:
            self._partly_kept[payment_id].sequences.extend(sequences)
            return
        # Events of payments that changed last before the others were deleted differ here; the second pass knows better.
        for sequence in sequences:
            self.sums.add(payment_id, sequence)

    def finish(self) -> None:
        """Compare the payments whose first events may be deleted. Call it after the last row."""
        for payment, sequences in self._partly_kept.values():
            if not _has_events(payment, sequences, self._kept_events):
                self.sums.add(payment.id, "events")


class SuspectPayments:
    """The second pass, over the payments whose bucket sums differ. Rows come in any order."""

    def __init__(self, findings: Findings, sums: BucketSums, kept_events: KeptEvents) -> None:
        self._findings = findings
        self._sums = sums
        self._kept_events = kept_events
        self._payments: dict[PaymentId, Payment] = {}
        self._flows: dict[PaymentId, Counter[Flow]] = defaultdict(Counter)
        self._sequences: dict[PaymentId, list[int]] = defaultdict(list)
        self._quotes: dict[PaymentId, list[Quote]] = defaultdict(list)

    def add_flow(self, payment_id: PaymentId, flow: Flow, amount_minor: int) -> None:
        """Keep what a transfer did for a suspect."""
        if self._sums.may_differ(payment_id):
            self._flows[payment_id][flow] += amount_minor

    def add_payment(self, payment: Payment) -> None:
        """Keep a suspect."""
        if self._sums.may_differ(payment.id):
            self._payments[payment.id] = payment

    def add_used_quote(self, used: UsedQuote) -> None:
        """Keep a suspect's quote."""
        quote, payment = used
        if payment is not None and self._sums.may_differ(payment.id):
            self._quotes[payment.id].append(quote)

    def add_events(self, events: tuple[PaymentId, Collection[int]]) -> None:
        """Keep the sequences of a suspect's events."""
        payment_id, sequences = events
        if self._sums.may_differ(payment_id):
            self._sequences[payment_id].extend(sequences)

    def finish(self) -> None:
        """Name the payments that differ. Call it after the last row."""
        for payment_id in sorted((self._flows.keys() | self._sequences.keys()) - self._payments.keys()):
            self._findings.add("payment_missing", payment_id, "History tells of it, but it does not exist.")
        for payment in self._payments.values():
            quotes = self._quotes[payment.id]
            self._compare_flows(payment, self._flows[payment.id], quotes)
            self._compare_events(payment, self._sequences[payment.id])
            self._compare_quotes(payment, quotes)

    def _compare_flows(self, payment: Payment, flows: Counter[Flow], quotes: Sequence[Quote]) -> None:
        expected = flows_implied_by(payment)
        for quote in quotes:
            expected.update(flows_implied_by_quote(quote, payment))
        if flows != expected:
            implied = {flow.name: amount_minor for flow, amount_minor in expected.items()}
            found = {flow.name: amount_minor for flow, amount_minor in flows.items() if flow in expected}
            others = sum(amount_minor != 0 for flow, amount_minor in flows.items() if flow not in expected)
            detail = (
                f"It says {implied}; its transactions come to {found}, and {others} amounts are not between its "
                "parties in its currency."
            )
            self._findings.add("payment_transactions", payment.id, detail)

    def _compare_events(self, payment: Payment, sequences: Sequence[int]) -> None:
        if not _has_events(payment, sequences, self._kept_events):
            detail = f"It is at version {payment.version}; its events have the sequences {sorted(sequences)}."
            self._findings.add("payment_events", payment.id, detail)

    def _compare_quotes(self, payment: Payment, quotes: Sequence[Quote]) -> None:
        expected = [] if payment.quote_id is None else [payment.quote_id]
        used = [quote.id for quote in quotes]
        if used != expected:
            detail = f"Its quote is {payment.quote_id}; used for it were {sorted(used)}."
            self._findings.add("payment_quote", payment.id, detail)


def _has_events(payment: Payment, sequences: Sequence[int], kept_events: KeptEvents) -> bool:
    return kept_events.may_be_all(
        sequences, payment.version, created_at=payment.created_at, updated_at=payment.updated_at
    )


def _sequences_implied_by(payment: Payment) -> range:
    return range(1, min(payment.version, VERSION_MAX) + 1)
