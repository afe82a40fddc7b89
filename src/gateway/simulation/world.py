"""World: what users know, and the random choices of what they do next."""

import heapq
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Final, TypeVar

from gateway.application.engine.submission import Submission
from gateway.application.ports.unit_of_work import Changes
from gateway.domain.account import AccountId, AccountKey, AccountKind
from gateway.domain.api_key import ApiKeyId
from gateway.domain.member import MemberId
from gateway.domain.money import AMOUNT_MINOR_MAX, CurrencyCode, currency_code
from gateway.domain.payment import CaptureMethod, PaymentId, QuoteId
from gateway.domain.transaction import TransactionId
from gateway.domain.user import SYSTEM, UserId
from gateway.domain.webhook_endpoint import EndpointId
from gateway.simulation.clock import VirtualClock
from gateway.simulation.model import Model
from gateway.simulation.model_records import ENDS_AS, ModelPayment

CURRENCIES: Final = tuple(currency_code(code) for code in ("USD", "USD", "USD", "JPY", "KWD", "CLF"))
"""Exponents 2, 0, 3 and 4; most users use the first."""

CUSTOMERS_MAX: Final = 24
MERCHANTS_MAX: Final = 8
"""Few, so that payments often share one."""

FAVOURITE: Final = 8
"""One payment of so many, and each across currencies, is asked about more than the others: most mistakes need several
things to happen to one."""

RECENT: Final = 32
"""The number of the newest favourites, deposits and payouts that are drawn first."""

RECENT_QUOTES: Final = 8
"""The number of the newest quotes that are drawn first: few, as they expire soon."""

REPEATABLE_MAX: Final = 256
"""How many submissions are kept to be submitted again."""

TRIES: Final = 3
"""The number of attempts to draw a fitting record."""

_AMOUNTS: Final = ("all",) * 10 + ("one more",) * 8 + ("enormous",) * 2 + ("a part",) * 80

NOBODY: Final = UserId("usr_nobody")
NO_ACCOUNT: Final = AccountId("acc_none")
NO_PAYMENT: Final = PaymentId("pay_none")
NO_QUOTE: Final = QuoteId("quo_none")
NO_TRANSACTION: Final = TransactionId("txn_none")
NO_ENDPOINT: Final = EndpointId("whe_none")
NO_KEY: Final = ApiKeyId("key_none")

Chosen = TypeVar("Chosen")


