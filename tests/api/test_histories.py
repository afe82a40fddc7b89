"""Random histories of requests: the simulation's model predicts each response, and each step compares all state."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from gateway import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    FreezeAccount,
    MakeDeposit,
    MakePayout,
    MakeQuote,
    Pay,
    RefundPayment,
    ReverseTransaction,
    SetFees,
    UnfreezeAccount,
)
from gateway.contracts.history import OpenStorage
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import Money
from gateway.domain.payment import QuoteId
from gateway.simulation.model_records import ENDS_AS, ModelPayment
from gateway.simulation.rules import effect_of
from support.api_client import Json, fresh_key, ok, refused
from support.histories import (
    BALANCE,
    FOREIGN,
    OPERATOR,
    PAIR,
    RATE,
    USD,
    HistoryMachine,
    Request,
    any_one,
    there_are_payments,
    there_are_quotes,
)
from support.model_responses import like
from support.orders import (
    CUSTOMERS,
    NOBODY,
    Order,
    amounts,
    customers,
    merchants,
    mostly_the_right_one,
    orders,
    parties,
    parts,
    requests,
)
from support.storages import emptied_between_tests, open_memory

EXAMPLES_ON_MEMORY = 40
EXAMPLES_ON_POSTGRES = 5
STEPS = 50
SHRINKING_SECONDS_MAX = 600
"""Hypothesis shrinks a failing history for minutes."""

has_time_to_shrink = pytest.mark.timeout(SHRINKING_SECONDS_MAX)


class Histories(HistoryMachine):
    """Each step is a request of somebody, or a change of the time."""

    @initialize()
    def the_shop_has_fees(self) -> None:
        self.set_fees(merchant="shop", basis_points=250, fixed_amount=3)

    @rule(customer=customers, order=orders)
    def pay(self, customer: str, order: Order) -> None:
        self.perform(Request(customer, "/payments", self._body(order), 201), self._pay(customer, order))

    @rule(customer=st.sampled_from([None, *CUSTOMERS * 3, NOBODY]), order=requests)
    def request(self, customer: str | None, order: Order) -> None:
        customer_id = None if customer is None else self.id_of(customer)
        command = order.request(self.id_of(order.merchant), customer_id)
        self.perform(Request(order.merchant, "/payments", order.body | {"customer_id": customer_id}, 201), command)

    @there_are_payments
    @rule(which=any_one, customer=customers)
    def confirm(self, which: int, customer: str) -> None:
        self._confirm(self.pick(which, "confirm"), customer, None)

    @rule(customer=customers, amount=amounts, by_source=st.booleans())
    def ask_for_quote(self, *, customer: str, amount: int, by_source: bool) -> None:
        currency, side = (FOREIGN, "source_amount") if by_source else (USD, "target_amount")
        command = MakeQuote(customer_id=self.id_of(customer), pair=PAIR, amount=Money(amount, currency), rate=self.rate)
        terms = {"from_currency": PAIR.source, "to_currency": PAIR.target, side: amount}
        body = self.perform(Request(customer, "/quotes", terms, 201), command)
        assert "code" in body or body["rate"] == RATE

    @there_are_quotes
    @rule(which=any_one, merchant=merchants, by=st.sampled_from([None] * 8 + [*CUSTOMERS]), wrong=st.integers(0, 9))
    def pay_across(self, *, which: int, merchant: str, by: str | None, wrong: int) -> None:
        quote = self.pick_quote(which)
        customer, capture = by or self.name_of(quote.customer), "manual" if wrong == 1 else "automatic"
        order = Order(merchant=merchant, amount=quote.target + (wrong == 0), capture=capture)
        body = self._body(order) | {"quote_id": quote.id}
        # No command has a quote and a hold.
        command = None if capture == "manual" else self._pay(customer, order, quote.id)
        self.perform(Request(customer, "/payments", body, 201), command)

    @there_are_quotes
    @rule(which=any_one, merchant=merchants, capture=st.sampled_from(["automatic"] * 5 + ["manual"]))
    def request_for_quote(self, *, which: int, merchant: str, capture: str) -> None:
        quote = self.pick_quote(which)
        self.request(self.name_of(quote.customer), Order(merchant=merchant, amount=quote.target, capture=capture))

    @there_are_quotes
    @there_are_payments
    @rule(which=any_one, which_payment=any_one)
    def confirm_across(self, which: int, which_payment: int) -> None:
        quote = self.pick_quote(which)
        payments = self.model.payments.values()
        asked = [each for each in payments if each.amount == quote.target and each.status in ENDS_AS]
        payment = asked[-1] if asked else self.pick(which_payment, "confirm")
        self._confirm(payment, self.name_of(quote.customer), quote.id)

    def _confirm(self, payment: ModelPayment, customer: str, quote_id: QuoteId | None) -> None:
        command = ConfirmPayment(payment_id=payment.id, customer_id=self.id_of(customer), quote_id=quote_id)
        body = None if quote_id is None else {"quote_id": quote_id}
        self.perform(Request(customer, f"/payments/{payment.id}/confirm", body, 200), command)

    @there_are_payments
    @rule(which=any_one, amount=st.integers(1, 20))
    def capture_a_part(self, which: int, amount: int) -> None:
        self.capture(which=which, amount=amount, final=False, by=None)

    @there_are_payments
    @rule(which=any_one, amount=parts, final=st.booleans(), by=mostly_the_right_one)
    def capture(self, *, which: int, amount: int | None, final: bool, by: str | None) -> None:
        payment = self.pick(which, "capture")
        merchant = by or self.name_of(payment.merchant)
        command = CapturePayment(
            payment_id=payment.id, merchant_id=self.id_of(merchant), amount_minor=amount, final=final
        )
        body = {"amount": amount, "final": final}
        self.perform(Request(merchant, f"/payments/{payment.id}/capture", body, 200), command)

    @there_are_payments
    @rule(which=any_one, by=st.one_of(st.none(), st.none(), parties))
    def cancel(self, which: int, by: str | None) -> None:
        payment = self.pick(which, "cancel")
        who = by or self.name_of(payment.merchant)
        command = CancelPayment(payment_id=payment.id, by=self.id_of(who))
        self.perform(Request(who, f"/payments/{payment.id}/cancel", None, 200), command)

    @there_are_payments
    @rule(which=any_one, amount=parts, refund_fee=st.booleans(), by=mostly_the_right_one)
    def refund(self, *, which: int, amount: int | None, refund_fee: bool, by: str | None) -> None:
        payment = self.pick(which, "refund")
        self._refund(payment, by or self.name_of(payment.merchant), amount, refund_fee=refund_fee)

    @there_are_quotes
    @rule(which=any_one, amount=st.integers(1, 10))
    def refund_a_part_across(self, which: int, amount: int) -> None:
        payments = self.model.payments.values()
        across = [payment for payment in payments if payment.quote and payment.refunded < payment.captured]
        if across:
            payment = across[which % len(across)]
            part = min(amount, payment.captured - payment.refunded)
            self._refund(payment, self.name_of(payment.merchant), part, refund_fee=which % 2 == 0)

    def _refund(self, payment: ModelPayment, merchant: str, amount: int | None, *, refund_fee: bool) -> None:
        command = RefundPayment(
            payment_id=payment.id, merchant_id=self.id_of(merchant), amount_minor=amount, refund_fee=refund_fee
        )
        body = {"amount": amount, "refund_fee": refund_fee}
        self.perform(Request(merchant, f"/payments/{payment.id}/refunds", body, 201), command)

    @rule(customer=customers, some=st.lists(orders, min_size=1, max_size=3), by_operator=st.booleans())
    def pay_each(self, *, customer: str, some: list[Order], by_operator: bool) -> None:
        self._pay_batch("independent", 207, customer, some, by_operator=by_operator)

    @rule(customer=customers, some=st.lists(orders, min_size=1, max_size=3), by_operator=st.booleans())
    def pay_all_or_none(self, *, customer: str, some: list[Order], by_operator: bool) -> None:
        self._pay_batch("atomic", 201, customer, some, by_operator=by_operator)

    def _pay_batch(self, mode: str, success: int, customer: str, some: list[Order], *, by_operator: bool) -> None:
        whose = {"customer_id": self.id_of(customer)} if by_operator else {}
        items = [self._body(order) | whose | {"idempotency_key": fresh_key()} for order in some]
        who = OPERATOR if by_operator else customer
        request = Request(who, "/payments/batch", {"mode": mode, "items": items}, success)
        self.perform_batch(request, [self._pay(customer, order) for order in some])

    @rule(account=parties, amount=st.integers(1, 2 * BALANCE), by_operator=st.booleans())
    def deposit(self, *, account: str, amount: int, by_operator: bool) -> None:
        owner_id = None if by_operator else self.id_of(account)
        command = MakeDeposit(account_id=self.account_id_of(account), amount=Money(amount, USD), owner_id=owner_id)
        who = OPERATOR if by_operator else account
        self.perform(Request(who, "/deposits", self._money(account, amount), 201), command)

    @rule(account=parties, amount=amounts, by=st.one_of(st.none(), st.none(), parties))
    def pay_out(self, account: str, amount: int, by: str | None) -> None:
        owner = by or account
        command = MakePayout(
            account_id=self.account_id_of(account), amount=Money(amount, USD), owner_id=self.id_of(owner)
        )
        self.perform(Request(owner, "/payouts", self._money(account, amount), 201), command)

    @precondition(lambda self: self.model.transactions)
    @rule(which=any_one)
    def reverse(self, which: int) -> None:
        transaction_ids = list(self.model.transactions)
        command = ReverseTransaction(transaction_id=transaction_ids[which % len(transaction_ids)], reason="A mistake")
        path = f"/transactions/{command.transaction_id}/reverse"
        self.perform(Request(OPERATOR, path, {"reason": command.reason}, 201), command)

    @rule(account=parties, frozen=st.sampled_from([True, False, False]))
    def freeze(self, *, account: str, frozen: bool) -> None:
        account_id = self.account_id_of(account)
        command = FreezeAccount(account_id=account_id) if frozen else UnfreezeAccount(account_id=account_id)
        path = f"/accounts/{account_id}/{'freeze' if frozen else 'unfreeze'}"
        self.perform(Request(OPERATOR, path, None, 200), command)

    @rule(
        merchant=merchants, basis_points=st.sampled_from([0, 250, 5000, 10_000]), fixed_amount=st.sampled_from([0, 3])
    )
    def set_fees(self, merchant: str, basis_points: int, fixed_amount: int) -> None:
        command = SetFees(merchant_id=self.id_of(merchant), currency=USD, fees=FeeSchedule(basis_points, fixed_amount))
        self.model.apply(effect_of(command, self.model, self.now))
        body = {"currency": USD, "basis_points": basis_points, "fixed_amount": fixed_amount}
        path = f"/merchants/{self.id_of(merchant)}/fees"
        assert like(ok(self.run(self.people[OPERATOR].api.send("PUT", path, body))), body) == body

    @precondition(lambda self: self.stored)
    @rule(which=any_one)
    def repeat(self, which: int) -> None:
        sent = self.stored[which % len(self.stored)]
        again = self.send(sent.request, sent.key)
        assert (again.status_code, again.content) == (sent.response.status_code, sent.response.content)
        assert again.headers["idempotency-replayed"] == "true"

    @precondition(lambda self: self.stored)
    @rule(which=any_one)
    def reuse_a_key(self, which: int) -> None:
        sent = self.stored[which % len(self.stored)]
        by_operator = sent.request.who == OPERATOR
        path, body = ("/transactions/x/reverse", {"reason": "x"}) if by_operator else ("/payments/x/cancel", {})
        other = replace(sent.request, path=path, body=body)
        refused(self.send(other, sent.key), 422, "idempotency_key_reused")

    @precondition(lambda self: self.refused_for_now)
    @rule(which=any_one)
    def repeat_after_a_temporary_refusal(self, which: int) -> None:
        sent = self.refused_for_now.pop(which % len(self.refused_for_now))
        self.perform(sent.request, sent.command, sent.key)

    def _pay(self, customer: str, order: Order, quote_id: QuoteId | None = None) -> Pay:
        return order.pay(self.id_of(customer), self.id_of(order.merchant), quote_id)

    def _body(self, order: Order) -> Json:
        return order.body | {"merchant_id": self.id_of(order.merchant)}

    def _money(self, account: str, amount: int) -> Json:
        return {"account_id": self.account_id_of(account), "amount": amount, "currency": "USD"}


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
