"""Histories of requests: steps that a model of the ledger decides too, and the comparison of both after each."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import httpx
from hypothesis.stateful import RuleBasedStateMachine, invariant

from gateway.application.verification.verify import verify
from gateway.contracts.history import OpenStorage
from support.api_client import Json, Person, World, created, fresh_key, ok, open_world
from support.ledger_model import (
    CUSTOMERS,
    FOREIGN,
    MERCHANTS,
    NOBODY,
    OPERATOR,
    RATE,
    SPREAD_BASIS_POINTS,
    Ledger,
    Movement,
    No,
    Order,
    Payment,
    Quote,
    abroad,
)

Result = TypeVar("Result")

NOT_STORED = {400, 403}
"""Statuses of responses that are not stored under their key."""
BALANCE = 300


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Result]):
    """The model's result or refusal of a request, and the body of the gateway's response."""

    result: Result | None
    refusal: No | None
    body: Json


@dataclass(frozen=True, slots=True)
class Step(Generic[Result]):
    """A request: its sender, the status of success, how the model decides it, and what it learns from the response."""

    who: str
    path: str
    body: Json | None
    success: int
    decide: Callable[[], Result]
    learn: Callable[[Outcome[Result]], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request with its idempotency key and its response."""

    step: Step[Any]
    key: str
    response: httpx.Response

    @property
    def is_stored(self) -> bool:
        """Whether the response is stored under the key: that of a batch, if those of its items are."""
        body = self.response.json()
        failed_item = body.get("failed_item", {"status": self.response.status_code})
        statuses = [result["status"] for result in body.get("results", [failed_item])]
        return NOT_STORED.isdisjoint(statuses)


class HistoryMachine(RuleBasedStateMachine):
    """A gateway and a model of its ledger: two customers, two merchants and an operator. Subclasses have the rules."""

    runner: ClassVar[asyncio.Runner]
    open_storage: ClassVar[OpenStorage]

    def __init__(self) -> None:
        super().__init__()
        self.stack = AsyncExitStack()
        self.movements: list[Movement] = []
        self.stored: list[Sent] = []
        self.refused_for_now: list[Sent] = []
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the application's event loop."""
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
        self.run(self._compare())

    async def _compare(self) -> None:
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

    def _named(self, payment: Json) -> Json:
        """A payment with names in place of ids, and a time in place of its text."""
        expires_at = payment["expires_at"]
        return payment | {
            "customer": self.names.get(payment["customer_id"]),
            "merchant": self.names[payment["merchant_id"]],
            "expires_at": None if expires_at is None else datetime.fromisoformat(expires_at),
        }

    def _request(self, step: Step[Any], key: str | None = None) -> None:
        """Let the model decide, send the request, compare the two."""
        outcome = outcome_of(step.decide)
        key = key or fresh_key()
        sent = Sent(step, key, self._send(step, key))
        check(outcome, step.success, sent.response.status_code, sent.response.json())
        assert "idempotency-replayed" not in sent.response.headers
        if sent.is_stored:
            self.stored.append(sent)
        elif step.path != "/payments/batch":  # Some items of a batch may be kept nevertheless.
            self.refused_for_now.append(sent)
        step.learn(replace(outcome, body=sent.response.json()))

    def _send(self, step: Step[Any], key: str) -> httpx.Response:
        return self.run(self.people[step.who].api.post(step.path, step.body, key=key))

    def _payment(self, outcome: Outcome[Payment]) -> None:
        """Set the id of the model's payment, and compare it with the response."""
        if outcome.result is not None:
            outcome.result.id = outcome.body["id"]
            expected = outcome.result.shown(self.ledger.now)
            assert like(self._named(outcome.body), expected) == expected
        elif outcome.refusal is not None and outcome.refusal.payment is not None:
            outcome.refusal.payment.id = outcome.body["payment_id"]

    def _moved(self, kind: str, account: str, outcome: Outcome[Any]) -> None:
        """Record a movement, for reversals."""
        if outcome.refusal is None:
            self.movements.append(Movement(kind, account, outcome.body["amount"], outcome.body["transaction_id"]))

    def _pick(self, which: int, action: str) -> Payment:
        """Any payment, mostly one that allows this action."""
        likely = [payment for payment in self.ledger.payments if action in payment.actions_at(self.ledger.now)]
        some = likely if likely and which % 4 else self.ledger.payments
        return some[which // 4 % len(some)]

    def _pick_quote(self, which: int) -> Quote:
        """Any quote, mostly one that is valid."""
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

    def _set_time(self, now: datetime) -> None:
        """Set the time and sign everybody in: their access tokens may have expired."""
        self.ledger.now = self.world.clock.now = now
        for name, person in self.people.items():
            signed_in = self.run(self.world.signed_in(person.email))
            self.people[name] = replace(signed_in, account_id=person.account_id)


def outcome_of(decide: Callable[[], Result]) -> Outcome[Result]:
    """The model's outcome of a request."""
    try:
        return Outcome(decide(), None, {})
    except No as no:
        return Outcome(None, no, {})


def check(outcome: Outcome[Any], success: int, status: int, body: Json) -> None:
    """Compare a response with the model's outcome: success, or a refusal with its facts."""
    if outcome.refusal is None:
        assert status == success, body
    else:
        assert (status, body.get("code")) == (outcome.refusal.status, outcome.refusal.code), body
        assert like(body, outcome.refusal.facts) == outcome.refusal.facts


def like(body: Mapping[str, Any], expected: Json) -> Json:
    """The fields of a body that `expected` has."""
    return {
        name: like(body[name], value) if isinstance(value, dict) else body.get(name) for name, value in expected.items()
    }
