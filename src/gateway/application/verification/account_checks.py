"""Rules about accounts: counters, versions, balances after each transfer, totals of each currency."""

from collections import defaultdict

from gateway.application.ports.reader import StatusChange
from gateway.application.verification.account_history import AccountHistory, Counters, changes_of, counters_of
from gateway.application.verification.findings import Findings
from gateway.application.verification.kept_events import KeptEvents
from gateway.application.verification.transaction_parties import Sides
from gateway.domain.account import MAY_BE_NEGATIVE, Account, AccountId
from gateway.domain.money import CurrencyCode
from gateway.domain.transaction import Transaction
from gateway.domain.transfer import BalanceAfter, Transfer


class AccountChecks:
    """Checks accounts against their history. Rows come in this order: accounts, status changes, transactions."""

    def __init__(self, findings: Findings, kept_events: KeptEvents) -> None:
        self._findings = findings
        self._kept_events = kept_events
        self._histories: dict[AccountId, AccountHistory] = {}

    def add_account(self, account: Account) -> None:
        """Check one row, and begin its history."""
        history = AccountHistory(account, is_whole=self._kept_events.has(account.created_at))
        self._histories[account.id] = history
        if min(counters_of(account)) < 0:
            self._findings.add("account_counters_negative", account.id, "A counter is below zero.")
        if account.available < 0 and account.kind not in MAY_BE_NEGATIVE:
            self._findings.add("account_overdrawn", account.id, f"{account.available} minor units are available.")

    def add_status_change(self, change: StatusChange) -> None:
        """Record a version that no transfer made."""
        history = self._histories.get(change.account_id)
        if history is None:
            self._findings.add("account_missing", change.account_id, "An event tells of it, but it does not exist.")
            return
        history.add_status_version(change.version)
        self._add_version(history, change.version)

    def add_transaction(self, transaction: Transaction) -> None:
        """Record what each transfer changes at both of its accounts."""
        for transfer in transaction.transfers:
            debit, credit = changes_of(transfer.kind, transfer.amount_minor)
            currency = transfer.currency
            self._add_change(transaction, currency, transfer.debit_account_id, debit, transfer.debit_after)
            self._add_change(transaction, currency, transfer.credit_account_id, credit, transfer.credit_after)

    def sides_of(self, transfer: Transfer) -> Sides | None:
        """Both accounts of a transfer; `None` if one does not exist."""
        debit = self._histories.get(transfer.debit_account_id)
        credit = self._histories.get(transfer.credit_account_id)
        return None if debit is None or credit is None else Sides(debit.account, credit.account)

    def finish(self) -> None:
        """Compare each account with its history, and the totals of each currency. Call it after the last row."""
        totals: dict[CurrencyCode, Counters] = defaultdict(Counters)
        for history in self._histories.values():
            self._check_history(history)
            currency = history.account.currency
            totals[currency] = totals[currency].plus(counters_of(history.account))
        for currency, total in sorted(totals.items()):
            if total.debits_posted != total.credits_posted or total.debits_pending != total.credits_pending:
                self._findings.add("currency_totals", currency, f"Debits and credits differ: {total}.")

    def _add_change(
        self,
        transaction: Transaction,
        currency: CurrencyCode,
        account_id: AccountId,
        change: Counters,
        after: BalanceAfter,
    ) -> None:
        history = self._histories.get(account_id)
        if history is None:
            self._findings.add(
                "account_missing", account_id, f"{transaction.id} moves its money, but it does not exist."
            )
            return
        if history.account.currency != currency:
            self._findings.add("transfer_currency", transaction.id, f"It moves {currency} at {account_id}.")
        self._add_version(history, after.version)
        history.add_transfer(change, after, events_are_kept=self._kept_events.has(transaction.created_at))

    def _add_version(self, history: AccountHistory, version: int) -> None:
        account = history.account
        if not 1 <= version <= account.version:
            self._findings.add("account_version_unknown", account.id, f"It never had the version {version}.")
        elif not history.add_version(version):
            self._findings.add("account_version_twice", account.id, f"Two changes claim the version {version}.")

    def _check_history(self, history: AccountHistory) -> None:
        account = history.account
        row = counters_of(account)
        if row != history.counters:
            detail = f"It says {row}; its transfers add up to {history.counters}."
            self._findings.add("account_counters", account.id, detail)
        missing = history.first_missing_version()
        if missing is not None:
            detail = f"It is at version {account.version}; no change made the version {missing}."
            self._findings.add("account_version_missing", account.id, detail)
        if not history.is_unbroken():
            detail = "The balances that its transfers recorded do not follow from one another."
            self._findings.add("account_balances", account.id, detail)
