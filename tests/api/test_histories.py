"""Whatever is asked, in whatever order, a small model of the ledger knows the answer before: a state machine.

After each step everything that can be seen is compared: every payment, every account, and the invariants.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.application.expiry import Expiry
from gateway.application.verification.verify import verify
from gateway.contracts.history import OpenStorage
from support.api_client import Json, Person, World, created, fresh_key, ok, open_world, refused
from support.ledger_model import (
    CUSTOMERS,
    FOREIGN,
    MERCHANTS,
    NOBODY,
    OPERATOR,
    RATE,
    SPREAD_BASIS_POINTS,
    UNFINISHED,
    Ledger,
    Movement,
    No,
    Order,
    Payment,
    Quote,
    abroad,
)
from support.storages import emptied_between_tests, open_memory

Result = TypeVar("Result")

EXAMPLES_ON_MEMORY = 100
EXAMPLES_ON_POSTGRES = 10
STEPS = 50
BALANCE = 300
MICROSECOND = timedelta(microseconds=1)
SHRINKING_SECONDS_MAX = 600
"""A history that fails is made shorter, for minutes, before it is shown."""
NOT_KEPT = {400, 403}
"""What is answered so may be answered otherwise next time, under the same key."""

customers = st.sampled_from(CUSTOMERS)
merchants = st.sampled_from(MERCHANTS)
parties = st.sampled_from((*CUSTOMERS, *MERCHANTS))
amounts = st.integers(1, 60)
parts = st.one_of(st.none(), st.integers(1, 30))
times = st.one_of(st.none(), st.sampled_from([60, 61]))
references = st.one_of(st.none(), st.none(), st.sampled_from(["order-1", "order-2"]))
mostly_the_right_one = st.sampled_from([None] * 6 + [*MERCHANTS])
any_one = st.integers(0, 999)
currencies = st.sampled_from(["USD"] * 9 + ["EUR"])
requests = st.builds(
    Order,
    merchant=merchants,
    amount=amounts,
    currency=currencies,
    capture=st.sampled_from(["automatic", "manual"]),
    expires_in_seconds=times,
    reference=references,
)
payees = st.sampled_from([*MERCHANTS * 4, *CUSTOMERS, NOBODY])
at_once = st.builds(Order, merchant=payees, amount=amounts, currency=currencies, reference=references)
holds = st.builds(Order, merchant=merchants, amount=amounts, capture=st.just("manual"), expires_in_seconds=times)
orders = st.one_of(at_once, holds, holds)
there_are_quotes = precondition(lambda self: self.ledger.quotes)
there_are_payments = precondition(lambda self: self.ledger.payments)
has_time_to_shrink = pytest.mark.timeout(SHRINKING_SECONDS_MAX)


@dataclass(frozen=True, slots=True)
class Said(Generic[Result]):
    """What the model made of a request, or why it refused, and what the gateway answered to it."""

    made: Result | None
    no: No | None
    body: Json


@dataclass(frozen=True, slots=True)
class Asked(Generic[Result]):
    """A request: how the model decides it, the status of its success, and what is learned from the answer."""

    who: str
    path: str
    body: Json | None
    success: int
    decide: Callable[[], Result]
    learn: Callable[[Said[Result]], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request with the key that it had, and its answer."""

    asked: Asked[Any]
    key: str
    answer: httpx.Response

    @property
    def is_kept(self) -> bool:
        """Whether the key gives the same answer from now on: of a batch, if that of each item is kept."""
        body = self.answer.json()
        failed_item = body.get("failed_item", {"status": self.answer.status_code})
        statuses = [result["status"] for result in body.get("results", [failed_item])]
        return NOT_KEPT.isdisjoint(statuses)


