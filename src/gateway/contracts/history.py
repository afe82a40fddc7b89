"""The differential history: the same commands on any storage and on the memory adapter, with the same consequences.

A history begins with a customer, a merchant and an operator, followed by random commands in transactions of random
sizes. Clock and identifiers are the same on both sides, so all answers and all records must be equal, byte by byte.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Any, Final, TypeVar, cast

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.adapters.memory import memory_storage
from gateway.application.commands.cancel_payment import CancelPayment
from gateway.application.commands.capture_payment import CapturePayment
from gateway.application.commands.confirm_payment import ConfirmPayment
from gateway.application.commands.deposit import MakeDeposit
from gateway.application.commands.expire_payment import ExpirePayment
from gateway.application.commands.freeze_account import FreezeAccount, UnfreezeAccount
from gateway.application.commands.make_quote import MakeQuote
from gateway.application.commands.open_account import OpenAccount
from gateway.application.commands.pay import Pay
from gateway.application.commands.payout import MakePayout
from gateway.application.commands.refund_payment import RefundPayment
from gateway.application.commands.register import Register
from gateway.application.commands.request_payment import RequestPayment
from gateway.application.commands.reverse_transaction import ReverseTransaction
from gateway.application.commands.set_fees import SetFees
from gateway.application.engine import outcome_codec
from gateway.application.engine.batch import Batch
from gateway.application.engine.command import Command
from gateway.application.engine.submission import Answer, CommandSubmission, Failed, Submission, fingerprint
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.reader import CurrencyTotals, LedgerSize, StatusChange
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import TryAgain
from gateway.application.ports.users import Credentials
from gateway.application.verification.findings import Finding
from gateway.application.verification.verify import verify
from gateway.contracts.records import (
    EUR,
    JPY,
    NOW,
    USD,
    SequentialIdentifiers,
    a_rate,
    account_id,
    payment_id,
    quote_id,
    transaction_id,
    user_id,
)
from gateway.domain.account import KIND_OF_ROLE, MAY_BE_NEGATIVE, Account, AccountId, AccountKey, AccountKind
from gateway.domain.fees import FeeSchedule
from gateway.domain.immutable import immutable
from gateway.domain.money import AMOUNT_MINOR_MAX, CurrencyCode, Money
from gateway.domain.payment import CaptureMethod, Payment, PaymentId
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.quote import Quote
from gateway.domain.rate import CurrencyPair, ExchangeRate, rate_of
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction
from gateway.domain.transfer import EFFECTS
from gateway.domain.user import SYSTEM, Role, UserId

Record = TypeVar("Record")

OpenStorage = Callable[[], AbstractAsyncContextManager[Storage]]

STORAGE_EXAMPLES: Final = 20
"""Histories in a run: each takes a storage some hundred milliseconds."""

STEPS_MAX: Final = 40
CURRENCIES: Final = (USD, EUR, JPY)
PAIRS: Final = (CurrencyPair(EUR, USD), CurrencyPair(EUR, USD), CurrencyPair(EUR, JPY), CurrencyPair(USD, JPY))


@immutable
class Step:
    """One command with its idempotency key; `None` means a fresh one."""

    command: Command[Any]
    key: str | None


@immutable
class Consequences:
    """The answers of a history, and the records after it."""

    bodies: Sequence[tuple[bytes, bool]]
    users: Sequence[Credentials | None]
    accounts: Sequence[Account]
    payments: Sequence[Payment]
    refunds: Sequence[Refund]
    quotes: Sequence[Quote]
    transactions: Sequence[Transaction]
    status_changes: Sequence[StatusChange]
    payment_events: dict[PaymentId, list[int]]
    totals: Sequence[CurrencyTotals]
    size: LedgerSize
    findings: Sequence[Finding]


class HistoryContract:
    """Subclass it, and give a fixture `open_storage`: each call opens an empty `Storage`, as `async with`."""

    @given(data=st.data())
    @settings(
        max_examples=STORAGE_EXAMPLES,
        deadline=None,
        # A history is not made shorter: that would take minutes, and the first step that differs is named.
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        suppress_health_check=[
            HealthCheck.differing_executors,
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
        ],
    )
    async def test_a_history_has_the_same_consequences_as_on_the_memory_adapter(
        self, open_storage: OpenStorage, data: st.DataObject
    ) -> None:
        """For any commands and any batch size; and the invariants of the ledger hold."""
        history = data.draw(histories())
        size = data.draw(st.integers(1, 8))
        async with open_storage() as storage:
            consequences = await play(storage, history, batch_size=size)
        assert_same(consequences, await play(memory_storage(), history, batch_size=size), history)
        check_the_books(consequences)


def assert_same(found: Consequences, expected: Consequences, history: Sequence[Step]) -> None:
    """Compare consequences, and name the first step, or else the first record, that differs.

    Raises:
        AssertionError: They differ.
    """
    for number, (step, *bodies) in enumerate(zip(history, found.bodies, expected.bodies, strict=True), 1):
        if bodies[0] != bodies[1]:
            raise AssertionError(
                f"Step {number} of {len(history)} differs, {step}: {_shown(bodies[0])}; in memory {_shown(bodies[1])}."
            )
    for field in fields(Consequences):
        _assert_same_records(field.name, getattr(found, field.name), getattr(expected, field.name))


def _assert_same_records(name: str, found: Any, expected: Any) -> None:
    if found == expected:
        return
    detail = f"{name} is {found}; in memory {expected}."
    if isinstance(found, Sequence):
        pairs = zip_longest(cast("Sequence[object]", found), cast("Sequence[object]", expected))
        index, pair = next((index, pair) for index, pair in enumerate(pairs, 1) if pair[0] != pair[1])
        detail = f"number {index} of {name} is {pair[0]}; in memory {pair[1]}."
    raise AssertionError(f"After the same answers, {detail}")


def _shown(answer: tuple[bytes, bool]) -> str:
    body, replayed = answer
    return f"{'replayed' if replayed else 'answered'} {body.decode()}"


def histories() -> st.SearchStrategy[list[Step]]:
    """The opening, followed by up to `STEPS_MAX` random commands."""
    keys = st.one_of(st.none(), st.none(), st.sampled_from(["key-1", "key-2", "key-3"]))
    steps = st.builds(Step, command=commands(), key=keys)
    # Hypothesis prefers short lists, but conflicts need long ones.
    lengths = st.integers(0, STEPS_MAX)
    lists = lengths.flatmap(lambda length: st.lists(steps, min_size=length, max_size=STEPS_MAX))
    return lists.map(lambda drawn: [*opening(), *drawn])


def commands() -> st.SearchStrategy[Command[Any]]:
    """Any command, about so few users, accounts and references that commands often concern the same ones."""
    users = st.integers(1, 4).map(user_id)
    accounts = st.integers(1, 14).map(account_id)
    currencies = st.sampled_from(CURRENCIES)
    money = st.builds(Money, st.one_of(st.integers(1, 100), st.just(AMOUNT_MINOR_MAX)), currencies)
    dollars = st.builds(Money, st.integers(1, 60), st.just(USD))
    orders = st.builds(
        order_of,
        # A payment at once has no time.
        st.sampled_from([(CaptureMethod.AUTOMATIC, None), (CaptureMethod.MANUAL, None), (CaptureMethod.MANUAL, 60)]),
        customer_id=st.sampled_from([user_id(1), user_id(1), user_id(1), user_id(2), user_id(4)]),
        merchant_id=st.sampled_from([user_id(2), user_id(2), user_id(2), user_id(1), user_id(4)]),
        amount=st.one_of(dollars, dollars, money),
        reference=st.one_of(st.none(), st.sampled_from(["order-1", "order-2", "order-3"])),
        description=st.one_of(st.none(), st.just("☕ to go")),
        metadata=st.dictionaries(st.sampled_from(["a", "ключ"]), st.sampled_from(["", "🏦"]), max_size=2),
    )
    payments = st.builds(Pay, order=orders)
    deposits = st.builds(
        MakeDeposit,
        account_id=st.one_of(st.just(account_id(1)), accounts),
        amount=st.one_of(dollars, money),
        owner_id=st.one_of(st.none(), users),
        reference=st.one_of(st.none(), st.just("transfer 7")),
    )
    registrations = st.builds(registration, st.integers(1, 6), role=st.sampled_from(Role), currency=currencies)
    openings = st.builds(
        OpenAccount,
        key=st.builds(AccountKey, users, currencies, st.sampled_from(list(KIND_OF_ROLE.values()))),
    )
    return st.one_of(
        payments,
        payments,
        payments,
        deposits,
        deposits,
        registrations,
        openings,
        *lives_of_payments(dollars),
        *payments_across(),
        st.builds(FreezeAccount, account_id=st.one_of(st.just(account_id(1)), accounts)),
        st.builds(UnfreezeAccount, account_id=st.one_of(st.just(account_id(1)), accounts)),
    )


def lives_of_payments(dollars: st.SearchStrategy[Money]) -> list[st.SearchStrategy[Command[Any]]]:
    """The commands on the first payments, and the other commands that move money."""
    payments = st.integers(1, 6).map(payment_id)
    merchants = st.sampled_from([user_id(2), user_id(2), user_id(2), user_id(4)])
    parts = st.one_of(st.none(), st.integers(1, 30))
    requests = st.builds(
        PaymentRequest,
        merchant_id=merchants,
        # Some customer: to confirm an open request, they must know its id, and so come in a later transaction.
        customer_id=st.sampled_from([user_id(1), user_id(5)]),
        amount=dollars,
        metadata=st.just({}),
        capture=st.sampled_from(CaptureMethod),
        expires_in_seconds=st.one_of(st.none(), st.just(60)),
    )
    return [
        st.builds(RequestPayment, request=requests),
        st.builds(ConfirmPayment, payment_id=payments, customer_id=st.sampled_from([user_id(1), user_id(4)])),
        st.builds(CapturePayment, payment_id=payments, merchant_id=merchants, amount_minor=parts, final=st.booleans()),
        st.builds(CancelPayment, payment_id=payments, by=st.sampled_from([user_id(2), user_id(2), user_id(1)])),
        st.builds(ExpirePayment, payment_id=payments),
        st.builds(
            RefundPayment,
            payment_id=payments,
            merchant_id=merchants,
            amount_minor=parts,
            reason=st.one_of(st.none(), st.just("cold ☕")),
            refund_fee=st.booleans(),
        ),
        st.builds(
            MakePayout,
            account_id=st.sampled_from([account_id(1), account_id(5)]),
            amount=dollars,
            owner_id=st.sampled_from([user_id(1), user_id(2)]),
        ),
        st.builds(
            ReverseTransaction, transaction_id=st.integers(1, 8).map(transaction_id), reason=st.just("a mistake")
        ),
        st.builds(
            SetFees,
            merchant_id=merchants,
            currency=st.just(USD),
            fees=st.builds(FeeSchedule, st.sampled_from([0, 250, 10_000]), st.sampled_from([0, 0, 3])),
        ),
    ]


def payments_across() -> list[st.SearchStrategy[Command[Any]]]:
    """Quotes for dollars and yen, and payments with the first few of them: mostly of the amounts that they are for."""
    customers = st.sampled_from([user_id(1), user_id(1), user_id(1), user_id(4)])
    rates = st.builds(
        exchange_rate,
        st.sampled_from(PAIRS),
        st.sampled_from(["1", "1.0842", "0.333333333333", "149.5"]),
        st.sampled_from([0, 100, 100, 2_500, 10_000]),
    )
    quotes = st.builds(
        promise, customers, rates, st.sampled_from([7, 20, 20]), of_the_target=st.sampled_from([True, True, False])
    )
    amounts = st.sampled_from([Money(20, USD), Money(20, USD), Money(7, USD), Money(20, JPY)])
    orders = st.builds(
        PaymentOrder,
        customer_id=customers,
        merchant_id=st.just(user_id(2)),
        amount=amounts,
        metadata=st.just({}),
        quote_id=st.sampled_from([1, 2, 2, 3, 3]).map(quote_id),
    )
    payments = st.builds(Pay, order=orders)
    confirmations = st.builds(
        ConfirmPayment,
        payment_id=st.integers(1, 6).map(payment_id),
        customer_id=st.just(user_id(1)),
        quote_id=st.integers(2, 3).map(quote_id),
    )
    refunds = st.builds(
        RefundPayment,
        payment_id=st.integers(1, 3).map(payment_id),
        merchant_id=st.just(user_id(2)),
        amount_minor=st.one_of(st.none(), st.integers(1, 12)),
    )
    return [quotes, payments, payments, payments, confirmations, refunds]


def order_of(capture_terms: tuple[CaptureMethod, int | None], **terms: Any) -> PaymentOrder:
    """An order with this capture method and lifetime in seconds."""
    capture, expires_in_seconds = capture_terms
    return PaymentOrder(capture=capture, expires_in_seconds=expires_in_seconds, **terms)


def exchange_rate(pair: CurrencyPair, text: str, spread_basis_points: int) -> ExchangeRate:
    """The rate of a pair."""
    return a_rate(*pair, rate=rate_of(text), spread_basis_points=spread_basis_points)


def promise(customer_id: UserId, rate: ExchangeRate, amount_minor: int, *, of_the_target: bool) -> MakeQuote:
    """A quote at a rate, for an amount of its target or its source."""
    currency = rate.pair.target if of_the_target else rate.pair.source
    return MakeQuote(customer_id=customer_id, pair=rate.pair, amount=Money(amount_minor, currency), rate=rate)


def registration(number: int, *, role: Role, currency: CurrencyCode) -> Register:
    """User `number` registers. A second registration has the same address, and is refused."""
    return Register(
        user_id=user_id(number),
        email=f"user{number}@example.com",
        password_hash="$argon2id$",  # noqa: S106 - no hash of anything.
        role=role,
        name=None,
        currency=currency,
    )


def opening() -> list[Step]:
    """A customer with 100 cents on account 1, a merchant with account 5, and an operator.

    The customer has also 100 euro cents on account 6, has used quote 1 for payment 1, and may use quotes 2 and 3. The
    quotes come early: a payment knows its quote's accounts when that was made in a transaction before its own, and
    outside of a history nobody knows its id sooner.
    """
    quote = promise(user_id(1), a_rate(EUR, USD), 20, of_the_target=True)
    dearer = promise(user_id(1), exchange_rate(CurrencyPair(EUR, USD), "1.0842", 2_500), 7, of_the_target=True)
    order = PaymentOrder(
        customer_id=user_id(1), merchant_id=user_id(2), amount=Money(20, USD), metadata={}, quote_id=quote_id(1)
    )
    return [
        Step(command=command, key=None)
        for command in (
            registration(1, role=Role.CUSTOMER, currency=USD),
            quote,
            quote,
            dearer,
            registration(2, role=Role.MERCHANT, currency=USD),
            registration(3, role=Role.OPERATOR, currency=USD),
            MakeDeposit(account_id=account_id(1), amount=Money(100, USD), owner_id=user_id(1)),
            OpenAccount(key=AccountKey(user_id(1), EUR, AccountKind.CUSTOMER)),
            MakeDeposit(account_id=account_id(6), amount=Money(100, EUR), owner_id=user_id(1)),
            Pay(order=order),
        )
    ]


async def play(
    storage: Storage, history: Sequence[Step], *, batch_size: int, tick_seconds: float = 5.000_001
) -> Consequences:
    """Run a history in batches of this size, each at a later time, and collect its consequences."""
    now, identifiers = NOW, SequentialIdentifiers()
    submissions = [submission(step, number) for number, step in enumerate(history)]
    bodies: list[tuple[bytes, bool]] = []
    for start in range(0, len(submissions), batch_size):
        now += timedelta(seconds=tick_seconds)
        answers = await run_until_committed(storage, submissions[start : start + batch_size], now, identifiers)
        for answer in answers:
            assert isinstance(answer, Answer), f"a command met a bug: {answer}"
            bodies.append((answer.body, answer.replayed))
    return await consequences_of(storage, bodies)


async def run_until_committed(
    storage: Storage, submissions: Sequence[Submission], now: datetime, identifiers: SequentialIdentifiers
) -> Sequence[Answer | Failed]:
    """Run a batch, and again after `TryAgain`, with the same time and identifiers."""
    before = identifiers.made()
    while True:
        batch = Batch(unit_of_work=storage.unit_of_work, clock=lambda: now, identifiers=identifiers)
        try:
            return await batch.run(submissions)
        except TryAgain:
            identifiers.go_back(before)


def submission(step: Step, number: int) -> Submission:
    """A step as the executor submits it. Different commands have different fingerprints."""
    key = AnswerKey(user_id(1), step.key) if step.key is not None else AnswerKey(SYSTEM, f"fresh-{number}")
    return CommandSubmission(
        command=step.command, key=key, fingerprint=fingerprint(repr(step.command).encode()), codec=outcome_codec
    )


async def consequences_of(storage: Storage, bodies: Sequence[tuple[bytes, bool]]) -> Consequences:
    """The records of a storage, in an order that does not depend on it."""
    events: defaultdict[PaymentId, list[int]] = defaultdict(list)
    async with storage.audit() as audit:
        async for page in audit.payment_events():
            for payment, sequences in page.items():
                events[payment].extend(sequences)
        return Consequences(
            bodies=bodies,
            users=[await storage.users.by_id(user_id(number)) for number in range(1, 7)],
            accounts=await all_of(audit.accounts()),
            payments=(payments := await all_of(audit.payments())),
            refunds=[
                refund
                for payment in payments
                for refund in await storage.reader.refunds(payment.id, before=None, limit=1_000)
            ],
            quotes=[quote for n in range(1, 10) if (quote := await storage.reader.quote(quote_id(n))) is not None],
            transactions=await all_of(audit.transactions()),
            status_changes=await all_of(audit.status_changes()),
            payment_events={payment: sorted(sequences) for payment, sequences in events.items()},
            totals=list(await storage.reader.totals()),
            size=await audit.size(),
            findings=(await verify(audit)).named,
        )


async def all_of(pages: AsyncIterator[Collection[Record]]) -> list[Record]:
    """The records of all pages, sorted by their representation, which begins with the id."""
    return sorted([record async for page in pages for record in page], key=repr)


def check_the_books(kept: Consequences) -> None:
    """The invariants of the ledger: no money appears or disappears, and each change is in the history."""
    assert kept.findings == []
    for totals in kept.totals:
        assert totals.debits_posted == totals.credits_posted, totals
        assert totals.debits_pending == totals.credits_pending, totals
        assert totals.overdrawn == 0, totals
    _check_accounts(kept)
    for payment in kept.payments:
        _check_payment(payment, kept)
    used = {quote.id: quote.payment_id for quote in kept.quotes if quote.payment_id is not None}
    assert used == {payment.quote_id: payment.id for payment in kept.payments if payment.quote_id is not None}
    assert sum(account.held for account in kept.accounts) == sum(payment.amount_held_minor for payment in kept.payments)


def _check_accounts(kept: Consequences) -> None:
    debits, credits_, versions = Counter[AccountId](), Counter[AccountId](), Counter[AccountId]()
    held, incoming = Counter[AccountId](), Counter[AccountId]()
    for transfer in chain.from_iterable(transaction.transfers for transaction in kept.transactions):
        pending, posted = (sign * transfer.amount_minor for sign in EFFECTS[transfer.kind])
        debits[transfer.debit_account_id] += posted
        credits_[transfer.credit_account_id] += posted
        held[transfer.debit_account_id] += pending
        incoming[transfer.credit_account_id] += pending
        versions.update((transfer.debit_account_id, transfer.credit_account_id))
    versions.update(change.account_id for change in kept.status_changes)
    for account in kept.accounts:
        assert account.debits_posted == debits[account.id]
        assert account.credits_posted == credits_[account.id]
        assert account.debits_pending == held[account.id]
        assert account.credits_pending == incoming[account.id]
        assert account.version == versions[account.id], "a version was made by nothing that was told"
        assert account.available >= 0 or account.kind in MAY_BE_NEGATIVE


def _check_payment(payment: Payment, kept: Consequences) -> None:
    assert kept.payment_events[payment.id] == list(range(1, payment.version + 1))
    refunds = [refund for refund in kept.refunds if refund.payment_id == payment.id]
    assert payment.amount_refunded_minor == sum(refund.amount.amount_minor for refund in refunds)
    assert payment.fee_refunded_minor == sum(refund.fee_refunded_minor for refund in refunds)
