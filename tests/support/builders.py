"""What tests are made of: money, a clock that stands still, commands, and a gateway's machinery on memory."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from gateway import MakeDeposit, Pay, Register
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine import outcome_codec
from gateway.application.engine.batch import Batch
from gateway.application.engine.command import Command
from gateway.application.engine.risk import Risk
from gateway.application.engine.submission import Answer, BulkSubmission, CommandSubmission, fingerprint
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.clock import Clock
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, Records, UnitOfWork, Wanted
from gateway.contracts.records import EUR, NOW, USD, SequentialIdentifiers, account_id, user_id
from gateway.domain.account import AccountId
from gateway.domain.immutable import immutable
from gateway.domain.money import CurrencyCode, Money
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.risk_limits import RiskLimits, risk_limit
from gateway.domain.user import Role

CUSTOMER = user_id(1)
MERCHANT = user_id(2)
CUSTOMER_ACCOUNT = account_id(1)
"""The customer's, opened first; three of the gateway's own come next."""
MERCHANT_ACCOUNT = account_id(5)


def usd(amount_minor: int) -> Money:
    return Money(amount_minor, USD)


def eur(amount_minor: int) -> Money:
    return Money(amount_minor, EUR)


@dataclass(slots=True)
class StandingClock:
    """Shows `now` until it is told otherwise."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def register(number: int, role: Role = Role.CUSTOMER, currency: CurrencyCode = USD) -> Register:
    return Register(
        user_id=user_id(number),
        email=f"user{number}@example.com",
        password_hash="$argon2id$",
        role=role,
        name=None,
        currency=currency,
    )


def deposit(amount: Money, to: AccountId = CUSTOMER_ACCOUNT) -> MakeDeposit:
    return MakeDeposit(account_id=to, amount=amount, owner_id=None)


def pay(amount: Money, *, reference: str | None = None, customer: int = 1, merchant: int = 2) -> Pay:
    return Pay(
        order=PaymentOrder(
            customer_id=user_id(customer),
            merchant_id=user_id(merchant),
            amount=amount,
            reference=reference,
            metadata={},
        )
    )


def submit(command: Command[Any], key: str, *, fingerprint_of: bytes | None = None) -> CommandSubmission:
    """The command with a key of the customer's, as the executor would hand it in."""
    return CommandSubmission(
        command=command,
        key=AnswerKey(CUSTOMER, key),
        fingerprint=fingerprint(repr(command).encode() if fingerprint_of is None else fingerprint_of),
        codec=outcome_codec,
    )


def a_bulk_submission(*parts: CommandSubmission, atomic: bool, key: str = "bulk-1") -> BulkSubmission:
    """Its answer is the number of its parts' answers."""
    return BulkSubmission(
        parts=parts,
        atomic=atomic,
        key=AnswerKey(CUSTOMER, key),
        fingerprint=fingerprint(*(part.fingerprint for part in parts)),
        codec=outcome_codec,
        encode_all=lambda answers: str(len(answers)).encode(),
    )


def submissions(*commands: Command[Any]) -> list[CommandSubmission]:
    """The commands, each with a key of its own."""
    return [submit(command, f"key-{number}") for number, command in enumerate(commands)]


def a_batch(storage: Storage, clock: Clock | None = None, risk: Risk | None = None) -> Batch:
    return Batch(
        unit_of_work=storage.unit_of_work, clock=clock or StandingClock(), identifiers=time_ordered_id, risk=risk
    )


def reviewing(*limits: str, review_seconds: int = 86_400) -> Risk:
    """Rules that send payments beyond these limits to a review: `reviewing("amount.customer.USD=500")`."""
    rules = RiskLimits(review=[risk_limit(limit) for limit in limits])
    return Risk(rules=rules, windows=tuple(rules.windows), review_seconds=review_seconds)


def refusing(*limits: str) -> Risk:
    """Rules that refuse payments beyond these limits: `refusing("count.1h=5")`."""
    rules = RiskLimits(refuse=[risk_limit(limit) for limit in limits])
    return Risk(rules=rules, windows=tuple(rules.windows))


async def opened(storage: Storage, *, balance: int = 100) -> None:
    """A customer with so many cents on CUSTOMER_ACCOUNT, and a merchant with none on MERCHANT_ACCOUNT."""
    # Identifiers that tests know, but once only: whatever comes later has real ones, so that none comes twice.
    batch = Batch(unit_of_work=storage.unit_of_work, clock=StandingClock(), identifiers=SequentialIdentifiers())
    opening: list[Command[Any]] = [register(1), register(2, Role.MERCHANT), deposit(usd(balance))]
    answers = await batch.run([submit(command, f"opening-{n}") for n, command in enumerate(opening)])
    assert all(isinstance(answer, Answer) for answer in answers)


async def balances(storage: Storage) -> tuple[int, int]:
    """What the customer and the merchant have available, in cents."""
    accounts = [await storage.reader.account(account_id) for account_id in (CUSTOMER_ACCOUNT, MERCHANT_ACCOUNT)]
    customer, merchant = (0 if account is None else account.available for account in accounts)
    return customer, merchant


@immutable
class Fault:
    """What goes wrong with one commit: `before` it reached the storage, or `after`, when only its answer is lost."""

    before: Exception | None = None
    after: Exception | None = None


@dataclass(slots=True)
class Watch:
    """Sees every load and commit, and spoils the next commits as `faults` say."""

    faults: deque[Fault] = field(default_factory=deque[Fault])
    loads: list[Wanted] = field(default_factory=list[Wanted])
    commits: list[Changes] = field(default_factory=list[Changes])
    before_load: Callable[[], None] = lambda: None
    before_commit: Callable[[Changes], None] = lambda _: None

    def spoil(self, faults: Iterable[Fault]) -> None:
        self.faults.extend(faults)


class WatchedUnitOfWork:
    """Another unit of work, watched."""

    def __init__(self, inner: UnitOfWork, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    async def load(self, wanted: Wanted) -> Records:
        self._watch.loads.append(wanted)
        self._watch.before_load()
        return await self._inner.load(wanted)

    async def commit(self, changes: Changes) -> None:
        self._watch.commits.append(changes)
        self._watch.before_commit(changes)
        fault = self._watch.faults.popleft() if self._watch.faults else Fault()
        if fault.before is not None:
            raise fault.before
        await self._inner.commit(changes)
        if fault.after is not None:
            raise fault.after

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._inner.__aexit__(kind, error, traceback)


def watched(storage: Storage, watch: Watch) -> Storage:
    """The storage, with every unit of work watched."""
    return replace(storage, unit_of_work=lambda: WatchedUnitOfWork(storage.unit_of_work(), watch))