class Histories(RuleBasedStateMachine):
    """Two customers, two merchants and an operator: each step is a request of somebody's, or some time."""

    runner: ClassVar[asyncio.Runner]
    open_storage: ClassVar[OpenStorage]

    def __init__(self) -> None:
        super().__init__()
        self.stack = AsyncExitStack()
        self.movements: list[Movement] = []
        self.kept: list[Sent] = []
        self.refused_for_now: list[Sent] = []
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Let the application work, on the loop that it lives on."""
        return self.runner.run(work)

    async def _open(self) -> None:
        storage = await self.stack.enter_async_context(type(self).open_storage())
        self.world: World = await self.stack.enter_async_context(open_world(storage=storage))
        self.ledger = Ledger(self.world.clock.now)
        self.people: dict[str, Person] = {OPERATOR: await self.world.operator()}
        rate = {"rate": RATE, "spread_basis_points": SPREAD_BASIS_POINTS}
        ok(await self.people[OPERATOR].api.send("PUT", f"/rates/{FOREIGN}/USD", rate))
        for name in CUSTOMERS:
            person = self.people[name] = await self.world.customer(balance=BALANCE)
            self.ledger.deposit(name, BALANCE)
            account = created(await person.api.post("/accounts", {"currency": FOREIGN}))
            await person.deposit(BALANCE, FOREIGN, account_id=account["id"])
            self.ledger.deposit_abroad(name, BALANCE)
        for name in MERCHANTS:
            self.people[name] = await self.world.merchant()
        self.names: dict[str | None, str] = {person.id: name for name, person in self.people.items()}

    def teardown(self) -> None:
        self.run(self._close())

    async def _close(self) -> None:
        async with self.stack, self.world.gateway.storage.audit() as audit:
            assert (await verify(audit)).named == []

    @invariant()
    def all_that_can_be_seen_is_as_the_model_says(self) -> None:
        self.run(self._look())

    async def _look(self) -> None:
        payments = {each["id"]: self._named(each) for each in await self._all("/payments")}
        expected: Json = {each.id: each.shown(self.ledger.now) for each in self.ledger.payments}
        assert payments.keys() == expected.keys()
        assert like(payments, expected) == expected
        accounts: Json = {}
        for each in await self._all("/accounts"):
            name = self.names.get(each["owner_id"]) or each["kind"]
            accounts[abroad(name) if each["currency"] == FOREIGN else name] = each
        expected = {name: account.shown for name, account in self.ledger.accounts.items()}
        assert like(accounts, expected) == expected
        assert (await self._see("/ledger/invariants"))["ok"] is True

    async def _see(self, path: str, **parameters: str) -> Json:
        """What the operator sees. Not held against the OpenAPI document: lists so long would take half of the time."""
        api = self.people[OPERATOR].api
        return ok(await api.http.get(path, headers={"authorization": f"Bearer {api.token}"}, params=parameters))

    async def _all(self, path: str) -> list[Json]:
        """What stands on all pages of a list."""
        found: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self._see(path, limit="100", **cursor)
            found += page["data"]
            if not page["has_more"]:
                return found
            cursor = {"cursor": page["next_cursor"]}

    def _named(self, payment: Json) -> Json:
        """A payment with names in place of ids, and a time in place of its text."""
        expires_at = payment["expires_at"]
        return payment | {
            "customer": self.names.get(payment["customer_id"]),
            "merchant": self.names[payment["merchant_id"]],
            "expires_at": None if expires_at is None else datetime.fromisoformat(expires_at),
        }

    # What can be asked.

    @rule(customer=customers, order=orders)
    def pay(self, customer: str, order: Order) -> None:
        body = self._body(order)
        self._ask(Asked(customer, "/payments", body, 201, lambda: self.ledger.pay(customer, order), self._payment))

    @rule(customer=st.sampled_from([None, *CUSTOMERS * 3, NOBODY]), order=requests)
    def request(self, customer: str | None, order: Order) -> None:
        body = self._body(order) | {"customer_id": self._id(customer)}
        del body["merchant_id"]
        merchant = order.merchant
        self._ask(Asked(merchant, "/payments", body, 201, lambda: self.ledger.request(customer, order), self._payment))

    @there_are_payments
    @rule(which=any_one, customer=customers)
    def confirm(self, which: int, customer: str) -> None:
        payment = self._pick(which, "confirm")
        path = f"/payments/{payment.id}/confirm"
        self._ask(Asked(customer, path, None, 200, lambda: self.ledger.confirm(payment, customer), self._payment))

    @rule(customer=customers, amount=amounts, by_source=st.booleans())
    def ask_for_quote(self, *, customer: str, amount: int, by_source: bool) -> None:
        source, target = (amount, None) if by_source else (None, amount)

        def decide() -> Quote:
            return self.ledger.ask_for_quote(customer, source=source, target=target)

        def learn(said: Said[Quote]) -> None:
            if said.made is not None:
                said.made.id = said.body["id"]
                assert like(said.body, said.made.shown) == said.made.shown
                assert datetime.fromisoformat(said.body["expires_at"]) == said.made.expires_at

        body = {"from_currency": FOREIGN, "to_currency": "USD", "source_amount": source, "target_amount": target}
        self._ask(Asked(customer, "/quotes", body, 201, decide, learn))

    @there_are_quotes
    @rule(which=any_one, merchant=merchants, by=st.sampled_from([None] * 8 + [*CUSTOMERS]), wrong=st.integers(0, 9))
    def pay_across(self, *, which: int, merchant: str, by: str | None, wrong: int) -> None:
        quote = self._pick_quote(which)
        customer, capture = by or quote.customer, "manual" if wrong == 1 else "automatic"
        order = Order(merchant=merchant, amount=quote.target + (wrong == 0), capture=capture)
        body = self._body(order) | {"quote_id": quote.id}
        decide = partial(self.ledger.pay, customer, order, quote)
        self._ask(Asked(customer, "/payments", body, 201, decide, self._payment))

    @there_are_quotes
    @rule(which=any_one, merchant=merchants, capture=st.sampled_from(["automatic"] * 5 + ["manual"]))
    def request_for_quote(self, *, which: int, merchant: str, capture: str) -> None:
        quote = self._pick_quote(which)
        self.request(quote.customer, Order(merchant=merchant, amount=quote.target, capture=capture))

    @there_are_quotes
    @there_are_payments
    @rule(which=any_one, which_payment=any_one)
    def confirm_across(self, which: int, which_payment: int) -> None:
        quote = self._pick_quote(which)
        asked = [each for each in self.ledger.payments if each.amount == quote.target and each.status in UNFINISHED]
        payment = asked[-1] if asked else self._pick(which_payment, "confirm")
        path, body = f"/payments/{payment.id}/confirm", {"quote_id": quote.id}
        decide = partial(self.ledger.confirm, payment, quote.customer, quote)
        self._ask(Asked(quote.customer, path, body, 200, decide, self._payment))

    @there_are_payments
    @rule(which=any_one, amount=st.integers(1, 20))
    def capture_a_part(self, which: int, amount: int) -> None:
        self.capture(which=which, amount=amount, final=False, by=None)

    @there_are_payments
    @rule(which=any_one, amount=parts, final=st.booleans(), by=mostly_the_right_one)
    def capture(self, *, which: int, amount: int | None, final: bool, by: str | None) -> None:
        payment = self._pick(which, "capture")
        merchant = by or payment.merchant

        def decide() -> Payment:
            return self.ledger.capture(payment, merchant, amount, final=final)

        path, body = f"/payments/{payment.id}/capture", {"amount": amount, "final": final}
        self._ask(Asked(merchant, path, body, 200, decide, self._payment))

    @there_are_payments
    @rule(which=any_one, by=st.one_of(st.none(), st.none(), parties))
    def cancel(self, which: int, by: str | None) -> None:
        payment = self._pick(which, "cancel")
        who = by or payment.merchant
        path = f"/payments/{payment.id}/cancel"
        self._ask(Asked(who, path, None, 200, lambda: self.ledger.cancel(payment, who), self._payment))

    @there_are_payments
    @rule(which=any_one, amount=parts, refund_fee=st.booleans(), by=mostly_the_right_one)
    def refund(self, *, which: int, amount: int | None, refund_fee: bool, by: str | None) -> None:
        payment = self._pick(which, "refund")
        self._refund(payment, by or payment.merchant, amount, refund_fee=refund_fee)

    @there_are_quotes
    @rule(which=any_one, amount=st.integers(1, 10))
    def refund_a_part_across(self, which: int, amount: int) -> None:
        across = [payment for payment in self.ledger.payments if payment.quote and payment.refunded < payment.captured]
        if across:
            payment = across[which % len(across)]
            left = payment.captured - payment.refunded
            self._refund(payment, payment.merchant, min(amount, left), refund_fee=which % 2 == 0)

    def _refund(self, payment: Payment, merchant: str, amount: int | None, *, refund_fee: bool) -> None:
        def decide() -> tuple[int, int]:
            return self.ledger.refund(payment, merchant, amount, refund_fee=refund_fee)

        def learn(said: Said[tuple[int, int]]) -> None:
            assert said.no or (said.body["amount"], said.body["fee_refunded"]) == said.made
            self._moved("refund", merchant, said)

        path, body = f"/payments/{payment.id}/refunds", {"amount": amount, "refund_fee": refund_fee}
        self._ask(Asked(merchant, path, body, 201, decide, learn))

    @rule(customer=customers, some=st.lists(orders, min_size=1, max_size=3), by_operator=st.booleans())
    def pay_each(self, *, customer: str, some: list[Order], by_operator: bool) -> None:
        def decide() -> list[Said[Payment]]:
            return [decided(partial(self.ledger.pay, customer, order)) for order in some]

        def learn(said: Said[list[Said[Payment]]]) -> None:
            for one, result in zip(said.made or (), said.body["results"], strict=True):
                check(one, 201, result["status"], result["body"])
                self._payment(replace(one, body=result["body"]))

        who, body = self._batch("independent", customer, some, by_operator=by_operator)
        self._ask(Asked(who, "/payments/batch", body, 207, decide, learn))

    @rule(customer=customers, some=st.lists(orders, min_size=1, max_size=3), by_operator=st.booleans())
    def pay_all_or_none(self, *, customer: str, some: list[Order], by_operator: bool) -> None:
        def decide() -> list[Payment]:
            return self.ledger.pay_all_or_none(customer, some)

        def learn(said: Said[list[Payment]]) -> None:
            for made, result in zip(said.made or (), said.body.get("results", ()), strict=True):
                assert result["status"] == httpx.codes.CREATED
                self._payment(Said(made, None, result["body"]))

        who, body = self._batch("atomic", customer, some, by_operator=by_operator)
        self._ask(Asked(who, "/payments/batch", body, 201, decide, learn))

    @rule(account=parties, amount=st.integers(1, 2 * BALANCE), by_operator=st.booleans())
    def deposit(self, *, account: str, amount: int, by_operator: bool) -> None:
        who, body = OPERATOR if by_operator else account, self._money(account, amount)
        learn = partial(self._moved, "deposit", account)
        self._ask(Asked(who, "/deposits", body, 201, lambda: self.ledger.deposit(account, amount), learn))

    @rule(account=parties, amount=amounts, by=st.one_of(st.none(), st.none(), parties))
    def pay_out(self, account: str, amount: int, by: str | None) -> None:
        owner, body = by or account, self._money(account, amount)
        learn = partial(self._moved, "payout", account)
        self._ask(Asked(owner, "/payouts", body, 201, lambda: self.ledger.pay_out(owner, account, amount), learn))

    @precondition(lambda self: self.movements)
    @rule(which=any_one)
    def reverse(self, which: int) -> None:
        movement = self.movements[which % len(self.movements)]

        def learn(said: Said[None]) -> None:
            if said.no is None:
                assert (said.body["reverses"], said.body["amount"]) == (movement.id, movement.amount)
                movement.reversed_by = said.body["id"]
                self.movements.append(Movement("reversal", movement.account, movement.amount, said.body["id"]))

        path, body = f"/transactions/{movement.id}/reverse", {"reason": "A mistake"}
        self._ask(Asked(OPERATOR, path, body, 201, lambda: self.ledger.reverse(movement), learn))

    @rule(account=parties, frozen=st.sampled_from([True, False, False]))
    def freeze(self, *, account: str, frozen: bool) -> None:
        def learn(said: Said[None]) -> None:
            expected = self.ledger.accounts[account].shown
            assert like(said.body, expected) == expected

        path = f"/accounts/{self.people[account].account_id}/{'freeze' if frozen else 'unfreeze'}"
        self._ask(Asked(OPERATOR, path, None, 200, lambda: self.ledger.freeze(account, frozen=frozen), learn))

    @rule(
        merchant=merchants, basis_points=st.sampled_from([0, 250, 5000, 10_000]), fixed_amount=st.sampled_from([0, 3])
    )
    def set_fees(self, merchant: str, basis_points: int, fixed_amount: int) -> None:
        self.ledger.set_fees(merchant, basis_points, fixed_amount)
        body = {"currency": "USD", "basis_points": basis_points, "fixed_amount": fixed_amount}
        path = f"/merchants/{self._id(merchant)}/fees"
        assert like(ok(self.run(self.people[OPERATOR].api.send("PUT", path, body))), body) == body

    @precondition(lambda self: self.kept)
    @rule(which=any_one)
    def ask_again(self, which: int) -> None:
        sent = self.kept[which % len(self.kept)]
        again = self._send(sent.asked, sent.key)
        assert (again.status_code, again.content) == (sent.answer.status_code, sent.answer.content)
        assert again.headers["idempotency-replayed"] == "true"

    @precondition(lambda self: self.kept)
    @rule(which=any_one)
    def ask_for_something_else_under_the_same_key(self, which: int) -> None:
        sent = self.kept[which % len(self.kept)]
        by_operator = sent.asked.who == OPERATOR
        path, body = ("/transactions/x/reverse", {"reason": "x"}) if by_operator else ("/payments/x/cancel", {})
        other = replace(sent.asked, path=path, body=body)
        refused(self._send(other, sent.key), 422, "idempotency_key_reused")

    @precondition(lambda self: self.refused_for_now)
    @rule(which=any_one)
    def ask_again_for_what_was_refused_for_now(self, which: int) -> None:
        sent = self.refused_for_now.pop(which % len(self.refused_for_now))
        self._ask(sent.asked, sent.key)

    # What happens without anybody asking.

    @rule(seconds=st.sampled_from([1, 59]))
    def time_passes(self, seconds: int) -> None:
        self._let_it_be(self.ledger.now + timedelta(seconds=seconds))

    @there_are_payments
    @rule(which=any_one, early=st.sampled_from([MICROSECOND, timedelta(0)]))
    def the_time_of_a_payment_comes(self, which: int, early: timedelta) -> None:
        payment = self._pick(which, "cancel")
        if payment.expires_at is not None and payment.expires_at - early > self.ledger.now:
            self._let_it_be(payment.expires_at - early)

    @there_are_quotes
    @rule(which=any_one, early=st.sampled_from([MICROSECOND, timedelta(0)]))
    def the_time_of_a_quote_comes(self, which: int, early: timedelta) -> None:
        quote = self._pick_quote(which)
        if quote.expires_at - early > self.ledger.now:
            self._let_it_be(quote.expires_at - early)

    @rule()
    def the_worker_comes_by(self) -> None:
        gateway = self.world.gateway
        expiry = Expiry(executor=gateway.executor, reader=gateway.storage.reader, clock=self.world.clock)
        assert self.run(expiry.run_once()) == self.ledger.let_the_worker_by()

    # How it is asked.

    def _ask(self, asked: Asked[Any], key: str | None = None) -> None:
        """Let the model decide, send the request, and compare."""
        said = decided(asked.decide)
        key = key or fresh_key()
        sent = Sent(asked, key, self._send(asked, key))
        check(said, asked.success, sent.answer.status_code, sent.answer.json())
        assert "idempotency-replayed" not in sent.answer.headers
        if sent.is_kept:
            self.kept.append(sent)
        elif asked.path != "/payments/batch":  # Some items of a batch may be kept nevertheless.
            self.refused_for_now.append(sent)
        asked.learn(replace(said, body=sent.answer.json()))

    def _send(self, asked: Asked[Any], key: str) -> httpx.Response:
        return self.run(self.people[asked.who].api.post(asked.path, asked.body, key=key))

    def _payment(self, said: Said[Payment]) -> None:
        """If a payment came of a request, the model learns its id, and it must be shown as the model has it."""
        if said.made is not None:
            said.made.id = said.body["id"]
            expected = said.made.shown(self.ledger.now)
            assert like(self._named(said.body), expected) == expected
        elif said.no is not None and said.no.payment is not None:
            said.no.payment.id = said.body["payment_id"]

    def _moved(self, kind: str, account: str, said: Said[Any]) -> None:
        """If money was moved, it may be tried to be reversed."""
        if said.no is None:
            self.movements.append(Movement(kind, account, said.body["amount"], said.body["transaction_id"]))

    def _pick(self, which: int, action: str) -> Payment:
        """Any payment, but mostly one that allows this."""
        likely = [payment for payment in self.ledger.payments if action in payment.actions_at(self.ledger.now)]
        some = likely if likely and which % 4 else self.ledger.payments
        return some[which // 4 % len(some)]

    def _pick_quote(self, which: int) -> Quote:
        """Any quote, but mostly one that is good."""
        now = self.ledger.now
        good = [quote for quote in self.ledger.quotes if not quote.is_used and now < quote.expires_at]
        some = good if good and which % 4 else self.ledger.quotes
        return some[which // 4 % len(some)]

    def _batch(self, mode: str, customer: str, some: list[Order], *, by_operator: bool) -> tuple[str, Json]:
        whose = {"customer_id": self._id(customer)} if by_operator else {}
        items = [self._body(order) | whose | {"idempotency_key": fresh_key()} for order in some]
        return OPERATOR if by_operator else customer, {"mode": mode, "items": items}

    def _body(self, order: Order) -> Json:
        return {
            "merchant_id": self._id(order.merchant),
            "amount": order.amount,
            "currency": order.currency,
            "capture": order.capture,
            "expires_in_seconds": order.expires_in_seconds,
            "reference": order.reference,
        }

    def _money(self, account: str, amount: int) -> Json:
        return {"account_id": self.people[account].account_id, "amount": amount, "currency": "USD"}

    def _id(self, name: str | None) -> str | None:
        if name is None:
            return None
        return "usr_nobody" if name == NOBODY else self.people[name].id

    def _let_it_be(self, now: datetime) -> None:
        """Everybody's access tokens are too old then."""
        self.ledger.now = self.world.clock.now = now
        for name, person in self.people.items():
            signed_in = self.run(self.world.signed_in(person.email))
            self.people[name] = replace(signed_in, account_id=person.account_id)


