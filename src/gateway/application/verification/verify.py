"""Verify: the whole ledger worked out again from its history, and compared with what it says."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar, assert_never

from gateway.application.ports.reader import Audit, StatusChange, UsedQuote
from gateway.domain.account import MAY_BE_NEGATIVE, Account, AccountId, AccountKind
from gateway.domain.money import CurrencyCode
from gateway.domain.payment import CaptureMethod, Payment, PaymentId, PaymentStatus, QuoteId
from gateway.domain.quote import Quote, returned
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import EFFECTS, BalanceAfter, Transfer, TransferKind

NAMED_MAX: Final = 100
"""How many findings are named. All of them are counted."""

_BUCKETS: Final = 1 << 16

_PAYMENT_VERSION_MAX: Final = 1_000  # More than 50 captures and 100 refunds can make.

Row = TypeVar("Row")


class Finding(NamedTuple):
    """One row that breaks one rule."""

    rule: str
    """The stable name of the rule, for example `"account_counters"`."""
    subject: str
    """The id of the row; for a rule about a whole currency, its code."""
    detail: str
    """One sentence for a person."""


class Progress(NamedTuple):
    """How far a verification has come."""

    step: str
    """What is being read: `"accounts"`, `"transactions"` …"""
    done: int
    total: int | None
    """How many there are, if that is known."""


@dataclass(slots=True)
class Findings:
    """What a verification found. `named` holds the first `NAMED_MAX` of `count`."""

    count: int = 0
    named: list[Finding] = field(default_factory=list[Finding])
    read: Counter[str] = field(default_factory=Counter[str])
    """How many rows were read in each step."""

    @property
    def ok(self) -> bool:
        """Whether the ledger says what its history says."""
        return self.count == 0

    def add(self, rule: str, subject: str, detail: str) -> None:
        """Take down a row that breaks a rule."""
        self.count += 1
        if len(self.named) < NAMED_MAX:
            self.named.append(Finding(rule, subject, detail))


class Counters(NamedTuple):
    """The four counters of an account, or how a transfer moves them, in minor units."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def posted(self) -> int:
        """What has arrived less what has left."""
        return self.credits_posted - self.debits_posted

    def plus(self, moved: "Counters") -> "Counters":
        """These counters, moved."""
        return Counters(*(left + right for left, right in zip(self, moved, strict=True)))


async def verify(audit: Audit, on_progress: Callable[[Progress], None] = lambda _: None) -> Findings:
    """Check every invariant of the ledger.

    Reads page by page. What stays in memory grows with the number of accounts, and by one bit for each version of an
    account; not with the number of payments.

    Args:
        audit: A snapshot of the ledger, from `Storage.audit`.
        on_progress: Told after each page.

    Returns:
        The rows that break a rule, with what was read.

    Raises:
        StorageUnavailable: The storage went away.
    """
    return await _Verification(audit, on_progress).run()


class _History:
    """What is known of one account: the row, and what its history adds up to so far."""

    __slots__ = ("account", "chain", "counters", "last_moved", "status_versions", "versions", "versions_seen")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.counters = Counters()
        self.versions = bytearray()
        self.versions_seen = 0
        self.status_versions: set[int] = set()
        self.last_moved = 0
        self.chain = 0

    def see(self, version: int) -> bool:
        """Take down a version; whether it is a new one."""
        byte, bit = version >> 3, 1 << (version & 7)
        if byte >= len(self.versions):
            self.versions.extend(bytes(byte + 1 - len(self.versions)))
        if self.versions[byte] & bit:
            return False
        self.versions[byte] |= bit
        self.versions_seen += 1
        return True

    def first_missing(self) -> int:
        """The lowest version that was not seen."""
        version = 1
        while version >> 3 < len(self.versions) and self.versions[version >> 3] & (1 << (version & 7)):
            version += 1
        return version

    def move(self, moved: Counters, after: BalanceAfter) -> None:
        """Take down what one transfer did to the account.

        Transfers come in any order, so each adds a number made of the balance after it, and takes away the one made of
        the balance before it. If every balance follows from the one before, what remains is the last one's number.
        """
        before = after.version - 1
        while before in self.status_versions:
            before -= 1
        self.chain += _digest(after.version, after.posted, after.held)
        self.chain -= _digest(before, after.posted - moved.posted, after.held - moved.debits_pending)
        self.counters = self.counters.plus(moved)
        self.last_moved = max(self.last_moved, after.version)

    def is_a_chain(self) -> bool:
        """Whether every balance that a transfer recorded follows from the one before it."""
        return self.last_moved == 0 or self.chain == (
            _digest(self.last_moved, self.counters.posted, self.counters.debits_pending) - _digest(0, 0, 0)
        )


