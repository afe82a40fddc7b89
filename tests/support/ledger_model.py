"""A small model of the ledger, written from what is promised, not from how it is kept: it tells every answer before.

One currency and another to pay it with, whole numbers, names in place of ids. It shares no line with the domain: where
the two differ, one of them is wrong.
"""

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import count
from typing import Any

Json = dict[str, Any]

CUSTOMERS = ("ada", "bob")
MERCHANTS = ("shop", "cafe")
OPERATOR = "operator"
OWN = ("funding", "fees", "exchange")
"""The gateway's own accounts."""
NOBODY = "nobody"
"""The name of somebody who does not exist."""

FOREIGN = "JPY"
"""The currency that customers have beside USD."""
RATE = "0.0071"
PRICE = Fraction(71, 100)
"""Cents for one yen: `RATE` in minor units."""
SPREAD_BASIS_POINTS = 250
QUOTE_SECONDS = 60

HOLD_SECONDS = 604_800
UNFINISHED = {"requires_confirmation": "expired", "authorized": "expired", "partially_captured": "captured"}
"""What time makes of a payment."""

STATUS_OF = {
    "validation_error": 400,
    "insufficient_funds": 402,
    "merchant_insufficient_funds": 402,
    "role_forbidden": 403,
    "account_frozen": 403,
    "account_not_found": 404,
    "merchant_not_found": 404,
    "payment_not_found": 404,
    "quote_not_found": 404,
    "user_not_found": 404,
    "already_reversed": 409,
    "duplicate_reference": 409,
    "payment_expired": 409,
    "payment_not_refundable": 409,
    "payment_state_invalid": 409,
    "quote_expired": 409,
    "quote_used": 409,
    "transaction_not_reversible": 409,
    "use_refund": 409,
    "amount_too_small": 422,
    "batch_aborted": 422,
    "capture_amount_exceeds_authorized": 422,
    "currency_mismatch": 422,
    "idempotency_key_reused": 422,
    "quote_amount_mismatch": 422,
    "refund_amount_exceeds_remaining": 422,
    "same_account": 422,
}


def abroad(name: str) -> str:
    """Whose account in the foreign currency it is."""
    return f"{name} {FOREIGN}"


class No(Exception):  # noqa: N818 - it is an answer.
    """A refusal: its code, and the facts that come with it."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts: Json = facts
        self.payment: Payment | None = None

    @property
    def status(self) -> int:
        return STATUS_OF[self.code]


@dataclass(slots=True)
class Account:
    """What somebody has."""

    posted: int = 0
    held: int = 0
    incoming: int = 0
    frozen: bool = False
    version: int = 1
    basis_points: int = 0
    fixed_amount: int = 0

    @property
    def available(self) -> int:
        return self.posted - self.held

    @property
    def shown(self) -> Json:
        return {
            "balance": {
                "posted": self.posted,
                "held": self.held,
                "available": self.available,
                "incoming": self.incoming,
            },
            "status": "frozen" if self.frozen else "open",
            "version": self.version,
        }

    def fee_on(self, amount: int) -> int:
        # `round` rounds halves to the even number.
        return min(amount, round(Fraction(amount * self.basis_points, 10_000)) + self.fixed_amount)


@dataclass(slots=True, eq=False)
class Quote:
    """What somebody pays in the foreign currency, for a while and once; its `id` is filled in as a payment's is."""

    customer: str
    source: int
    target: int
    expires_at: datetime
    is_used: bool = False
    id: str = ""

    @property
    def spread(self) -> int:
        return spread_on(self.source)

    @property
    def shown(self) -> Json:
        return {
            "from_currency": FOREIGN,
            "to_currency": "USD",
            "source_amount": self.source,
            "target_amount": self.target,
            "rate": RATE,
            "spread": self.spread,
            "payment_id": None,
        }


