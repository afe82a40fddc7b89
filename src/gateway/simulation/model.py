"""The ledger told a second time, as small as it can be told: what must be true of accounts, payments and keys.

It shares its vocabulary with the domain (ids, keys, amounts) and none of its code: its rules, in `rules/`, are written
from the specification. So a mistake must be made twice, in two ways, to go unseen.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from gateway.application.engine.command import Command
from gateway.application.ports.unit_of_work import AnswerKey
from gateway.domain.account import AccountId, AccountKey, AccountKind
from gateway.domain.money import CurrencyCode
from gateway.domain.payment import PaymentId, QuoteId
from gateway.domain.transaction import TransactionId
from gateway.domain.user import SYSTEM, UserId
from gateway.domain.value import value

ENDS_AS: Final = {"requires_confirmation": "expired", "authorized": "expired", "partially_captured": "captured"}
"""What the end of its time makes of a payment. Those of any other status have ended."""

ALLOWED: Final = {
    "requires_confirmation": ("confirm", "cancel"),
    "authorized": ("capture", "cancel"),
    "partially_captured": ("capture", "cancel"),
}
"""What can be asked of a payment that stands there, beside a refund of what was captured."""

PASSING_REFUSALS: Final = frozenset(
    {
        "account_frozen",
        "idempotency_in_progress",
        "payment_not_due",
        "rate_not_found",
        "role_forbidden",
        "validation_error",
    }
)
"""Refusals that are not remembered for their key."""


class Refused(Exception):  # noqa: N818 - as every refusal.
    """The rules say no."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@value
class ModelAccount:
    """What an account must hold, in minor units, and what it may do."""

    posted: int = 0
    held: int = 0
    incoming: int = 0
    frozen: bool = False
    basis_points: int = 0
    fixed_minor: int = 0
    version: int = 1

    @property
    def available(self) -> int:
        """What may be spent."""
        return self.posted - self.held


@value
class ModelPayment:
    """What a payment must be. `id` is empty until the gateway has named it; amounts are minor units."""

    status: str
    amount: int
    currency: str
    manual: bool
    customer: UserId | None
    merchant: UserId
    reference: str | None
    expires_at: datetime | None = None
    named_by: UserId = field(default=UserId(""), compare=False)
    """Who gave the reference: no answer tells, but later payments are refused for it or not."""
    id: PaymentId = PaymentId("")
    captured: int = 0
    refunded: int = 0
    charged: int = 0
    fee_returned: int = 0
    refunded_with_fee: int = 0
    captures: int = 0
    refunds: int = 0
    version: int = 1
    quote: QuoteId | None = None
    failure: str | None = None

    @property
    def held(self) -> int:
        """What is held for it as long as nobody has written down its end."""
        return self.amount - self.captured if self.status in {"authorized", "partially_captured"} else 0

    def status_at(self, now: datetime) -> str:
        """Where it stands at a time: expiry is true the moment `now` is `expires_at`."""
        over = self.expires_at is not None and self.expires_at <= now
        return ENDS_AS.get(self.status, self.status) if over else self.status

    def standing(self, now: datetime) -> dict[str, object]:
        """What a refusal, and whoever looks at it, is told about where it stands at a time."""
        status = self.status_at(now)
        actions = list(ALLOWED.get(status, ()))
        if self.captured > self.refunded:
            actions.append("refund")
        return {"current_status": status, "allowed_actions": actions}


@value
class ModelQuote:
    """What a quote must be. `id` is empty until the gateway has named it, and so is the `payment` that has used it."""

    customer: UserId
    source: int
    source_currency: CurrencyCode
    target: int
    target_currency: CurrencyCode
    spread: int
    expires_at: datetime
    id: QuoteId = QuoteId("")
    payment: PaymentId | None = None

    @property
    def version(self) -> int:
        """It changes once: when it is used."""
        return 1 if self.payment is None else 2


class Move(NamedTuple):
    """One transfer: `post`, `hold`, `post_held` or `release`."""

    kind: str
    debit: AccountKey
    credit: AccountKey
    amount: int


@value
class ModelTransaction:
    """A transaction that somebody may ask to reverse."""

    type: str
    move: Move
    reversed: bool = False


@value
class AccountCache:
    """What a key must answer from now on."""

    fingerprint: bytes
    body: bytes
    refused: bool


@value
class Effect:
    """What a command must come to.

    Attributes:
        refusal: The code, or nothing. It may come with effects: a payment that failed is kept, a request keeps why.
        facts: What the refusal must tell.
        told: What the answer must tell, as `answers.told` reads it. Without it, that is the payment, or else the quote.
        opened: New accounts, with nothing in them.
        changed: Accounts that changed, but for their balances.
        moves: Transfers, in their order.
        payment: The payment as it must be afterwards.
        quote: The quote as it must be afterwards, if it is new or used.
        transaction: The type of the transaction that the moves make.
        reverses: The transaction which that one reverses.
        email: The address that is now taken.
        user_id: The id of a user that is now taken.
        events: The types of all events, in their order.
    """

    refusal: str = ""
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    told: object = None
    opened: tuple[AccountKey, ...] = ()
    changed: Mapping[AccountKey, ModelAccount] = field(default_factory=dict[AccountKey, ModelAccount])
    moves: tuple[Move, ...] = ()
    payment: ModelPayment | None = None
    quote: ModelQuote | None = None
    transaction: str = ""
    reverses: TransactionId | None = None
    email: str = ""
    user_id: UserId | None = None
    events: tuple[str, ...] = ()

    @property
    def lasting(self) -> bool:
        """Whether the key keeps the answer."""
        return self.refusal not in PASSING_REFUSALS

    def named(self, payment_id: PaymentId | None, quote_id: QuoteId | None) -> "Effect":
        """The same, where a new payment and a new quote are called what the gateway has called them."""
        payment, quote = self.payment, self.quote
        if payment is not None and not payment.id and payment_id is not None:
            payment = replace(payment, id=payment_id)
            if quote is not None:
                quote = replace(quote, payment=payment_id)
            return replace(self, payment=payment, quote=quote)
        if quote is not None and not quote.id and quote_id is not None:
            return replace(self, quote=replace(quote, id=quote_id))
        return self