class _Comparison:
    """Two lists that must be equal, compared without keeping either: each payment adds to the number of its bucket.

    Where the lists differ, some bucket does not come to nothing, and only its payments are looked at one by one.
    """

    def __init__(self) -> None:
        self._sums = [0] * _BUCKETS

    def add(self, payment_id: PaymentId, fact: object, times: int = 1) -> None:
        """A fact that is told by history, so many times: an amount may be told in parts."""
        self._sums[hash(payment_id) % _BUCKETS] += times * hash((payment_id, fact))

    def take(self, payment_id: PaymentId, fact: object, times: int = 1) -> None:
        """A fact that the payment itself implies."""
        self._sums[hash(payment_id) % _BUCKETS] -= times * hash((payment_id, fact))

    def any_differ(self) -> bool:
        """Whether there is any difference."""
        return any(self._sums)

    def may_differ(self, payment_id: PaymentId) -> bool:
        """Whether the difference may be in this payment."""
        return self._sums[hash(payment_id) % _BUCKETS] != 0


class _Flow(NamedTuple):
    """What transactions did for a payment between its parties: captured, held, refunded or kept as a fee.

    Of a payment with a quote also what went by way of the exchange, there and, apart from it, back: what the merchant
    got, what the customer paid, and the spread.
    """

    name: str
    currency: CurrencyCode
    customer_id: str | None
    merchant_id: str | None


_C, _M, _F, _X = AccountKind.CUSTOMER, AccountKind.MERCHANT, AccountKind.FEES, AccountKind.EXCHANGE
_FLOWS: Final[dict[tuple[TransactionType, TransferKind, AccountKind, AccountKind], Mapping[str, int]]] = {
    (TransactionType.PAYMENT, TransferKind.POST, _C, _M): {"captured": 1},
    (TransactionType.PAYMENT, TransferKind.POST, _M, _F): {"fee": 1},
    (TransactionType.PAYMENT, TransferKind.POST, _X, _M): {"captured": 1, "got": 1},
    (TransactionType.PAYMENT, TransferKind.POST, _C, _X): {"paid": 1},
    (TransactionType.PAYMENT, TransferKind.POST, _X, _F): {"spread": 1},
    (TransactionType.HOLD, TransferKind.HOLD, _C, _M): {"held": 1},
    (TransactionType.CAPTURE, TransferKind.POST_HELD, _C, _M): {"captured": 1, "held": -1},
    (TransactionType.CAPTURE, TransferKind.RELEASE, _C, _M): {"held": -1},
    (TransactionType.CAPTURE, TransferKind.POST, _M, _F): {"fee": 1},
    (TransactionType.RELEASE, TransferKind.RELEASE, _C, _M): {"held": -1},
    (TransactionType.REFUND, TransferKind.POST, _M, _C): {"refunded": 1},
    (TransactionType.REFUND, TransferKind.POST, _F, _M): {"fee": -1},
    (TransactionType.REFUND, TransferKind.POST, _M, _X): {"refunded": 1, "got back": 1},
    (TransactionType.REFUND, TransferKind.POST, _X, _C): {"paid back": 1},
    (TransactionType.REFUND, TransferKind.POST, _F, _X): {"spread back": 1},
}
"""What a transfer from one kind of account to another does for the payment of its transaction. Nothing else may be."""


class _Use(NamedTuple):
    """That a payment has used a quote: told by the quote, and implied by the payment."""

    quote_id: QuoteId


class _Sides(NamedTuple):
    """The two accounts of a transfer."""

    debit: Account
    credit: Account