def spread_on(source: int) -> int:
    # Below zero, rounded down is rounded up.
    return -(-source * SPREAD_BASIS_POINTS // 10_000)


def got_for(source: int) -> int:
    return int((source - spread_on(source)) * PRICE)


@dataclass(slots=True, eq=False)
class Payment:
    """A payment; its `id` is filled in when the gateway has told it."""

    customer: str | None
    merchant: str
    amount: int
    capture: str
    reference: str | None
    named_by: str
    status: str
    expires_at: datetime | None
    failure_code: str | None = None
    captured: int = 0
    refunded: int = 0
    refunded_with_fee: int = 0
    charged: int = 0
    returned: int = 0
    version: int = 1
    quote: Quote | None = None
    id: str = ""

    def status_at(self, now: datetime) -> str:
        is_over = self.expires_at is not None and now >= self.expires_at
        return UNFINISHED.get(self.status, self.status) if is_over else self.status

    @property
    def held(self) -> int:
        return self.amount - self.captured if self.status in {"authorized", "partially_captured"} else 0

    def actions_at(self, now: datetime) -> list[str]:
        actions = {
            "requires_confirmation": ["confirm", "cancel"],
            "authorized": ["capture", "cancel"],
            "partially_captured": ["capture", "cancel"],
        }.get(self.status_at(now), [])
        return [*actions, "refund"] if self.captured > self.refunded else actions

    def standing(self, now: datetime) -> Json:
        return {"current_status": self.status_at(now), "allowed_actions": self.actions_at(now)}

    def shown(self, now: datetime) -> Json:
        """Its fields as anybody sees them, with names in place of ids."""
        status = self.status_at(now)
        fee = self.charged - self.returned
        return {
            "status": status,
            "amount": self.amount,
            "amount_capturable": self.held if status == self.status else 0,
            "amount_captured": self.captured,
            "amount_refunded": self.refunded,
            "fee_amount": fee,
            "net_amount": self.captured - self.refunded - fee,
            "capture": self.capture,
            "customer": self.customer,
            "merchant": self.merchant,
            "reference": self.reference,
            "expires_at": self.expires_at,
            "failure_code": self.failure_code,
            "quote_id": None if self.quote is None else self.quote.id,
            "version": self.version,
            "allowed_actions": self.actions_at(now),
        }


@dataclass(slots=True, eq=False)
class Movement:
    """A transaction that somebody may try to reverse."""

    kind: str
    account: str
    amount: int
    id: str
    reversed_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A payment as it is asked for."""

    merchant: str
    amount: int
    currency: str = "USD"
    capture: str = "automatic"
    expires_in_seconds: int | None = None
    reference: str | None = None


@dataclass(slots=True)
class Ledger:
    """Who has what, and what was agreed. Each method decides one request, or raises `No`.

    A refusal changes nothing, but that a payment without funds has failed, and a request without funds keeps why.
    """

    now: datetime
    accounts: dict[str, Account] = field(
        default_factory=lambda: {
            name: Account() for name in (*CUSTOMERS, *MERCHANTS, *OWN, *(abroad(name) for name in (*CUSTOMERS, *OWN)))
        }
    )
    quotes: list[Quote] = field(default_factory=list[Quote])
    payments: list[Payment] = field(default_factory=list[Payment])

    def deposit(self, account: str, amount: int) -> None:
        self._post("funding", account, amount)

    def deposit_abroad(self, customer: str, amount: int) -> None:
        self._post(abroad("funding"), abroad(customer), amount)

    def ask_for_quote(self, customer: str, *, source: int | None, target: int | None) -> Quote:
        if source is None:
            source = next(enough for enough in count(1) if got_for(enough) >= (target or 1))
        quote = Quote(customer, source, target or got_for(source), self.now + timedelta(seconds=QUOTE_SECONDS))
        if quote.target < 1:
            raise No("amount_too_small")
        self.quotes.append(quote)
        return quote

    def pay_out(self, owner: str, account: str, amount: int) -> None:
        if owner != account:
            raise No("account_not_found")
        self._must_pay(account, amount)
        self._post(account, "funding", amount)

    def reverse(self, movement: Movement) -> None:
        if movement.kind == "refund":
            raise No("use_refund")
        if movement.kind == "reversal":
            raise No("transaction_not_reversible")
        if movement.reversed_by is not None:
            raise No("already_reversed", reversed_by=movement.reversed_by)
        if movement.kind == "payout":
            self._post("funding", movement.account, movement.amount)
        else:
            self._must_pay(movement.account, movement.amount)
            self._post(movement.account, "funding", movement.amount)

    def set_fees(self, merchant: str, basis_points: int, fixed_amount: int) -> None:
        account = self.accounts[merchant]
        if (account.basis_points, account.fixed_amount) != (basis_points, fixed_amount):
            account.basis_points, account.fixed_amount = basis_points, fixed_amount
            account.version += 1

    def freeze(self, name: str, *, frozen: bool) -> None:
        account = self.accounts[name]
        if account.frozen is not frozen:
            account.frozen = frozen
            account.version += 1

    def pay(self, customer: str, order: Order, quote: Quote | None = None) -> Payment:
        if order.merchant == customer:
            raise No("same_account")
        self._must_be_payable(order, customer)
        self._check_usable(quote, customer, order.amount, order.capture)
        payment = self._payment(
            order, customer, "authorized" if order.capture == "manual" else "captured", named_by=customer
        )
        if order.capture == "automatic":
            payment.expires_at = None
        try:
            self._must_cover(quote, customer, order.amount)
        except No as no:
            if no.code == "insufficient_funds":
                payment.status, payment.failure_code, payment.expires_at = "failed", no.code, None
                no.payment = self._keep(payment)
            raise
        self._take_or_hold(payment, quote)
        return self._keep(payment)

    def pay_all_or_none(self, customer: str, orders: list[Order]) -> list[Payment]:
        accounts, kept = copy.deepcopy(self.accounts), len(self.payments)
        for index, order in enumerate(orders):
            try:
                self.pay(customer, order)
            except No as no:
                self.accounts = accounts
                del self.payments[kept:]
                failed = {"index": index, "status": no.status, "code": no.code}
                raise No("batch_aborted", failed_item=failed) from no
        return self.payments[kept:]

    def request(self, customer: str | None, order: Order) -> Payment:
        if order.currency != "USD":
            raise No("currency_mismatch")
        if customer == NOBODY:
            raise No("user_not_found")
        self._must_be_payable(order, order.merchant)
        return self._keep(self._payment(order, customer, "requires_confirmation", named_by=order.merchant))

    def confirm(self, payment: Payment, customer: str, quote: Quote | None = None) -> Payment:
        if payment.customer not in {None, customer}:
            raise No("payment_not_found")
        self._must_allow(payment, "confirm")
        self._check_usable(quote, customer, payment.amount, payment.capture)
        try:
            self._must_cover(quote, customer, payment.amount)
        except No as no:
            if no.code == "insufficient_funds":
                payment.failure_code = no.code
                payment.version += 1
                no.payment = payment
            raise
        payment.customer, payment.failure_code = customer, None
        payment.status = "authorized" if payment.capture == "manual" else "captured"
        payment.version += 1
        self._take_or_hold(payment, quote)
        return payment

    def capture(self, payment: Payment, merchant: str, amount: int | None, *, final: bool) -> Payment:
        if payment.merchant != merchant:
            raise No("payment_not_found")
        self._must_allow(payment, "capture")
        part = payment.held if amount is None else amount
        if part > payment.held:
            raise No("capture_amount_exceeds_authorized", remaining=payment.held)
        customer = self._customer_of(payment)
        if self.accounts[customer].frozen:
            raise No("account_frozen")
        rest = payment.held - part
        self._promise(payment, -part)
        self._post(customer, merchant, part, versions=0)
        goes_on = rest > 0 and not final
        if rest and not goes_on:
            self._promise(payment, -rest)
        due = self.accounts[merchant].fee_on(payment.captured + part) - payment.charged
        self._charge(payment, max(0, min(part, due)))
        payment.captured += part
        payment.status = "partially_captured" if goes_on else "captured"
        payment.version += 1
        return payment

    def cancel(self, payment: Payment, by: str) -> Payment:
        if by not in {payment.customer, payment.merchant}:
            raise No("payment_not_found")
        self._must_allow(payment, "cancel")
        if by == payment.customer and payment.status != "requires_confirmation":
            raise No("role_forbidden")
        self._end(payment, "captured" if payment.status == "partially_captured" else "canceled")
        return payment

    def refund(self, payment: Payment, merchant: str, amount: int | None, *, refund_fee: bool) -> tuple[int, int]:
        """What goes back, and the share of the fee that the merchant gets back."""
        if payment.merchant != merchant:
            raise No("payment_not_found")
        if payment.captured == 0:
            raise No("payment_not_refundable", **payment.standing(self.now))
        left = payment.captured - payment.refunded
        part = left if amount is None else amount
        if part > left or left == 0:
            raise No("refund_amount_exceeds_remaining", remaining=left)
        if self.accounts[merchant].frozen:
            raise No("account_frozen")
        share = 0
        if refund_fee:
            with_fee = payment.refunded_with_fee + part
            due = round(Fraction(payment.charged * with_fee, payment.captured)) - payment.returned
            share = max(0, min(part, due))
        if self.accounts[merchant].available + share < part:
            raise No("merchant_insufficient_funds")
        if share:
            self._post("fees", merchant, share)
        if payment.quote is None:
            self._post(merchant, self._customer_of(payment), part)
        else:
            self._post(merchant, "exchange", part)
            self._return(payment.quote, payment.refunded, payment.refunded + part)
        payment.refunded += part
        payment.returned += share
        payment.refunded_with_fee += part if refund_fee else 0
        payment.version += 1
        return part, share

    def let_the_worker_by(self) -> int:
        """How many payments it ended."""
        due = [payment for payment in self.payments if payment.status_at(self.now) != payment.status]
        for payment in due:
            self._end(payment, payment.status_at(self.now))
        return len(due)

    def _must_be_payable(self, order: Order, named_by: str) -> None:
        if order.merchant not in MERCHANTS:
            raise No("merchant_not_found")
        if order.currency != "USD":
            raise No("currency_mismatch")
        name = (order.merchant, order.reference, named_by)
        if order.reference is not None and any(
            (payment.merchant, payment.reference, payment.named_by) == name
            for payment in self.payments
            if payment.status not in {"failed", "canceled", "expired"}
        ):
            raise No("duplicate_reference")

    def _check_usable(self, quote: Quote | None, customer: str, amount: int, capture: str) -> None:
        if quote is None:
            return
        if capture == "manual":
            raise No("validation_error")
        if quote.customer != customer:
            raise No("quote_not_found")
        if quote.is_used:
            raise No("quote_used")
        if quote.expires_at <= self.now:
            raise No("quote_expired")
        if quote.target != amount:
            raise No("quote_amount_mismatch", target_amount=quote.target)

    def _must_cover(self, quote: Quote | None, customer: str, amount: int) -> None:
        if quote is None:
            self._must_pay(customer, amount)
        else:
            self._must_pay(abroad(customer), quote.source)

    def _must_allow(self, payment: Payment, action: str) -> None:
        if action not in payment.actions_at(self.now):
            is_over = payment.status_at(self.now) == "expired"
            raise No("payment_expired" if is_over else "payment_state_invalid", **payment.standing(self.now))

    def _must_pay(self, name: str, amount: int) -> None:
        if self.accounts[name].frozen:
            raise No("account_frozen")
        if self.accounts[name].available < amount:
            raise No("insufficient_funds")

    def _payment(self, order: Order, customer: str | None, status: str, *, named_by: str) -> Payment:
        return Payment(
            customer=customer,
            merchant=order.merchant,
            amount=order.amount,
            capture=order.capture,
            reference=order.reference,
            named_by=named_by,
            status=status,
            expires_at=self.now + timedelta(seconds=order.expires_in_seconds or HOLD_SECONDS),
        )

    def _keep(self, payment: Payment) -> Payment:
        self.payments.append(payment)
        return payment

    def _customer_of(self, payment: Payment) -> str:
        assert payment.customer is not None
        return payment.customer

    def _take_or_hold(self, payment: Payment, quote: Quote | None) -> None:
        customer, merchant = self._customer_of(payment), payment.merchant
        if payment.capture == "manual":
            self._promise(payment, payment.amount)
            return
        if quote is None:
            self._post(customer, merchant, payment.amount)
        else:
            self._post("exchange", merchant, payment.amount)
            self._post(abroad(customer), abroad("exchange"), quote.source)
            self._post(abroad("exchange"), abroad("fees"), quote.spread)
            payment.quote, quote.is_used = quote, True
        self._charge(payment, self.accounts[merchant].fee_on(payment.amount))
        payment.captured = payment.amount

    def _return(self, quote: Quote, before: int, after: int) -> None:
        """What belongs to all refunds so far, less what went back before."""
        source, spread = (
            whole * after // quote.target - whole * before // quote.target for whole in (quote.source, quote.spread)
        )
        if spread:
            self._post(abroad("fees"), abroad("exchange"), spread)
        if source:
            self._post(abroad("exchange"), abroad(quote.customer), source)

    def _charge(self, payment: Payment, fee: int) -> None:
        if fee:
            self._post(payment.merchant, "fees", fee)
            payment.charged += fee

    def _end(self, payment: Payment, status: str) -> None:
        if payment.held:
            self._promise(payment, -payment.held)
        payment.status = status
        payment.version += 1

    def _promise(self, payment: Payment, amount: int) -> None:
        """Hold so much for a payment; less than nothing is given back."""
        customer, merchant = self.accounts[self._customer_of(payment)], self.accounts[payment.merchant]
        customer.held += amount
        merchant.incoming += amount
        customer.version += 1
        merchant.version += 1

    def _post(self, source: str, target: str, amount: int, *, versions: int = 1) -> None:
        self.accounts[source].posted -= amount
        self.accounts[target].posted += amount
        self.accounts[source].version += versions
        self.accounts[target].version += versions
