"""Histories of requests: the simulation's model predicts each response, and each step compares all state."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeVar

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway import ExpirePayment, MakeDeposit, OpenAccount, Pay, ReverseTransaction
from gateway.application.engine.command import Command
from gateway.application.expiry import Expiry
from gateway.application.verification.verify import verify
from gateway.contracts.history import OpenStorage
from gateway.domain.account import AccountId, AccountKey, AccountKind
from gateway.domain.money import CurrencyCode, Money
from gateway.domain.rate import CurrencyPair, ExchangeRate, Rate
from gateway.domain.transaction import TransactionId
from gateway.domain.user import UserId
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model
from gateway.simulation.model_records import (
    ModelPayment,
    ModelQuote,
    ModelTransaction,
    customer_key,
    merchant_key,
)
from gateway.simulation.rules import effect_of
from support.api_client import Json, Person, World, created, fresh_key, ok, open_world
from support.model_responses import STATUS_OF, account_fields, check, check_fields, like, payment_fields, with_times
from support.orders import CUSTOMERS, MERCHANTS, NOBODY

Result = TypeVar("Result")

OPERATOR: Final = "operator"

BALANCE: Final = 300
"""The first deposit to each customer's accounts, in minor units."""
USD: Final = CurrencyCode("USD")
FOREIGN: Final = CurrencyCode("JPY")
"""The second currency of customers."""
PAIR: Final = CurrencyPair(FOREIGN, USD)
RATE: Final = "0.0071"
SPREAD_BASIS_POINTS: Final = 250
TRIED_TO_REVERSE: Final = {"deposit", "payout", "refund", "reversal"}
"""The transactions that the history tries to reverse."""
MICROSECOND: Final = timedelta(microseconds=1)

any_one = st.integers(0, 999)
there_are_quotes = precondition(lambda self: self.model.quotes)
there_are_payments = precondition(lambda self: self.model.payments)


