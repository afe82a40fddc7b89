"""Random histories of requests: a model of the ledger decides each request too, and each step compares all state."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from gateway.application.expiry import Expiry
from gateway.contracts.history import OpenStorage
from support.api_client import ok, refused
from support.histories import BALANCE, HistoryMachine, Outcome, Step, check, like, outcome_of
from support.ledger_model import (
    CUSTOMERS,
    FOREIGN,
    MERCHANTS,
    NOBODY,
    OPERATOR,
    UNFINISHED,
    Movement,
    Order,
    Payment,
    Quote,
)
from support.storages import emptied_between_tests, open_memory

EXAMPLES_ON_MEMORY = 100
EXAMPLES_ON_POSTGRES = 10
STEPS = 50
MICROSECOND = timedelta(microseconds=1)
SHRINKING_SECONDS_MAX = 600
"""Hypothesis shrinks a failing history for minutes."""

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


class Histories(HistoryMachine):
    """Each step is a request of somebody, or a change of the time."""

    @rule(customer=customers, order=orders)
    def pay(self, customer: str, order: Order) -> None:
        body = self._body(order)
        self._request(Step(customer, "/payments", body, 201, lambda: self.ledger.pay(customer, order), self._payment))

    @rule(customer=st.sampled_from([None, *CUSTOMERS * 3, NOBODY]), order=requests)
    def request(self, customer: str | None, order: Order) -> None:
        body = self._body(order) | {"customer_id": self._id(customer)}
        del body["merchant_id"]
        merchant = order.merchant
        self._request(
            Step(merchant, "/payments", body, 201, lambda: self.ledger.request(customer, order), self._payment)
        )

    @there_are_payments
    @rule(which=any_one, customer=customers)
    def confirm(self, which: int, customer: str) -> None:
        payment = self._pick(which, "confirm")
        path = f"/payments/{payment.id}/confirm"
        self._request(Step(customer, path, None, 200, lambda: self.ledger.confirm(payment, customer), self._payment))

    @rule(customer=customers, amount=amounts, by_source=st.booleans())
    def ask_for_quote(self, *, customer: str, amount: int, by_source: bool) -> None:
        source, target = (amount, None) if by_source else (None, amount)

        def decide() -> Quote:
            return self.ledger.ask_for_quote(customer, source=source, target=target)

        def learn(outcome: Outcome[Quote]) -> None:
            if outcome.result is not None:
                outcome.result.id = outcome.body["id"]
                assert like(outcome.body, outcome.result.shown) == outcome.result.shown
                assert datetime.fromisoformat(outcome.body["expires_at"]) == outcome.result.expires_at

        body = {"from_currency": FOREIGN, "to_currency": "USD", "source_amount": source, "target_amount": target}
        self._request(Step(customer, "/quotes", body, 201, decide, learn))

    @there_are_quotes
    @rule(which=any_one, merchant=merchants, by=st.sampled_from([None] * 8 + [*CUSTOMERS]), wrong=st.integers(0, 9))
    def pay_across(self, *, which: int, merchant: str, by: str | None, wrong: int) -> None:
        quote = self._pick_quote(which)
        customer, capture = by or quote.customer, "manual" if wrong == 1 else "automatic"
        order = Order(merchant=merchant, amount=quote.target + (wrong == 0), capture=capture)
        body = self._body(order) | {"quote_id": quote.id}
        decide = partial(self.ledger.pay, customer, order, quote)
        self._request(Step(customer, "/payments", body, 201, decide, self._payment))

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
        requests = [each for each in self.ledger.payments if each.amount == quote.target and each.status in UNFINISHED]
        payment = requests[-1] if requests else self._pick(which_payment, "confirm")
        path, body = f"/payments/{payment.id}/confirm", {"quote_id": quote.id}
        decide = partial(self.ledger.confirm, payment, quote.customer, quote)
        self._request(Step(quote.customer, path, body, 200, decide, self._payment))

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
        self._request(Step(merchant, path, body, 200, decide, self._payment))

    @there_are_payments
    @rule(which=any_one, by=st.one_of(st.none(), st.none(), parties))
    def cancel(self, which: int, by: str | None) -> None:
        payment = self._pick(which, "cancel")
        who = by or payment.merchant
        path = f"/payments/{payment.id}/cancel"
        self._request(Step(who, path, None, 200, lambda: self.ledger.cancel(payment, who), self._payment))

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

        def learn(outcome: Outcome[tuple[int, int]]) -> None:
            assert outcome.refusal or (outcome.body["amount"], outcome.body["fee_refunded"]) == outcome.result
            self._moved("refund", merchant, outcome)

        path, body = f"/payments/{payment.id}/refunds", {"amount": amount, "refund_fee": refund_fee}
        self._request(Step(merchant, path, body, 201, decide, learn))

    @rule(customer=customers, some=st.lists(orders, min_size=1, max_size=3), by_operator=st.booleans())
    def pay_each(self, *, customer: str, some: list[Order], by_operator: bool) -> None:
        def decide() -> list[Outcome[Payment]]:
            return [outcome_of(partial(self.ledger.pay, customer, order)) for order in some]

        def learn(outcome: Outcome[list[Outcome[Payment]]]) -> None:
            for one, result in zip(outcome.result or (), outcome.body["results"], strict=True):
                check(one, 201, result["status"], result["body"])
                self._payment(replace(one, body=result["body"]))

        who, body = self._batch("independent", customer, some, by_operator=by_operator)
        self._request(Step(who, "/payments/batch", body, 207, decide, learn))

    @rule(customer=customers, some=st.lists(orders, min_size=1, max_size=3), by_operator=st.booleans())
    def pay_all_or_none(self, *, customer: str, some: list[Order], by_operator: bool) -> None:
        def decide() -> list[Payment]:
            return self.ledger.pay_all_or_none(customer, some)

        def learn(outcome: Outcome[list[Payment]]) -> None:
            for made, result in zip(outcome.result or (), outcome.body.get("results", ()), strict=True):
                assert result["status"] == httpx.codes.CREATED
                self._payment(Outcome(made, None, result["body"]))

        who, body = self._batch("atomic", customer, some, by_operator=by_operator)
        self._request(Step(who, "/payments/batch", body, 201, decide, learn))

    @rule(account=parties, amount=st.integers(1, 2 * BALANCE), by_operator=st.booleans())
    def deposit(self, *, account: str, amount: int, by_operator: bool) -> None:
        who, body = OPERATOR if by_operator else account, self._money(account, amount)
        learn = partial(self._moved, "deposit", account)
        self._request(Step(who, "/deposits", body, 201, lambda: self.ledger.deposit(account, amount), learn))

    @rule(account=parties, amount=amounts, by=st.one_of(st.none(), st.none(), parties))
    def pay_out(self, account: str, amount: int, by: str | None) -> None:
        owner, body = by or account, self._money(account, amount)
        learn = partial(self._moved, "payout", account)
        self._request(Step(owner, "/payouts", body, 201, lambda: self.ledger.pay_out(owner, account, amount), learn))

    @precondition(lambda self: self.movements)
    @rule(which=any_one)
    def reverse(self, which: int) -> None:
        movement = self.movements[which % len(self.movements)]

        def learn(outcome: Outcome[None]) -> None:
            if outcome.refusal is None:
                assert (outcome.body["reverses"], outcome.body["amount"]) == (movement.id, movement.amount)
                movement.reversed_by = outcome.body["id"]
                self.movements.append(Movement("reversal", movement.account, movement.amount, outcome.body["id"]))

        path, body = f"/transactions/{movement.id}/reverse", {"reason": "A mistake"}
        self._request(Step(OPERATOR, path, body, 201, lambda: self.ledger.reverse(movement), learn))

    @rule(account=parties, frozen=st.sampled_from([True, False, False]))
    def freeze(self, *, account: str, frozen: bool) -> None:
        def learn(outcome: Outcome[None]) -> None:
            expected = self.ledger.accounts[account].shown
            assert like(outcome.body, expected) == expected

        path = f"/accounts/{self.people[account].account_id}/{'freeze' if frozen else 'unfreeze'}"
        self._request(Step(OPERATOR, path, None, 200, lambda: self.ledger.freeze(account, frozen=frozen), learn))

    @rule(
        merchant=merchants, basis_points=st.sampled_from([0, 250, 5000, 10_000]), fixed_amount=st.sampled_from([0, 3])
    )
    def set_fees(self, merchant: str, basis_points: int, fixed_amount: int) -> None:
        self.ledger.set_fees(merchant, basis_points, fixed_amount)
        body = {"currency": "USD", "basis_points": basis_points, "fixed_amount": fixed_amount}
        path = f"/merchants/{self._id(merchant)}/fees"
        assert like(ok(self.run(self.people[OPERATOR].api.send("PUT", path, body))), body) == body

    @precondition(lambda self: self.stored)
    @rule(which=any_one)
    def repeat(self, which: int) -> None:
        sent = self.stored[which % len(self.stored)]
        again = self._send(sent.step, sent.key)
        assert (again.status_code, again.content) == (sent.response.status_code, sent.response.content)
        assert again.headers["idempotency-replayed"] == "true"

    @precondition(lambda self: self.stored)
    @rule(which=any_one)
    def reuse_a_key(self, which: int) -> None:
        sent = self.stored[which % len(self.stored)]
        by_operator = sent.step.who == OPERATOR
        path, body = ("/transactions/x/reverse", {"reason": "x"}) if by_operator else ("/payments/x/cancel", {})
        other = replace(sent.step, path=path, body=body)
        refused(self._send(other, sent.key), 422, "idempotency_key_reused")

    @precondition(lambda self: self.refused_for_now)
    @rule(which=any_one)
    def repeat_after_a_temporary_refusal(self, which: int) -> None:
        sent = self.refused_for_now.pop(which % len(self.refused_for_now))
        self._request(sent.step, sent.key)

    @rule(seconds=st.sampled_from([1, 59]))
    def time_passes(self, seconds: int) -> None:
        self._set_time(self.ledger.now + timedelta(seconds=seconds))

    @there_are_payments
    @rule(which=any_one, early=st.sampled_from([MICROSECOND, timedelta(0)]))
    def the_time_of_a_payment_comes(self, which: int, early: timedelta) -> None:
        payment = self._pick(which, "cancel")
        if payment.expires_at is not None and payment.expires_at - early > self.ledger.now:
            self._set_time(payment.expires_at - early)

    @there_are_quotes
    @rule(which=any_one, early=st.sampled_from([MICROSECOND, timedelta(0)]))
    def the_time_of_a_quote_comes(self, which: int, early: timedelta) -> None:
        quote = self._pick_quote(which)
        if quote.expires_at - early > self.ledger.now:
            self._set_time(quote.expires_at - early)

    @rule()
    def run_the_worker(self) -> None:
        gateway = self.world.gateway
        expiry = Expiry(executor=gateway.executor, reader=gateway.storage.reader, clock=self.world.clock)
        assert self.run(expiry.run_once()) == self.ledger.let_the_worker_by()


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