@dataclass(slots=True)
class World:
    """All choices are drawn from `random`. The cost of a draw does not grow with the history."""

    random: Random
    clock: VirtualClock
    model: Model
    customers: list[UserId] = field(default_factory=list[UserId])
    merchants: list[UserId] = field(default_factory=list[UserId])
    accounts: list[AccountId] = field(default_factory=list[AccountId])
    payers: list[AccountKey] = field(default_factory=list[AccountKey])
    payees: dict[CurrencyCode, list[UserId]] = field(default_factory=dict[CurrencyCode, list[UserId]])
    ids: dict[AccountKey, AccountId] = field(default_factory=dict[AccountKey, AccountId])
    payments: list[PaymentId] = field(default_factory=list[PaymentId])
    favourites: list[PaymentId] = field(default_factory=list[PaymentId])
    unfinished: list[PaymentId] = field(default_factory=list[PaymentId])
    """Some may have ended since; they are removed when drawn."""
    due: list[tuple[datetime, PaymentId]] = field(default_factory=list[tuple[datetime, PaymentId]])
    """A heap of future expiry times of payments."""
    overdue: list[PaymentId] = field(default_factory=list[PaymentId])
    """Expired payments, for the worker."""
    quotes: list[QuoteId] = field(default_factory=list[QuoteId])
    requested: dict[tuple[str, int], PaymentId] = field(default_factory=dict[tuple[str, int], PaymentId])
    """The last request for each amount and currency that is captured at once."""
    transactions: list[TransactionId] = field(default_factory=list[TransactionId])
    reversible: list[TransactionId] = field(default_factory=list[TransactionId])
    endpoints: list[EndpointId] = field(default_factory=list[EndpointId])
    """Some may be deleted since; they are removed when drawn."""
    api_keys: list[ApiKeyId] = field(default_factory=list[ApiKeyId])
    members: list[MemberId] = field(default_factory=list[MemberId])
    submissions: list[Submission] = field(default_factory=list[Submission])
    events: int = 0
    """How many were committed: the position of the last one."""
    keys: int = 0
    people: int = 0
    """How many have tried to register with an invitation."""
    secrets: int = 0
    urls: int = 0

    def learn(self, changes: Changes) -> None:
        """Learn from a commit."""
        for account in changes.accounts_new:
            self._learn_account(account.id, account.key)
        for payment in changes.payments_new:
            self.payments.append(payment.id)
            if len(self.payments) % FAVOURITE == 1 or payment.quote_id is not None:
                self.favourites.append(payment.id)
            if payment.status.value in ENDS_AS:
                self.unfinished.append(payment.id)
                if payment.capture is CaptureMethod.AUTOMATIC:
                    self.requested[payment.amount.currency, payment.amount.amount_minor] = payment.id
                if payment.expires_at is not None:
                    heapq.heappush(self.due, (payment.expires_at, payment.id))
        self.events += len(changes.events_new)
        self.endpoints.extend(endpoint.id for endpoint in changes.webhook_endpoints_new)
        self.api_keys.extend(key.id for key in changes.api_keys_new)
        self.members.extend(member.id for member in changes.members_new)
        self.quotes.extend(quote.id for quote in changes.quotes_new)
        for transaction in changes.transactions_new:
            self.transactions.append(transaction.id)
            if transaction.payment_id is None and transaction.reverses is None:
                self.reversible.append(transaction.id)

    def remember(self, submission: Submission) -> None:
        """Keep a submission, to hand it in again some day; an earlier one makes way."""
        if len(self.submissions) < REPEATABLE_MAX:
            self.submissions.append(submission)
        else:
            self.submissions[self.random.randrange(REPEATABLE_MAX)] = submission

    def chance(self, percent: float) -> bool:
        """True with this probability."""
        return self.random.random() * 100 < percent

    def one_of(self, choices: Sequence[Chosen]) -> Chosen:
        """One of them, all with the same probability."""
        return choices[int(self.random.random() * len(choices))]

    def amount(self, near: int) -> int:
        """An amount of minor units: mostly a part of `near`, often exactly that or one more, seldom enormous."""
        match self.one_of(_AMOUNTS):
            case "all":
                amount = near
            case "one more":
                amount = near + 1
            case "enormous":
                amount = AMOUNT_MINOR_MAX
            case _:
                amount = self.random.randint(1, max(1, near // self.one_of((1, 2, 10, 50))))
        return min(max(amount, 1), AMOUNT_MINOR_MAX)

    def payment(self, *statuses: str) -> ModelPayment | None:
        """A payment with one of these statuses if a few draws find one; otherwise any, or none."""
        if not self.payments or self.chance(1):
            return None
        payment = self._any_payment()
        for _ in range(TRIES):
            if not statuses or payment.status in statuses:
                break
            payment = self._any_payment()
        return payment

    def quote(self) -> QuoteId:
        """A quote, mostly a valid one if there is one among the newest; seldom one that does not exist."""
        if not self.quotes or self.chance(1):
            return NO_QUOTE
        good = self.good_quotes()
        return self.one_of(good if good and self.chance(90) else self.quotes[-RECENT:])

    def good_quotes(self) -> list[QuoteId]:
        """The newest quotes that are neither used nor expired."""
        quotes, now = self.model.quotes, self.clock()
        recent = [quotes[each] for each in self.quotes[-RECENT_QUOTES:]]
        return [each.id for each in recent if each.payment is None and now < each.expires_at]

    def transaction(self) -> TransactionId:
        """A transaction, mostly a new one that may be reversed; seldom one that does not exist."""
        if not self.transactions or self.chance(1):
            return NO_TRANSACTION
        return self.one_of(self.reversible[-RECENT:] if self.reversible and self.chance(70) else self.transactions)

    def next_end(self) -> tuple[datetime, PaymentId] | None:
        """The next expiry time of an unfinished payment. Payments that have expired become overdue."""
        now = self.clock()
        while self.due and (self.due[0][0] <= now or self.model.payments[self.due[0][1]].status not in ENDS_AS):
            end, payment_id = heapq.heappop(self.due)
            if end <= now:
                self.overdue.append(payment_id)
        return self.due[0] if self.due else None

    def account(self) -> AccountId:
        """Any account, also one of the gateway's own; seldom one that does not exist."""
        return NO_ACCOUNT if self.chance(1) else self.one_of(self.accounts)

    def merchant(self, currency: CurrencyCode) -> UserId:
        """A merchant, mostly one with an account in this currency."""
        if self.chance(2):
            return self.one_of((NOBODY, *self.customers))
        return self.one_of(self.merchants if self.chance(3) else self.payees.get(currency, self.merchants))

    def endpoint(self) -> EndpointId:
        """A webhook endpoint, seldom a deleted one or one that does not exist."""
        if not self.endpoints or self.chance(3):
            return NO_ENDPOINT
        index = int(self.random.random() * len(self.endpoints))
        endpoint_id = self.endpoints[index]
        if self.model.endpoints[endpoint_id].deleted:
            # Drawn once more, after its deletion.
            self.endpoints[index] = self.endpoints[-1]
            self.endpoints.pop()
        return endpoint_id

    def api_key(self) -> ApiKeyId:
        """An API key, mostly a new one; seldom one that does not exist."""
        if not self.api_keys or self.chance(3):
            return NO_KEY
        return self.one_of(self.api_keys[-RECENT:] if self.chance(80) else self.api_keys)

    def fresh_secret(self) -> str:
        """A fresh secret of a webhook endpoint."""
        self.secrets += 1
        return "whsec_" + b64encode(self.secrets.to_bytes(32, "big")).decode()

    def fresh_url(self) -> str:
        """A fresh URL of a receiver."""
        self.urls += 1
        return f"https://receiver-{self.urls}.example/"

    def fresh_key(self) -> str:
        """A fresh idempotency key."""
        self.keys += 1
        return f"key-{self.keys}"

    def _any_payment(self) -> ModelPayment:
        if self.unfinished and self.chance(40):
            return self._unfinished_payment()
        return self.model.payments[self.one_of(self.favourites[-RECENT:] if self.chance(75) else self.payments)]

    def _unfinished_payment(self) -> ModelPayment:
        index = int(self.random.random() * len(self.unfinished))
        payment = self.model.payments[self.unfinished[index]]
        if payment.status not in ENDS_AS:
            # Drawn once more in its life, when it has just ended: that is when mistakes show.
            self.unfinished[index] = self.unfinished[-1]
            self.unfinished.pop()
        return payment

    def _learn_account(self, account_id: AccountId, key: AccountKey) -> None:
        self.accounts.append(account_id)
        self.ids[key] = account_id
        if key.owner_id == SYSTEM:
            return
        owners = self.customers if key.kind is AccountKind.CUSTOMER else self.merchants
        if key.owner_id not in owners:
            owners.append(key.owner_id)
        if key.kind is AccountKind.CUSTOMER:
            self.payers.append(key)
        else:
            self.payees.setdefault(key.currency, []).append(key.owner_id)
