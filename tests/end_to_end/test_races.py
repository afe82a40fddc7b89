"""Whoever races for the same money, over HTTP and two processes on one Postgres: exactly one wins, every time."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, cycle, product

import httpx
import pytest

from support.arena import ENVIRON, ROUNDS, Arena, Ask, open_arena
from support.load import Shop, code_of
from support.postgres import PostgresServer, temporary_database
from support.servers import Installation, until

LEADS = (20.0, 2.4, 1.0, 0.6, 0.3, 0.0)
"""How long before its deadline an end is asked for, in times that a payment takes when many are sent at once: about as
long as an answer takes, and more."""
BETWEEN_DEADLINES = 4.0
"""In the same unit: twice as long as the two servers need for the two requests of a hold."""
PAYMENT_SECONDS_MIN = 0.005
"""What counts as the least time of a payment: it keeps the shortest leads above what a timer can tell apart."""
FIRST_DEADLINE_SECONDS = 3.0
WRITTEN_DOWN_SECONDS_MAX = 30.0

pytestmark = pytest.mark.timeout(300)  # Hundreds of rounds, on a machine that may be busy.


@pytest.fixture(scope="module")
async def arena(
    postgres_server: PostgresServer, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Arena]:
    async with temporary_database(postgres_server, template=migrated_template) as database:
        gateway = Installation(tmp_path_factory.mktemp("arena"), postgres_server.url(database), ENVIRON)
        async with open_arena(gateway) as arena:
            yield arena


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request for a payment's end, with the times when it left and when it was answered."""

    sent_at: datetime
    answered_at: datetime
    answer: httpx.Response

    def straddles(self, deadline: datetime) -> bool:
        return self.sent_at < deadline <= self.answered_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A payment whose end is asked for shortly before its time is over: of one server, and of the other."""

    shop: Shop
    path: str
    deadline: datetime
    leads_seconds: tuple[float, float]

    async def end(self, arena: Arena) -> tuple[Attempt, Attempt]:
        """Capture and cancel it at once."""
        capture, cancel = self.leads_seconds
        return await asyncio.gather(
            self._ask(arena, "capture", capture, server=0), self._ask(arena, "cancel", cancel, server=1)
        )

    async def _ask(self, arena: Arena, action: str, lead_seconds: float, *, server: int) -> Attempt:
        wait = self.deadline - timedelta(seconds=lead_seconds) - datetime.now(UTC)
        await asyncio.sleep(wait.total_seconds())
        sent_at = datetime.now(UTC)
        answer = await arena.send(Ask(self.shop.merchant.headers, f"{self.path}/{action}", {}), server=server)
        return Attempt(sent_at, datetime.now(UTC), answer)


async def test_of_capture_cancel_and_expiry_at_the_deadline_exactly_one_wins(arena: Arena) -> None:
    holds = await holds_with_deadlines_soon(arena)
    all_attempts = await asyncio.gather(*(hold.end(arena) for hold in holds))

    outcomes: Counter[str] = Counter()
    straddling = 0
    for hold, attempts in zip(holds, all_attempts, strict=True):
        outcome = outcome_of(attempts)
        await check_that_it_ended_once(arena, hold, outcome)
        outcomes[outcome] += 1
        straddling += any(attempt.straddles(hold.deadline) for attempt in attempts)
    assert outcomes.total() == ROUNDS
    assert outcomes.keys() == {"captured", "canceled", "expired"}
    assert straddling >= ROUNDS // 4


async def holds_with_deadlines_soon(arena: Arena) -> list[Hold]:
    """As many as there are rounds, whose deadlines come one soon after the other."""
    held: list[tuple[Shop, str]] = []

    async def hold(shop: Shop) -> None:
        held.append((shop, await arena.pay(shop, 10, capture="manual")))

    began = time.monotonic()
    await arena.rounds(hold)
    # A busy machine takes many times as long as an idle one: fixed deadlines would all pass before an answer.
    payment_seconds = max(PAYMENT_SECONDS_MIN, (time.monotonic() - began) / ROUNDS)
    opening = datetime.now(UTC) + timedelta(seconds=FIRST_DEADLINE_SECONDS)
    leads_seconds = [lead * payment_seconds for lead in LEADS]
    leads = cycle(product(leads_seconds, leads_seconds))
    holds = [
        Hold(
            shop=shop,
            path=path,
            deadline=opening + timedelta(seconds=number * BETWEEN_DEADLINES * payment_seconds),
            leads_seconds=next(leads),
        )
        for number, (shop, path) in enumerate(held)
    ]
    await arena.move_deadlines({hold.path: hold.deadline for hold in holds})
    return holds


def outcome_of(attempts: tuple[Attempt, Attempt]) -> str:
    """What became of a payment, as both were told; the worker tells nobody."""
    answers = [attempt.answer for attempt in attempts]
    won = [answer for answer in answers if answer.status_code == httpx.codes.OK]
    assert len(won) <= 1
    outcome: str = won[0].json()["status"] if won else "expired"
    for answer in answers:
        if answer not in won:
            assert answer.status_code == httpx.codes.CONFLICT, answer.text
            assert code_of(answer) == ("payment_state_invalid" if won else "payment_expired")
            assert answer.json()["current_status"] == outcome
    return outcome


async def check_that_it_ended_once(arena: Arena, hold: Hold, outcome: str) -> None:
    merchant = hold.shop.merchant

    async def is_written_down() -> bool:
        return bool((await arena.seen(merchant.headers, hold.path))["version"] > 1)

    await until(is_written_down, WRITTEN_DOWN_SECONDS_MAX)
    payment = await arena.seen(merchant.headers, hold.path)
    assert (payment["status"], payment["version"]) == (outcome, 2)
    moved = await arena.seen(merchant.headers, "/transactions", payment_id=payment["id"])
    assert [each["type"] for each in moved["data"]] == ["capture" if outcome == "captured" else "release", "hold"]


async def test_parallel_captures_never_take_more_than_was_authorized(arena: Arena) -> None:
    async def play(shop: Shop) -> None:
        path = await arena.pay(shop, 1000, capture="manual")
        part = Ask(shop.merchant.headers, f"{path}/capture", {"amount": 101, "final": False})
        answers = await arena.race(*[part] * 20)
        check_that_nine_fit(answers, httpx.codes.OK, "capture_amount_exceeds_authorized")
        payment = await arena.seen(shop.merchant.headers, path)
        assert (payment["amount_captured"], payment["amount_capturable"], payment["version"]) == (909, 91, 10)

    await arena.rounds(play)


async def test_parallel_refunds_never_give_back_more_than_was_captured(arena: Arena) -> None:
    async def play(shop: Shop) -> None:
        path = await arena.pay(shop, 1000)
        parts = [
            Ask(shop.merchant.headers, f"{path}/refunds", {"amount": 101, "refund_fee": number % 3 == 0})
            for number in range(20)
        ]
        answers = await arena.race(*parts)
        check_that_nine_fit(answers, httpx.codes.CREATED, "refund_amount_exceeds_remaining")
        payment = await arena.seen(shop.merchant.headers, path)
        assert (payment["amount_refunded"], payment["version"]) == (909, 10)
        given_back = sum(answer.json()["fee_refunded"] for answer in answers if answer.is_success)
        assert payment["fee_amount"] + given_back == 36  # 3.33 % of 1,000, and 3.

    await arena.rounds(play)


def check_that_nine_fit(answers: list[httpx.Response], success: int, code: str) -> None:
    """Of 20 parts of a tenth and one, nine fit into the whole."""
    refused = [answer for answer in answers if answer.status_code != success]
    assert len(answers) - len(refused) == 9
    told = {(answer.status_code, code_of(answer), answer.json()["remaining"]) for answer in refused}
    assert told == {(httpx.codes.UNPROCESSABLE_ENTITY, code, 91)}


async def test_a_request_to_nobody_is_confirmed_by_one(arena: Arena) -> None:
    customers = [shop.customer for shop in arena.shops]

    async def play(shop: Shop) -> None:
        payment = await arena.do(shop.merchant, "/payments", amount=10, currency="USD")
        path = f"/payments/{payment['id']}"
        answers = await arena.race(*(Ask(each.headers, f"{path}/confirm", {}) for each in [*customers, *customers]))
        [won] = [answer.json() for answer in answers if answer.status_code == httpx.codes.OK]
        assert (won["status"], won["version"]) == ("captured", 2)
        codes = Counter(code_of(answer) for answer in answers if not answer.is_success)
        assert codes == {"payment_state_invalid": 1, "payment_not_found": 6}
        assert await arena.seen(shop.merchant.headers, path) == won

    await arena.rounds(play)


async def test_a_request_to_nobody_outlives_those_who_cannot_pay_it(arena: Arena) -> None:
    stranger = await arena.customer_without_money()

    async def play(shop: Shop) -> None:
        payment = await arena.do(shop.merchant, "/payments", amount=10, currency="USD")
        path = f"/payments/{payment['id']}"
        tries = [Ask(stranger.headers, f"{path}/confirm", {})] * 5
        answers = await arena.race(*tries[:2], Ask(shop.customer.headers, f"{path}/confirm", {}), *tries[2:])
        [won] = [answer.json() for answer in answers if answer.status_code == httpx.codes.OK]
        codes = Counter(code_of(answer) for answer in answers if not answer.is_success)
        failures = codes["insufficient_funds"]
        assert codes == Counter(insufficient_funds=failures, payment_not_found=5 - failures)
        assert (won["customer_id"], won["failure_code"], won["version"]) == (shop.customer.id, None, failures + 2)
        assert await arena.seen(shop.merchant.headers, path) == won

    await arena.rounds(play)


async def test_a_reference_names_one_of_the_payments_that_race_for_it(arena: Arena) -> None:
    numbers = count()

    async def play(shop: Shop) -> None:
        order = shop.body(10) | {"reference": f"order-{next(numbers)}"}
        answers = await arena.race(*[Ask(shop.customer.headers, "/payments", order)] * 4)
        [paid] = [answer.json() for answer in answers if answer.is_success]
        assert (paid["status"], paid["reference"]) == ("captured", order["reference"])
        assert [code_of(answer) for answer in answers if not answer.is_success] == ["duplicate_reference"] * 3

    await arena.rounds(play)


async def test_a_quote_is_used_once(arena: Arena) -> None:
    euros = {}
    for shop in arena.shops:
        account = await arena.do(shop.customer, "/accounts", currency="EUR")
        await arena.do(shop.customer, "/deposits", account_id=account["id"], amount=1_000_000, currency="EUR")
        euros[shop.customer.id] = f"/accounts/{account['id']}"
    await arena.put("/rates/EUR/USD", {"rate": "1.0842", "spread_basis_points": 50})
    paid = Counter[str]()

    async def play(shop: Shop) -> None:
        pair = {"from_currency": "EUR", "to_currency": "USD"}
        quote = await arena.do(shop.customer, "/quotes", **pair, target_amount=100)
        request = await arena.do(shop.merchant, "/payments", amount=100, currency="USD")
        pay = Ask(shop.customer.headers, "/payments", {**shop.body(100), "quote_id": quote["id"]})
        confirm = Ask(shop.customer.headers, f"/payments/{request['id']}/confirm", {"quote_id": quote["id"]})
        answers = await arena.race(pay, confirm, pay, pay)
        [won] = [answer.json() for answer in answers if answer.is_success]
        assert (won["status"], won["quote_id"]) == ("captured", quote["id"])
        assert [code_of(answer) for answer in answers if not answer.is_success] == ["quote_used"] * 3
        paid[shop.customer.id] += quote["source_amount"]

    await arena.rounds(play)
    for shop in arena.shops:
        account = await arena.seen(shop.customer.headers, euros[shop.customer.id])
        assert account["balance"]["posted"] == 1_000_000 - paid[shop.customer.id]


async def test_a_deposit_is_reversed_once(arena: Arena) -> None:
    async def play(shop: Shop) -> None:
        account = shop.customer.account_id
        deposit = await arena.do(shop.customer, "/deposits", account_id=account, amount=10, currency="USD")
        path = f"/transactions/{deposit['transaction_id']}"
        answers = await arena.race(*[Ask(arena.operator, f"{path}/reverse", {"reason": "Twice"})] * 6)
        [won] = [answer.json() for answer in answers if answer.status_code == httpx.codes.CREATED]
        refused = [answer for answer in answers if not answer.is_success]
        assert {(code_of(answer), answer.json()["reversed_by"]) for answer in refused} == {
            ("already_reversed", won["id"])
        }
        assert (await arena.seen(shop.customer.headers, path))["reversed_by"] == won["id"]

    await arena.rounds(play)