@dataclass(slots=True, kw_only=True)
class Model:
    """Every record that must exist. Records are replaced, never changed, so that a fork costs nothing."""

    accounts: MutableMapping[AccountKey, ModelAccount] = field(default_factory=dict[AccountKey, ModelAccount])
    holders: MutableMapping[tuple[UserId, AccountKind], bool] = field(
        default_factory=dict[tuple[UserId, AccountKind], bool]
    )
    keys: MutableMapping[AccountId, AccountKey] = field(default_factory=dict[AccountId, AccountKey])
    payments: MutableMapping[PaymentId, ModelPayment] = field(default_factory=dict[PaymentId, ModelPayment])
    quotes: MutableMapping[QuoteId, ModelQuote] = field(default_factory=dict[QuoteId, ModelQuote])
    references: MutableMapping[tuple[UserId, UserId, str], bool] = field(
        default_factory=dict[tuple[UserId, UserId, str], bool]
    )
    transactions: MutableMapping[TransactionId, ModelTransaction] = field(
        default_factory=dict[TransactionId, ModelTransaction]
    )
    emails: MutableMapping[str, bool] = field(default_factory=dict[str, bool])
    user_ids: MutableMapping[UserId, bool] = field(default_factory=dict[UserId, bool])
    answers: MutableMapping[AnswerKey, AccountCache] = field(default_factory=dict[AnswerKey, AccountCache])

    def fork(self) -> "Model":
        """Another model that begins as this one; this one does not see what becomes of it until it adopts it."""
        return Model(**{each.name: ChainMap({}, getattr(self, each.name)) for each in fields(self)})

    def adopt(self, fork: "Model") -> None:
        """Become what a fork has become."""
        for each in fields(self):
            getattr(self, each.name).update(getattr(fork, each.name).maps[0])

    def payment(self, payment_id: PaymentId) -> ModelPayment:
        """The payment of this id."""
        if payment_id not in self.payments:
            raise Refused("payment_not_found")
        return self.payments[payment_id]

    def key_of(self, account_id: AccountId) -> AccountKey:
        """The key of a user's account; the gateway's own are as good as none."""
        key = self.keys.get(account_id)
        if key is None or key.owner_id == SYSTEM:
            raise Refused("account_not_found")
        return key

    def payer(self, customer: UserId, currency: str) -> AccountKey:
        """The account that a customer pays from."""
        key = customer_key(customer, currency)
        if key not in self.accounts:
            raise Refused("currency_mismatch")
        return key

    def payee(self, merchant: UserId, currency: str) -> AccountKey:
        """The account that a merchant is paid to."""
        key = merchant_key(merchant, currency)
        if key not in self.accounts:
            raise Refused("currency_mismatch" if (merchant, key.kind) in self.holders else "merchant_not_found")
        return key

    def must_pay(self, key: AccountKey) -> ModelAccount:
        """An account that is about to pay: a frozen one may not."""
        account = self.accounts[key]
        if account.frozen:
            raise Refused("account_frozen")
        return account

    def apply(self, effect: Effect) -> None:
        """Let it have happened."""
        for key in effect.opened:
            self.accounts[key] = ModelAccount()
            self.holders[key.owner_id, key.kind] = True
        self.accounts.update(effect.changed)
        for move in effect.moves:
            self._move(move)
        if effect.payment is not None:
            payment = effect.payment
            self.payments[payment.id] = payment
            if payment.reference is not None:
                is_held = payment.status not in {"failed", "canceled", "expired"}
                self.references[payment.merchant, payment.named_by, payment.reference] = is_held
        if effect.quote is not None:
            self.quotes[effect.quote.id] = effect.quote
        if effect.reverses is not None:
            self.transactions[effect.reverses] = replace(self.transactions[effect.reverses], reversed=True)
        if effect.email:
            self.emails[effect.email] = True
        if effect.user_id is not None:
            self.user_ids[effect.user_id] = True

    def _move(self, move: Move) -> None:
        amount = move.amount
        debit, credit = self.accounts[move.debit], self.accounts[move.credit]
        posted = amount if move.kind in {"post", "post_held"} else 0
        pending = {"post": 0, "hold": amount, "post_held": -amount, "release": -amount}[move.kind]
        self.accounts[move.debit] = replace(
            debit, posted=debit.posted - posted, held=debit.held + pending, version=debit.version + 1
        )
        self.accounts[move.credit] = replace(
            credit, posted=credit.posted + posted, incoming=credit.incoming + pending, version=credit.version + 1
        )


Rule = Callable[[Model, Any, datetime], Effect]
"""What a command must come to at a time. Raises `Refused` where nothing but the answer is written."""

Rules = Mapping[type[Command[Any]], Rule]


def customer_key(customer: UserId, currency: Any) -> AccountKey:
    """The key of a customer's account."""
    return AccountKey(customer, currency, AccountKind.CUSTOMER)


def merchant_key(merchant: UserId, currency: Any) -> AccountKey:
    """The key of a merchant's account."""
    return AccountKey(merchant, currency, AccountKind.MERCHANT)


def own_key(kind: AccountKind, currency: Any) -> AccountKey:
    """The key of one of the gateway's own accounts."""
    return AccountKey(SYSTEM, currency, kind)
