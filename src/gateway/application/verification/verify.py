"""Verify: every invariant of the ledger, checked on one snapshot."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from typing import NamedTuple, TypeVar

from gateway.application.ports.audit_records import ChainEnd
from gateway.application.ports.reader import Audit
from gateway.application.verification.account_checks import AccountChecks
from gateway.application.verification.audit_checks import AuditChecks
from gateway.application.verification.findings import Findings
from gateway.application.verification.kept_events import KeptEvents
from gateway.application.verification.payment_checks import PaymentChecks, SuspectPayments
from gateway.application.verification.payment_flows import Flow, flows_of
from gateway.application.verification.transaction_parties import is_between_its_parties
from gateway.domain.payment import PaymentId
from gateway.domain.transaction import Transaction

Row = TypeVar("Row")


class Progress(NamedTuple):
    """How far a verification has come."""

    step: str
    """The rows that are being read: `"accounts"`, `"transactions"` …"""
    done: int
    total: int | None
    """The number of these rows, if it is known."""


async def verify(
    audit: Audit, on_progress: Callable[[Progress], None] = lambda _: None, *, known_head: ChainEnd | None = None
) -> Findings:
    """Check every invariant of the ledger.

    Reads page by page. Memory grows with the number of accounts, and by one bit for each version of an account; not
    with the number of payments, except those that were created before and changed after the events that housekeeping
    has deleted last.

    Args:
        audit: A snapshot of the ledger, from `Storage.audit`.
        on_progress: Called after each page.
        known_head: `audit_head` of an earlier run: the chain of the audit log must still have it.

    Returns:
        The rows that break a rule, and the number of rows read.

    Raises:
        StorageUnavailable: The storage went away.
    """
    kept_events = KeptEvents(since=await audit.events_kept_since())
    return await _Verification(audit, kept_events, on_progress, known_head).run()


class _Verification:
    """One run over one snapshot."""

    def __init__(
        self,
        audit: Audit,
        kept_events: KeptEvents,
        on_progress: Callable[[Progress], None],
        known_head: ChainEnd | None,
    ) -> None:
        self._audit = audit
        self._kept_events = kept_events
        self._on_progress = on_progress
        self._findings = Findings()
        self._accounts = AccountChecks(self._findings, kept_events)
        self._audit_log = AuditChecks(self._findings, known_head)
        self._payments = PaymentChecks(self._findings, kept_events)

    async def run(self) -> Findings:
        """Read everything once; the rows about payments twice if a payment differs from its history."""
        audit, size = self._audit, await self._audit.size()
        await self._read("accounts", audit.accounts(), self._accounts.add_account, size.accounts)
        await self._read("status changes", audit.status_changes(), self._accounts.add_status_change)
        await self._read("transactions", audit.transactions(), self._check_transaction, size.transactions)
        await self._read("payments", audit.payments(), self._payments.add_payment)
        await self._read("used quotes", audit.used_quotes(), self._payments.add_used_quote)
        await self._read("payment events", _items(audit.payment_events()), self._payments.add_events)
        self._audit_log.begin(await audit.audit_deleted(), await audit.audit_head())
        await self._read("audit records", audit.audit_chain(), self._audit_log.add_link)
        self._findings.audit_head = self._audit_log.finish()
        await self._read("new audit records", audit.stray_audit_records(), self._audit_log.add_stray)
        self._accounts.finish()
        self._payments.finish()
        if self._payments.sums.any_differ():
            await self._name_payments()
        return self._findings

    async def _read(
        self, step: str, pages: AsyncIterator[Collection[Row]], check: Callable[[Row], None], total: int | None = None
    ) -> None:
        self._findings.read[step] = 0
        self._on_progress(Progress(step, 0, total))
        async for page in pages:
            for row in page:
                check(row)
            self._findings.read[step] += len(page)
            self._on_progress(Progress(step, self._findings.read[step], total))

    async def _name_payments(self) -> None:
        suspects = SuspectPayments(self._findings, self._payments.sums, self._kept_events)
        async for transactions in self._audit.transactions():
            for transaction in transactions:
                for payment_id, flow, amount_minor in self._flows_of(transaction):
                    suspects.add_flow(payment_id, flow, amount_minor)
        await _each(self._audit.payments(), suspects.add_payment)
        await _each(_items(self._audit.payment_events()), suspects.add_events)
        await _each(self._audit.used_quotes(), suspects.add_used_quote)
        suspects.finish()

    def _check_transaction(self, transaction: Transaction) -> None:
        if not transaction.transfers:
            self._findings.add("transaction_empty", transaction.id, "It moves nothing.")
            return
        for transfer in transaction.transfers:
            if transfer.amount_minor < 1:
                self._findings.add("transfer_amount", transaction.id, f"It moves {transfer.amount_minor} minor units.")
            if transfer.debit_account_id == transfer.credit_account_id:
                self._findings.add("transfer_same_account", transaction.id, "An account pays itself.")
        self._accounts.add_transaction(transaction)
        sides = [self._accounts.sides_of(transfer) for transfer in transaction.transfers]
        if not is_between_its_parties(transaction, sides):
            self._findings.add("transaction_parties", transaction.id, "It moves money between the wrong accounts.")
        for payment_id, flow, amount_minor in self._flows_of(transaction):
            self._payments.add_flow(payment_id, flow, amount_minor)

    def _flows_of(self, transaction: Transaction) -> Iterator[tuple[PaymentId, Flow, int]]:
        """The flows that a transaction changes for its payment, in minor units; none without a payment."""
        if transaction.payment_id is None:
            return
        for transfer in transaction.transfers:
            sides = self._accounts.sides_of(transfer)
            if sides is not None:
                flows = flows_of(transaction, transfer, sides.debit.kind, sides.credit.kind)
                for flow, amount_minor in flows.items():
                    yield transaction.payment_id, flow, amount_minor


async def _each(pages: AsyncIterator[Collection[Row]], take: Callable[[Row], None]) -> None:
    async for page in pages:
        for row in page:
            take(row)


async def _items(
    pages: AsyncIterator[Mapping[PaymentId, Collection[int]]],
) -> AsyncIterator[Collection[tuple[PaymentId, Collection[int]]]]:
    async for page in pages:
        yield page.items()
