"""Books: the sums of what was committed, and the invariants of every commit, without the domain's code."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Final

from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.unit_of_work import Changes
from gateway.domain.account import Account, AccountId, AccountKey, AccountKind
from gateway.domain.event import Event
from gateway.domain.payment import Payment, PaymentId, QuoteId
from gateway.domain.quote import Quote, SpreadRefund
from gateway.domain.transaction import Transaction, TransactionId
from gateway.domain.user import UserId
from gateway.simulation.model_records import customer_key, merchant_key, own_key
from gateway.simulation.violation import Violation

_OVERDRAFT: Final = frozenset({AccountKind.FUNDING, AccountKind.EXCHANGE})
_HOLDING: Final = frozenset({"authorized", "partially_captured"})

Counters = tuple[int, int, int, int]
"""Debits pending and posted, credits pending and posted, in minor units."""

_NOTHING: Final = (0, 0, 0, 0)
_EFFECTS: Final = {"post": (0, 1), "hold": (1, 0), "post_held": (-1, 1), "release": (-1, 0)}


@dataclass(slots=True)
class Books:
    """Checks each commit once. The work grows with the commit, not with the history."""

    counters: dict[AccountId, Counters] = field(default_factory=dict[AccountId, Counters])
    """The sums of the transfers of each account."""
    accounts: dict[AccountId, Account] = field(default_factory=dict[AccountId, Account])
    ids: dict[AccountKey, AccountId] = field(default_factory=dict[AccountKey, AccountId])
    payments: dict[PaymentId, Payment] = field(default_factory=dict[PaymentId, Payment])
    promised: Counter[AccountKey] = field(default_factory=Counter[AccountKey])
    """The amounts on hold for unfinished payments, by the account of either party."""
    totals: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Debits less credits of all accounts, pending and posted, by currency."""
    quotes: dict[QuoteId, Quote] = field(default_factory=dict[QuoteId, Quote])
    across: dict[PaymentId, Counter[AccountKey]] = field(default_factory=dict[PaymentId, Counter[AccountKey]])
    """The net amount that each account received by a payment with a quote."""
    transactions: set[TransactionId] = field(default_factory=set[TransactionId])
    answers: set[AnswerKey] = field(default_factory=set[AnswerKey])

    def take(self, changes: Changes) -> Iterator[Violation]:
        """Record a commit. Yields the invariants that it violates."""
        steps: dict[AccountId, list[int]] = {account.id: [] for account in _accounts(changes)}
        yield from self._answers(changes)
        yield from self._transactions(changes, steps)
        for event in changes.events_new:
            if isinstance(event.object, Account):
                steps.setdefault(event.object.id, []).append(event.sequence)
            if isinstance(event.object, Payment) and _parties_told(event) != _parties_told(event.object):
                yield Violation("event_parties", f"{event.id} names other parties than {event.object.id} has.")
        yield from self._payments(changes)
        for account in _accounts(changes):
            yield from self._account(account, steps.pop(account.id))
        yield from self._held(changes)
        yield from self._quotes(changes)
        yield from self._across(changes)
        for account_id in steps:
            yield Violation("account_counters", f"{account_id} was moved, and its row was not written.")
        for currency in {account.currency: None for account in _accounts(changes)}:
            if any(self.totals[currency]):
                yield Violation("currency_totals", f"Debits and credits in {currency} differ: {self.totals[currency]}.")

    def _answers(self, changes: Changes) -> Iterator[Violation]:
        for answer in changes.answers_new:
            if answer.key in self.answers:
                yield Violation("key_answered_once", f"{answer.key} was answered a second time.")
            self.answers.add(answer.key)

    def _transactions(self, changes: Changes, steps: dict[AccountId, list[int]]) -> Iterator[Violation]:
        kinds = {account.id: account.kind for account in _accounts(changes)}
        for transaction in changes.transactions_new:
            if transaction.id in self.transactions or not transaction.transfers:
                yield Violation("transaction_new", f"{transaction.id} is not a new transaction that moves something.")
            self.transactions.add(transaction.id)
            self._post(transaction, steps)
            for transfer in transaction.transfers:
                if transfer.debit_after.available < 0 and kinds.get(transfer.debit_account_id) not in _OVERDRAFT:
                    yield Violation("account_available", f"{transaction.id} overdraws {transfer.debit_account_id}.")

    def _post(self, transaction: Transaction, steps: dict[AccountId, list[int]]) -> None:
        for transfer in transaction.transfers:
            pending, posted = (sign * transfer.amount_minor for sign in _EFFECTS[transfer.kind.value])
            debit = self.counters.get(transfer.debit_account_id, _NOTHING)
            self.counters[transfer.debit_account_id] = (debit[0] + pending, debit[1] + posted, debit[2], debit[3])
            credit = self.counters.get(transfer.credit_account_id, _NOTHING)
            self.counters[transfer.credit_account_id] = (credit[0], credit[1], credit[2] + pending, credit[3] + posted)
            steps.setdefault(transfer.debit_account_id, []).append(transfer.debit_after.version)
            steps.setdefault(transfer.credit_account_id, []).append(transfer.credit_after.version)

    def _account(self, account: Account, steps: list[int]) -> Iterator[Violation]:
        row, added = _counters(account), self.counters.get(account.id, _NOTHING)
        last = self.accounts.get(account.id)
        before = 0 if last is None else last.version
        if row != added or min(row) < 0:
            yield Violation("account_counters", f"{account.id} says {row}, its transfers add up to {added}.")
        if sorted(steps) != list(range(before + 1, account.version + 1)):
            detail = f"{account.id} went from version {before} to {account.version} by the versions {sorted(steps)}."
            yield Violation("account_versions", detail)
        self._total(last, -1)
        self._total(account, 1)
        self.accounts[account.id] = account
        self.ids[account.key] = account.id

    def _total(self, account: Account | None, sign: int) -> None:
        if account is not None:
            total = self.totals.setdefault(account.currency, [0, 0])
            total[0] += sign * (account.debits_pending - account.credits_pending)
            total[1] += sign * (account.debits_posted - account.credits_posted)

    def _payments(self, changes: Changes) -> Iterator[Violation]:
        sequences = _sequences(changes.events_new)
        for payment in (*changes.payments_new, *changes.payments_changed):
            before = self.payments.get(payment.id)
            version = 0 if before is None else before.version
            if sequences.pop(payment.id, []) != list(range(version + 1, payment.version + 1)):
                detail = f"{payment.id} went from version {version} to {payment.version} with other events."
                yield Violation("payment_events", detail)
            captured = payment.amount_captured_minor
            if not 0 <= payment.amount_refunded_minor <= captured <= payment.amount.amount_minor:
                detail = f"{payment.id}: {payment.amount_refunded_minor} refunded of {captured} captured."
                yield Violation("payment_amounts", detail)
            if not 0 <= payment.fee_amount_minor <= captured:
                yield Violation("payment_fee", f"{payment.id} is charged {payment.fee_amount_minor} of {captured}.")
            self._promise(before, -1)
            self._promise(payment, 1)
            self.payments[payment.id] = payment
        for payment_id in sequences:
            yield Violation("payment_events", f"An event tells of {payment_id}, which did not change.")

    def _held(self, changes: Changes) -> Iterator[Violation]:
        keys = [account.key for account in _accounts(changes)]
        for payment in (*changes.payments_new, *changes.payments_changed):
            keys.extend(_parties(payment))
        for key in dict.fromkeys(keys):
            if key in self.ids:
                account = self.accounts[self.ids[key]]
                pending = account.debits_pending if key.kind is AccountKind.CUSTOMER else account.credits_pending
                if pending != self.promised[key]:
                    detail = f"{account.id} has {pending} pending; unfinished payments hold {self.promised[key]}."
                    yield Violation("held_for_payments", detail)

    def _quotes(self, changes: Changes) -> Iterator[Violation]:
        quotes = (*changes.quotes_new, *changes.quotes_changed)
        payments = (*changes.payments_new, *changes.payments_changed)
        for quote in quotes:
            yield from self._quote(quote)
        uses = {(quote.id, quote.payment_id): None for quote in quotes if quote.payment_id is not None}
        uses |= {(payment.quote_id, payment.id): None for payment in payments if payment.quote_id is not None}
        for quote_id, payment_id in uses:
            used, paid = self.quotes.get(quote_id), self.payments.get(payment_id)
            if used is None or paid is None or (used.payment_id, paid.quote_id) != (payment_id, quote_id):
                yield Violation("quote_payment", f"{quote_id} and {payment_id} do not tell of each other.")

    def _quote(self, quote: Quote) -> Iterator[Violation]:
        before = self.quotes.get(quote.id)
        if before is not None and before.payment_id is not None:
            yield Violation("quote_used_once", f"{quote.id} was used by {before.payment_id} and {quote.payment_id}.")
        if quote.version != (1 if before is None else before.version + 1):
            yield Violation("quote_versions", f"{quote.id} has come to version {quote.version}.")
        self.quotes[quote.id] = quote

    def _across(self, changes: Changes) -> Iterator[Violation]:
        """Each account has its share of a payment with a quote; after a full refund, all but a kept spread is zero."""
        payments = (*changes.payments_new, *changes.payments_changed)
        paid = {payment.id: payment for payment in payments if payment.quote_id is not None}
        for transaction in changes.transactions_new:
            if transaction.payment_id is not None and transaction.payment_id in paid:
                got = self.across.setdefault(transaction.payment_id, Counter())
                for transfer in transaction.transfers:
                    got[self.accounts[transfer.debit_account_id].key] -= transfer.amount_minor
                    got[self.accounts[transfer.credit_account_id].key] += transfer.amount_minor
        for payment in paid.values():
            got, must = self.across.get(payment.id, Counter()), self._shares(payment)
            if any(got[key] != must[key] for key in (*got, *must)):
                yield Violation("exchange", f"By {payment.id} have been got {got}; it must be {must}.")
            if payment.amount_refunded_minor == payment.amount.amount_minor:
                self.across.pop(payment.id, None)

    def _shares(self, payment: Payment) -> Counter[AccountKey]:
        quote = self.quotes.get(payment.quote_id or QuoteId(""))
        if quote is None:
            return Counter()
        kept = Fraction(payment.amount.amount_minor - payment.amount_refunded_minor, payment.amount.amount_minor)
        source, spread = ceil(quote.source.amount_minor * kept), ceil(quote.spread_minor * kept)
        if quote.spread_refund is not SpreadRefund.ALWAYS:
            is_with_fee = quote.spread_refund is SpreadRefund.WITH_FEE
            returned = Fraction(payment.amount_refunded_with_fee_minor * is_with_fee, payment.amount.amount_minor)
            spread = ceil(quote.spread_minor * (1 - returned))
            source = ceil((quote.source.amount_minor - quote.spread_minor) * kept) + spread
        target, fee = payment.amount_captured_minor - payment.amount_refunded_minor, payment.fee_amount_minor
        paid_in, paid_to = quote.source.currency, payment.amount.currency
        return Counter(
            {
                customer_key(quote.customer_id, paid_in): -source,
                own_key(AccountKind.EXCHANGE, paid_in): source - spread,
                own_key(AccountKind.FEES, paid_in): spread,
                own_key(AccountKind.EXCHANGE, paid_to): -target,
                merchant_key(payment.merchant_id, paid_to): target - fee,
                own_key(AccountKind.FEES, paid_to): fee,
            }
        )

    def _promise(self, payment: Payment | None, sign: int) -> None:
        if payment is not None and payment.status.value in _HOLDING:
            for key in _parties(payment):
                self.promised[key] += sign * (payment.amount.amount_minor - payment.amount_captured_minor)


def _accounts(changes: Changes) -> Iterator[Account]:
    yield from changes.accounts_new
    yield from changes.accounts_changed


def _parties(payment: Payment) -> Iterator[AccountKey]:
    currency = payment.amount.currency
    yield AccountKey(payment.merchant_id, currency, AccountKind.MERCHANT)
    if payment.customer_id is not None:
        yield AccountKey(payment.customer_id, currency, AccountKind.CUSTOMER)


def _parties_told(record: Event | Payment) -> tuple[UserId | None, UserId | None]:
    return record.customer_id, record.merchant_id


def _counters(account: Account) -> Counters:
    return account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted


def _sequences(events: Collection[Event]) -> dict[PaymentId, list[int]]:
    sequences: dict[PaymentId, list[int]] = {}
    for event in events:
        if isinstance(event.object, Payment):
            sequences.setdefault(event.object.id, []).append(event.sequence)
    return sequences