class _Verification:
    """One run over one snapshot."""

    def __init__(self, audit: Audit, on_progress: Callable[[Progress], None]) -> None:
        self._audit = audit
        self._on_progress = on_progress
        self._findings = Findings()
        self._histories: dict[AccountId, _History] = {}
        self._payments = _Comparison()

    async def run(self) -> Findings:
        """Read everything once, and what concerns payments twice if something is wrong with them."""
        audit, size = self._audit, await self._audit.size()
        await self._read("accounts", audit.accounts(), self._account, size.accounts)
        await self._read("status changes", audit.status_changes(), self._status_change)
        await self._read("transactions", audit.transactions(), self._transaction, size.transactions)
        await self._read("payments", audit.payments(), self._payment)
        await self._read("used quotes", audit.used_quotes(), self._used_quote)
        await self._read("payment events", _items(audit.payment_events()), self._payment_events)
        for history in self._histories.values():
            self._whole_history(history)
        self._currencies()
        if self._payments.any_differ():
            await self._name_payments()
        return self._findings

    async def _read(
        self, step: str, pages: AsyncIterator[Collection[Row]], take: Callable[[Row], None], total: int | None = None
    ) -> None:
        self._findings.read[step] = 0
        self._on_progress(Progress(step, 0, total))
        async for page in pages:
            for row in page:
                take(row)
            self._findings.read[step] += len(page)
            self._on_progress(Progress(step, self._findings.read[step], total))

    def _account(self, account: Account) -> None:
        self._histories[account.id] = _History(account)
        if min(account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted) < 0:
            self._findings.add("account_counters_negative", account.id, "A counter is below zero.")
        if account.available < 0 and account.kind not in MAY_BE_NEGATIVE:
            self._findings.add("account_overdrawn", account.id, f"{account.available} minor units are available.")

    def _status_change(self, change: StatusChange) -> None:
        history = self._histories.get(change.account_id)
        if history is None:
            self._findings.add("account_missing", change.account_id, "An event tells of it, but it does not exist.")
            return
        history.status_versions.add(change.version)
        self._version(history, change.version)

    def _transaction(self, transaction: Transaction) -> None:
        if not transaction.transfers:
            self._findings.add("transaction_empty", transaction.id, "It moves nothing.")
            return
        for transfer in transaction.transfers:
            if transfer.amount_minor < 1:
                self._findings.add("transfer_amount", transaction.id, f"It moves {transfer.amount_minor} minor units.")
            if transfer.debit_account_id == transfer.credit_account_id:
                self._findings.add("transfer_same_account", transaction.id, "An account pays itself.")
            debit, credit = _moved(transfer.kind, transfer.amount_minor)
            self._move(transaction, transfer.currency, transfer.debit_account_id, debit, transfer.debit_after)
            self._move(transaction, transfer.currency, transfer.credit_account_id, credit, transfer.credit_after)
        if not self._is_between_its_parties(transaction):
            self._findings.add("transaction_parties", transaction.id, "It moves money between the wrong accounts.")
        if transaction.payment_id is not None:
            for flow, amount_minor in self._flows_of(transaction):
                self._payments.add(transaction.payment_id, flow, amount_minor)

    def _move(
        self,
        transaction: Transaction,
        currency: CurrencyCode,
        account_id: AccountId,
        moved: Counters,
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
        self._version(history, after.version)
        history.move(moved, after)

    def _version(self, history: _History, version: int) -> None:
        account = history.account
        if not 1 <= version <= account.version:
            self._findings.add("account_version_unknown", account.id, f"It never had the version {version}.")
        elif not history.see(version):
            self._findings.add("account_version_twice", account.id, f"Two changes claim the version {version}.")

    def _is_between_its_parties(self, transaction: Transaction) -> bool:
        sides = [self._sides_of(transfer) for transfer in transaction.transfers]
        if None in sides:
            return True  # An account is missing, which is told by itself.
        parties = {transaction.customer_id, transaction.merchant_id}
        match transaction.type:
            case TransactionType.DEPOSIT:
                return all(
                    side and side.debit.kind is AccountKind.FUNDING and side.credit.owner_id in parties
                    for side in sides
                )
            case TransactionType.PAYOUT:
                return all(
                    side and side.credit.kind is AccountKind.FUNDING and side.debit.owner_id in parties
                    for side in sides
                )
            case TransactionType.REVERSAL:
                return all(
                    side
                    and AccountKind.FUNDING in (side.debit.kind, side.credit.kind)
                    and not parties.isdisjoint((side.debit.owner_id, side.credit.owner_id))
                    for side in sides
                )
            case (
                TransactionType.PAYMENT
                | TransactionType.HOLD
                | TransactionType.CAPTURE
                | TransactionType.RELEASE
                | TransactionType.REFUND
            ):
                return all(
                    side
                    and (transaction.type, transfer.kind, side.debit.kind, side.credit.kind) in _FLOWS
                    and all(
                        account.owner_id == (transaction.customer_id if account.kind is _C else transaction.merchant_id)
                        for account in side
                        if account.kind not in {_F, _X}
                    )
                    for side, transfer in zip(sides, transaction.transfers, strict=True)
                )
            case _:
                assert_never(transaction.type)

    def _sides_of(self, transfer: Transfer) -> "_Sides | None":
        debit = self._histories.get(transfer.debit_account_id)
        credit = self._histories.get(transfer.credit_account_id)
        return None if debit is None or credit is None else _Sides(debit.account, credit.account)

    def _flows_of(self, transaction: Transaction) -> Iterator[tuple[_Flow, int]]:
        """What a transaction did for its payment, with the minor units of each."""
        for transfer in transaction.transfers:
            sides = self._sides_of(transfer)
            if sides is None:
                continue
            for name, sign in _FLOWS.get(
                (transaction.type, transfer.kind, sides.debit.kind, sides.credit.kind), {}
            ).items():
                flow = _Flow(name, transfer.currency, transaction.customer_id, transaction.merchant_id)
                yield flow, sign * transfer.amount_minor

    def _payment(self, payment: Payment) -> None:
        captured = payment.amount_captured_minor
        if not 0 <= captured <= payment.amount.amount_minor:
            self._findings.add("payment_captured", payment.id, f"{captured} of {payment.amount.amount_minor} captured.")
        if not 0 <= payment.amount_refunded_minor <= captured:
            detail = f"{payment.amount_refunded_minor} of {captured} refunded."
            self._findings.add("payment_refunded", payment.id, detail)
        if not 0 <= payment.fee_amount_minor <= captured:
            self._findings.add("payment_fee", payment.id, f"A fee of {payment.fee_amount_minor} on {captured}.")
        if not _status_fits(payment):
            detail = f"It is {payment.status}, and {captured} minor units of it are captured."
            self._findings.add("payment_status", payment.id, detail)
        if not 1 <= payment.version <= _PAYMENT_VERSION_MAX:
            self._findings.add("payment_version", payment.id, f"Its version is {payment.version}.")
            return
        for flow, amount_minor in _flows_implied_by(payment).items():
            self._payments.take(payment.id, flow, amount_minor)
        for sequence in _sequences_implied_by(payment):
            self._payments.take(payment.id, sequence)
        if payment.quote_id is not None:
            self._payments.take(payment.id, _Use(payment.quote_id))

    def _used_quote(self, used: UsedQuote) -> None:
        quote, payment = used
        if quote.payment_id is None or payment is None:
            self._findings.add("quote_payment", quote.id, f"{quote.payment_id} has used it, but does not exist.")
            return
        if quote.customer_id != payment.customer_id or quote.target != payment.amount:
            self._findings.add("quote_payment", quote.id, f"It is not for what {payment.id} is.")
        self._payments.add(payment.id, _Use(quote.id))
        for flow, amount_minor in _flows_implied_by_quote(quote, payment).items():
            self._payments.take(payment.id, flow, amount_minor)

    def _payment_events(self, events: tuple[PaymentId, Collection[int]]) -> None:
        payment_id, sequences = events
        for sequence in sequences:
            self._payments.add(payment_id, sequence)

    def _whole_history(self, history: _History) -> None:
        account = history.account
        kept = Counters(account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted)
        if kept != history.counters:
            detail = f"It says {_told(kept)}; its transfers add up to {_told(history.counters)}."
            self._findings.add("account_counters", account.id, detail)
        if history.versions_seen != account.version:
            detail = f"It is at version {account.version}; no change made the version {history.first_missing()}."
            self._findings.add("account_version_missing", account.id, detail)
        if not history.is_a_chain():
            detail = "The balances that its transfers recorded do not follow from one another."
            self._findings.add("account_balances", account.id, detail)

    def _currencies(self) -> None:
        totals: dict[CurrencyCode, Counters] = defaultdict(Counters)
        for history in self._histories.values():
            account = history.account
            totals[account.currency] = totals[account.currency].plus(
                Counters(account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted)
            )
        for currency, total in sorted(totals.items()):
            if total.debits_posted != total.credits_posted or total.debits_pending != total.credits_pending:
                self._findings.add("currency_totals", currency, f"Debits and credits differ: {_told(total)}.")

    async def _name_payments(self) -> None:
        """Go through what concerns payments once more, and look at those which may be wrong one by one."""
        suspects: dict[PaymentId, Payment] = {}
        quotes: dict[PaymentId, list[Quote]] = defaultdict(list)
        flows = await self._flows_of_suspects()
        sequences: dict[PaymentId, list[int]] = defaultdict(list)
        async for payments in self._audit.payments():
            suspects.update({payment.id: payment for payment in payments if self._payments.may_differ(payment.id)})
        async for events in self._audit.payment_events():
            for payment_id, some in events.items():
                if self._payments.may_differ(payment_id):
                    sequences[payment_id].extend(some)
        async for used_quotes in self._audit.used_quotes():
            for quote, payment in used_quotes:
                if payment is not None and self._payments.may_differ(payment.id):
                    quotes[payment.id].append(quote)
        for payment_id in sorted((flows.keys() | sequences.keys()) - suspects.keys()):
            self._findings.add("payment_missing", payment_id, "History tells of it, but it does not exist.")
        for payment in suspects.values():
            self._name_payment(payment, flows[payment.id], sequences[payment.id], quotes[payment.id])

    async def _flows_of_suspects(self) -> dict[PaymentId, Counter[_Flow]]:
        flows: dict[PaymentId, Counter[_Flow]] = defaultdict(Counter)
        async for transactions in self._audit.transactions():
            for transaction in transactions:
                if transaction.payment_id is not None and self._payments.may_differ(transaction.payment_id):
                    for flow, amount_minor in self._flows_of(transaction):
                        flows[transaction.payment_id][flow] += amount_minor
        return flows

    def _name_payment(
        self, payment: Payment, flows: Counter[_Flow], sequences: Sequence[int], quotes: Sequence[Quote]
    ) -> None:
        expected = _flows_implied_by(payment)
        for quote in quotes:
            expected.update(_flows_implied_by_quote(quote, payment))
        if flows != expected:
            ours = {flow.name: amount_minor for flow, amount_minor in flows.items() if flow in expected}
            others = sum(amount_minor != 0 for flow, amount_minor in flows.items() if flow not in expected)
            detail = (
                f"It says { ({flow.name: amount_minor for flow, amount_minor in expected.items()}) }; its transactions "
                f"come to {ours}, and {others} amounts are not between its parties in its currency."
            )
            self._findings.add("payment_transactions", payment.id, detail)
        if Counter(sequences) != Counter(_sequences_implied_by(payment)):
            detail = f"It is at version {payment.version}; its events have the sequences {sorted(sequences)}."
            self._findings.add("payment_events", payment.id, detail)
        if [quote.id for quote in quotes] != [quote_id for quote_id in (payment.quote_id,) if quote_id is not None]:
            detail = f"Its quote is {payment.quote_id}; used for it were {sorted(quote.id for quote in quotes)}."
            self._findings.add("payment_quote", payment.id, detail)


def _digest(version: int, posted: int, held: int) -> int:
    # Of the text, not of the tuple: Python's hashes of -1 and -2 are the same.
    return hash(f"{version} {posted} {held}")


async def _items(
    pages: AsyncIterator[Mapping[PaymentId, Collection[int]]],
) -> AsyncIterator[Collection[tuple[PaymentId, Collection[int]]]]:
    async for page in pages:
        yield page.items()


def _moved(kind: TransferKind, amount_minor: int) -> tuple[Counters, Counters]:
    """How a transfer moves the counters of the debited and of the credited account."""
    pending, posted = (sign * amount_minor for sign in EFFECTS[kind])
    return (
        Counters(debits_pending=pending, debits_posted=posted),
        Counters(credits_pending=pending, credits_posted=posted),
    )


def _flows_implied_by(payment: Payment) -> Counter[_Flow]:
    """What its transactions must come to, in minor units."""
    amounts = {
        "captured": payment.amount_captured_minor,
        "held": payment.amount_held_minor,
        "refunded": payment.amount_refunded_minor,
        "fee": payment.fee_amount_minor,
    }
    return Counter(
        {
            _Flow(name, payment.amount.currency, payment.customer_id, payment.merchant_id): amount_minor
            for name, amount_minor in amounts.items()
        }
    )


def _flows_implied_by_quote(quote: Quote, payment: Payment) -> Counter[_Flow]:
    """What the transactions of a payment with a quote must come to beside, in minor units of both currencies."""
    gone_back = returned(quote, refunded_before_minor=0, refunded_minor=payment.amount_refunded_minor)
    amounts = {
        ("got", quote.target.currency): payment.amount_captured_minor,
        ("got back", quote.target.currency): payment.amount_refunded_minor,
        ("paid", quote.source.currency): quote.source.amount_minor,
        ("paid back", quote.source.currency): gone_back.source_minor,
        ("spread", quote.source.currency): quote.spread_minor,
        ("spread back", quote.source.currency): gone_back.spread_minor,
    }
    return Counter(
        {
            _Flow(name, currency, payment.customer_id, payment.merchant_id): amount_minor
            for (name, currency), amount_minor in amounts.items()
        }
    )


def _sequences_implied_by(payment: Payment) -> range:
    """Every version of a payment has its one event."""
    return range(1, min(payment.version, _PAYMENT_VERSION_MAX) + 1)


def _status_fits(payment: Payment) -> bool:
    """Whether the status and the amounts say the same."""
    captured = payment.amount_captured_minor
    if not _failure_fits(payment):
        return False
    match payment.status:
        case PaymentStatus.CAPTURED:
            whole = captured == payment.amount.amount_minor
            return captured > 0 and (whole or payment.capture is CaptureMethod.MANUAL)
        case PaymentStatus.PARTIALLY_CAPTURED:
            return 0 < captured < payment.amount.amount_minor
        case (
            PaymentStatus.REQUIRES_CONFIRMATION
            | PaymentStatus.AUTHORIZED
            | PaymentStatus.CANCELED
            | PaymentStatus.EXPIRED
            | PaymentStatus.FAILED
        ):
            return captured == 0
        case _:
            assert_never(payment.status)


def _failure_fits(payment: Payment) -> bool:
    """Whether the failure code fits: a request keeps that of its last failed confirmation until it is confirmed."""
    match payment.status:
        case PaymentStatus.FAILED:
            return payment.failure_code is not None
        case PaymentStatus.REQUIRES_CONFIRMATION | PaymentStatus.CANCELED | PaymentStatus.EXPIRED:
            # The first version is the request, and the last one is of its end: a failed confirmation is one beside.
            versions_beside = 1 if payment.status is PaymentStatus.REQUIRES_CONFIRMATION else 2
            return payment.failure_code is None or payment.version > versions_beside
        case PaymentStatus.AUTHORIZED | PaymentStatus.PARTIALLY_CAPTURED | PaymentStatus.CAPTURED:
            return payment.failure_code is None
        case _:
            assert_never(payment.status)


def _told(counters: Counters) -> str:
    return (
        f"debits {counters.debits_posted} posted and {counters.debits_pending} pending, "
        f"credits {counters.credits_posted} posted and {counters.credits_pending} pending"
    )
