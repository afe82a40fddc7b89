"""What must be true whenever the load stands still, whatever has happened: nothing is lost, nothing happened twice."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Final

from support.servers import until
from torture.client import NO_ANSWER, Client, Operation
from torture.scene import BALANCE, Scene

CLIENTS: Final = 8
DELIVERED_SECONDS_MAX: Final = 120.0
SHOWN_MAX: Final = 3
EVENTS: Final = "SELECT id FROM events WHERE type LIKE 'payment.%' OR type LIKE 'refund.%'"
"""The events of merchants since they have receivers."""


async def check(scene: Scene) -> None:
    """Compare everything with the book; what differs is a violation. The operations in the book are replayed, once."""
    findings = [finding async for finding in _findings(scene)]
    scene.book.violations += findings
    scene.book.operations.clear()


async def _findings(scene: Scene) -> AsyncGenerator[str]:
    async for finding in _replayed(scene):
        yield finding
    async for finding in _payments(scene):
        yield finding
    async for finding in _balances(scene):
        yield finding
    try:
        await scene.direct.verify()
    except AssertionError as error:
        yield f"gateway verify: {error}"
    async for finding in _deliveries(scene):
        yield finding


async def _replayed(scene: Scene) -> AsyncGenerator[str]:
    """Each key has the answer that its client was given."""
    operations = [operation for operation in scene.book.operations if operation.answer is not None]
    findings = await asyncio.gather(
        *(
            _replay(scene.servers[number % len(scene.servers)].url, operations[number::CLIENTS])
            for number in range(CLIENTS)
        )
    )
    scene.book.replayed += len(operations)
    for finding in findings:
        for each in finding:
            yield each


async def _replay(url: str, operations: Sequence[Operation]) -> list[str]:
    client, findings = Client(url), list[str]()
    for operation in operations:
        try:
            again = await client.send(operation)
            if again.status == 401:
                await client.log_in(operation.who)
                again = await client.send(operation)
        except NO_ANSWER as error:
            findings.append(f"{operation.path} was not replayed: {error!r}")
            continue
        told = operation.answer
        assert told is not None
        if (again.status, again.body) != (told.status, told.body) or again.headers.get(
            "idempotency-replayed"
        ) != "true":
            findings.append(
                f"{operation.path} was answered with {told.body!r}, replayed as {again.status} {again.body!r}"
            )
    client.close()
    return findings


async def _payments(scene: Scene) -> AsyncGenerator[str]:
    """Exactly those payments and refunds exist that clients were told of, as they were told."""
    book = scene.book
    rows = await scene.query("SELECT id, status, amount, amount_captured, amount_refunded FROM payments")
    stored = {row[0]: tuple(row[1:]) for row in rows}
    told = {payment_id: record.as_told for payment_id, record in book.payments.items()}
    refunds = {row[0] for row in await scene.query("SELECT id FROM refunds")}
    for what, ids in (
        ("payments are lost", told.keys() - stored.keys()),
        ("payments exist that nobody was told of", stored.keys() - told.keys()),
        ("payments differ", {each for each in told.keys() & stored.keys() if told[each] != stored[each]}),
        ("refunds are lost", book.refunds - refunds),
        ("refunds exist that nobody was told of", refunds - book.refunds),
    ):
        if ids:
            some = sorted(ids)[:SHOWN_MAX]
            yield f"{len(ids)} {what}: {[(each, told.get(each), stored.get(each)) for each in some]}"


async def _balances(scene: Scene) -> AsyncGenerator[str]:
    """Every minor unit is where the answers say."""
    statement = "SELECT id, credits_posted - debits_posted, debits_pending FROM accounts"
    found = {row[0]: (row[1], row[2]) for row in await scene.query(statement)}
    spent = sum(record.captured - record.refunded for record in scene.book.payments.values())
    customers = {buyer.customer.account_id for buyer in (*scene.buyers, *scene.probes)}
    merchants = {buyer.merchant.account_id for buyer in (*scene.buyers, *scene.probes)}
    for who, ids, expected in (
        ("customers", customers, len(customers) * BALANCE - spent),
        ("merchants", merchants, spent),
    ):
        has, held = sum(found[each][0] for each in ids), sum(found[each][1] for each in ids)
        if (has, held) != (expected, 0):
            yield f"{who} have {has}, {held} of it held, and not {expected}"


async def _deliveries(scene: Scene) -> AsyncGenerator[str]:
    """Every event of a merchant reaches the merchant's receiver."""
    events = {row[0] for row in await scene.query(EVENTS)}

    async def all_arrived() -> bool:
        scene.take_deliveries()
        return events <= scene.delivered

    with suppress(TimeoutError):
        await until(all_arrived, DELIVERED_SECONDS_MAX)
    if missing := events - scene.delivered:
        yield f"{len(missing)} of {len(events)} events were not delivered: {sorted(missing)[:SHOWN_MAX]}"