def decided(decide: Callable[[], Result]) -> Said[Result]:
    """What the model makes of a request."""
    try:
        return Said(decide(), None, {})
    except No as no:
        return Said(None, no, {})


def check(said: Said[Any], success: int, status: int, body: Json) -> None:
    """An answer must be what the model says: a success, or this refusal with these facts."""
    if said.no is None:
        assert status == success, body
    else:
        assert (status, body.get("code")) == (said.no.status, said.no.code), body
        assert like(body, said.no.facts) == said.no.facts


def like(body: Mapping[str, Any], expected: Json) -> Json:
    """What `expected` tells of a body."""
    return {
        name: like(body[name], value) if isinstance(value, dict) else body.get(name) for name, value in expected.items()
    }


def run_histories(runner: asyncio.Runner, open_storage: OpenStorage, *, examples: int) -> None:
    machine = type("Histories", (Histories,), {"runner": runner, "open_storage": staticmethod(open_storage)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@has_time_to_shrink
def test_every_answer_is_as_the_model_says_on_memory() -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        run_histories(runner, open_memory, examples=EXAMPLES_ON_MEMORY)


@has_time_to_shrink
def test_every_answer_is_as_the_model_says_on_postgres(postgres_url: str) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stack = AsyncExitStack()
        open_storage = runner.run(stack.enter_async_context(emptied_between_tests(postgres_url)))
        try:
            run_histories(runner, open_storage, examples=EXAMPLES_ON_POSTGRES)
        finally:
            runner.run(stack.aclose())