@dataclass(frozen=True, slots=True)
class Request:
    """A POST of a person, and the status of its success."""

    who: str
    path: str
    body: Json | None
    success: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A request with its idempotency key and its response. `command` is `None` for a batch and for invalid terms."""

    request: Request
    command: Command[Any] | None
    key: str
    response: httpx.Response


class HistoryMachine(RuleBasedStateMachine):
    """A gateway and a model of its ledger: two customers, two merchants, an operator. Subclasses have requests."""

    runner: ClassVar[asyncio.Runner]
    open_storage: ClassVar[OpenStorage]

    def __init__(self) -> None:
        super().__init__()
        self.stack = AsyncExitStack()
        self.model = Model()
        self.reversals: dict[TransactionId, str] = {}
        self.stored: list[Sent] = []
        self.refused_for_now: list[Sent] = []
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the application's event loop."""
        return self.runner.run(work)

    async def _open(self) -> None:
        storage = await self.stack.enter_async_context(type(self).open_storage())
        self.world: World = await self.stack.enter_async_context(open_world(storage=storage))
        self.now = self.world.clock.now
        self.people: dict[str, Person] = {OPERATOR: await self.world.operator()}
        rate = {"rate": RATE, "spread_basis_points": SPREAD_BASIS_POINTS}
        ok(await self.people[OPERATOR].api.send("PUT", f"/rates/{PAIR.source}/{PAIR.target}", rate))
        self.rate = ExchangeRate(
            pair=PAIR, rate=Rate(Decimal(RATE)), spread_basis_points=SPREAD_BASIS_POINTS, updated_at=self.now
        )
        for name in CUSTOMERS:
            person = self.people[name] = await self.world.customer(balance=BALANCE)
            self._opened(customer_key(UserId(person.id), USD), person.account_id, BALANCE)
            account_id: str = created(await person.api.post("/accounts", {"currency": FOREIGN}))["id"]
            await person.deposit(BALANCE, FOREIGN, account_id=account_id)
            self._opened(customer_key(UserId(person.id), FOREIGN), account_id, BALANCE)
        for name in MERCHANTS:
            person = self.people[name] = await self.world.merchant()
            self._opened(merchant_key(UserId(person.id), USD), person.account_id, 0)

    def _opened(self, key: AccountKey, account_id: str, balance: int) -> None:
        self.model.keys[AccountId(account_id)] = key
        self.model.apply(effect_of(OpenAccount(key=key), self.model, self.now))
        if balance:
            deposit = MakeDeposit(account_id=AccountId(account_id), amount=Money(balance, key.currency), owner_id=None)
            self.model.apply(effect_of(deposit, self.model, self.now))

    def teardown(self) -> None:
        self.run(self._close())

    async def _close(self) -> None:
        async with self.stack, self.world.gateway.storage.audit() as audit:
            assert (await verify(audit)).named == []

    @invariant()
    def all_that_can_be_seen_is_as_the_model_says(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        payments = {each["id"]: with_times(each) for each in await self._all("/payments")}
        expected: Json = {each.id: payment_fields(each, self.now) for each in self.model.payments.values()}
        assert payments.keys() == expected.keys()
        assert like(payments, expected) == expected
        accounts: Any = {
            AccountKey(UserId(each["owner_id"]), CurrencyCode(each["currency"]), AccountKind(each["kind"])): each
            for each in await self._all("/accounts")
        }
        shown: Any = {key: account_fields(account) for key, account in self.model.accounts.items()}
        assert accounts.keys() == shown.keys()
        assert like(accounts, shown) == shown
        assert (await self._see("/ledger/invariants"))["ok"] is True

    async def _see(self, path: str, **parameters: str) -> Json:
        """The body of a response to the operator, not validated against the OpenAPI document: lists are slow."""
        api = self.people[OPERATOR].api
        return ok(await api.http.get(path, headers={"authorization": f"Bearer {api.token}"}, params=parameters))

    async def _all(self, path: str) -> list[Json]:
        """The items of all pages of a list."""
        found: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self._see(path, limit="100", **cursor)
            found += page["data"]
            if not page["has_more"]:
                return found
            cursor = {"cursor": page["next_cursor"]}

    @rule(seconds=st.sampled_from([1, 59]))
    def time_passes(self, seconds: int) -> None:
        self._set_time(self.now + timedelta(seconds=seconds))

    @there_are_payments
    @rule(which=any_one, early=st.sampled_from([MICROSECOND, timedelta(0)]))
    def the_time_of_a_payment_comes(self, which: int, early: timedelta) -> None:
        self._comes(self.pick(which, "cancel").expires_at, early)

    @there_are_quotes
    @rule(which=any_one, early=st.sampled_from([MICROSECOND, timedelta(0)]))
    def the_time_of_a_quote_comes(self, which: int, early: timedelta) -> None:
        self._comes(self.pick_quote(which).expires_at, early)

    def _comes(self, expires_at: datetime | None, early: timedelta) -> None:
        if expires_at is not None and expires_at - early > self.now:
            self._set_time(expires_at - early)

    @rule()
    def run_the_worker(self) -> None:
        gateway = self.world.gateway
        expiry = Expiry(executor=gateway.executor, reader=gateway.storage.reader, clock=self.world.clock)
        assert self.run(expiry.run_once()) == self._expire_due_payments()

    def _expire_due_payments(self) -> int:
        """Expire the payments that are due in the model. Returns their number."""
        due = [each.id for each in self.model.payments.values() if each.status_at(self.now) != each.status]
        for payment_id in due:
            self.model.apply(effect_of(ExpirePayment(payment_id=payment_id), self.model, self.now))
        return len(due)

    def _set_time(self, now: datetime) -> None:
        """Set the time and sign everybody in: their access tokens may have expired."""
        self.now = self.world.clock.now = now
        for name, person in self.people.items():
            signed_in = self.run(self.world.signed_in(person.email))
            self.people[name] = replace(signed_in, account_id=person.account_id)

    def perform(self, request: Request, command: Command[Any] | None, key: str | None = None) -> Json:
        """Let the model decide, send the request, compare the two. Returns the body of the response."""
        effect = Effect(refusal="validation_error") if command is None else self._effect_of(command)
        key = key or fresh_key()
        sent = Sent(request, command, key, self.send(request, key))
        body: Json = sent.response.json()
        check(effect, request.success, sent.response.status_code, body)
        assert "idempotency-replayed" not in sent.response.headers
        (self.stored if effect.stored else self.refused_for_now).append(sent)
        self.learn(effect, body)
        return body

    def perform_batch(self, request: Request, commands: Sequence[Pay]) -> None:
        """As `perform`, for a batch of payments."""
        assert request.body is not None
        is_atomic = request.body["mode"] == "atomic"
        effects = self._effects_of(commands, is_atomic=is_atomic)
        key = fresh_key()
        sent = Sent(request, None, key, self.send(request, key))
        body: Json = sent.response.json()
        assert "idempotency-replayed" not in sent.response.headers
        if all(effect.stored for effect in effects):
            self.stored.append(sent)
        refusal = effects[-1].refusal
        if is_atomic and refusal:
            failed = {"index": len(effects) - 1, "status": STATUS_OF[refusal], "code": refusal}
            aborted = Effect(refusal="batch_aborted", facts={"failed_item": failed})
            check(aborted, request.success, sent.response.status_code, body)
            return
        assert sent.response.status_code == request.success, body
        for effect, result in zip(effects, body["results"], strict=True):
            check(effect, httpx.codes.CREATED, result["status"], result["body"])
            self.learn(effect, result["body"])

    def send(self, request: Request, key: str) -> httpx.Response:
        return self.run(self.people[request.who].api.post(request.path, request.body, key=key))

    def learn(self, effect: Effect, body: Json) -> None:
        """Apply an effect, with the ids in the body of its response, and compare the fields of the body."""
        effect = effect.named(body.get("payment_id" if effect.refusal else "id"), body.get("id"))
        self.model.apply(effect)
        if effect.refusal:
            return
        check_fields(effect, body, self.now)
        if effect.transaction in TRIED_TO_REVERSE:
            transaction_id = TransactionId(body["id" if effect.reverses else "transaction_id"])
            self.model.transactions[transaction_id] = ModelTransaction(type=effect.transaction, move=effect.moves[0])
            if effect.reverses is not None:
                self.reversals[effect.reverses] = transaction_id

    def pick(self, which: int, action: str) -> ModelPayment:
        """Any payment, mostly one that allows this action."""
        payments = list(self.model.payments.values())
        likely = [each for each in payments if action in each.actions_at(self.now)]
        some = likely if likely and which % 4 else payments
        return some[which // 4 % len(some)]

    def pick_quote(self, which: int) -> ModelQuote:
        """Any quote, mostly one that is valid."""
        quotes = list(self.model.quotes.values())
        good = [quote for quote in quotes if quote.payment is None and self.now < quote.expires_at]
        some = good if good and which % 4 else quotes
        return some[which // 4 % len(some)]

    def name_of(self, user_id: UserId) -> str:
        return next(name for name, person in self.people.items() if person.id == user_id)

    def account_id_of(self, name: str) -> AccountId:
        return AccountId(self.people[name].account_id)

    def id_of(self, name: str) -> UserId:
        return UserId("usr_nobody" if name == NOBODY else self.people[name].id)

    def _effect_of(self, command: Command[Any]) -> Effect:
        effect = effect_of(command, self.model, self.now)
        if isinstance(command, ReverseTransaction) and effect.refusal == "already_reversed":
            return replace(effect, facts={"reversed_by": self.reversals[command.transaction_id]})
        return effect

    def _effects_of(self, commands: Sequence[Pay], *, is_atomic: bool) -> list[Effect]:
        """The effects of commands, each on the ledger that the ones before leave; up to a refusal if they are atomic.

        New payments have no ids yet, which no later payment needs.
        """
        draft = self.model.fork()
        effects: list[Effect] = []
        for command in commands:
            effects.append(effect_of(command, draft, self.now))
            if is_atomic and effects[-1].refusal:
                break
            draft.apply(effects[-1])
        return effects
