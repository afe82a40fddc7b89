"""Pipelined batches of two processes at once keep the ledger right."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from gateway.adapters.sql import contention, open_sql_storage
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.engine.group_commit import GroupCommit
from gateway.application.engine.outcome_codec import decode
from gateway.application.engine.submission import Submission
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.verification.verify import verify
from gateway.contracts.records import user_id
from gateway.domain.errors import InsufficientFunds
from support.builders import deposit, pay, usd
from support.pipelining import (
    PATIENT,
    People,
    Process,
    asked,
)
from support.statements import Send, between


async def test_two_processes_with_two_batches_under_way_each_keep_the_ledger_right(
    here: Process, people: People, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand payments, some asked for twice or at both, some that nobody can pay, on connections that break."""
    # They overtake each other all the time, and would do nothing but lock.
    monkeypatch.setattr(contention, "LOCKING_SECONDS_MAX", 0.01)
    monkeypatch.setattr(contention, "LOCKING_SECONDS_MIN", 0.01)
    chance = Random(11)  # noqa: S311 - the same every time.
    orders = [
        pay(usd(chance.randint(1, 9)), customer=chance.choice((1, 3, 5)), merchant=chance.choice((2, 4, 6)))
        for _ in range(1000)
    ]
    for account in people.customers:
        await here.run(asked(deposit(usd(1400), to=account)))
    submissions = [asked(order) for order in orders]
    bodies: dict[AnswerKey, set[bytes]] = {each.key: set() for each in submissions}

    async def break_some(send: Send) -> Any:
        when = chance.choice(("before", "after", *[None] * 40))
        if when == "before":
            raise ConnectionResetError("Nothing was sent.")
        found = await send()
        if when == "after":
            raise ConnectionResetError("The answer of Postgres is lost.")
        return found

    async def keep_asking(executor: GroupCommit, mine: Iterator[Submission]) -> None:
        for submission in mine:
            bodies[submission.key].add((await executor.perform(submission)).body)

    async with open_sql_storage(postgres_url, PATIENT) as storage:
        executors = [each.executor() for each in (here, Process(storage))]
        asks = [[*submissions[start::2], *chance.sample(submissions, 100)] for start in range(len(executors))]
        with between(break_some):
            await asyncio.gather(
                *(
                    keep_asking(executor, mine)
                    for executor, ask in zip(executors, asks, strict=True)
                    for mine in [iter(ask)] * 48
                )
            )
            for executor in executors:
                await executor.close()

    assert all(len(told) == 1 for told in bodies.values()), "a key has one answer"
    told = [decode(body, PaymentResult) for bodies_of_one in bodies.values() for body in bodies_of_one]
    paid = [each.payment for each in told if isinstance(each, PaymentResult)]
    assert 500 < len(paid) < 1000
    assert {type(each) for each in told} == {PaymentResult, InsufficientFunds}
    assert len({payment.id for payment in paid}) == len(paid)
    for payment in paid:
        assert await here.storage.reader.payment(payment.id) == payment
    spent, earned = Counter[str](), Counter[str]()
    for payment in paid:
        spent[str(payment.customer_id)] += payment.amount.amount_minor
        earned[payment.merchant_id] += payment.amount.amount_minor
    assert await here.available(*people.customers) == [1500 - spent[user_id(number)] for number in (1, 3, 5)]
    assert await here.available(*people.merchants) == [100 + earned[user_id(number)] for number in (2, 4, 6)]
    async with here.storage.audit() as audit:
        findings = await verify(audit)
    assert findings.named == []
    assert findings.read["transactions"] == len(paid) + 6 + 3, "each payment once, and the deposits"
