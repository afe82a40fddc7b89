"""Customers and merchants who pay, hold, capture, cancel and refund over HTTP, whatever breaks meanwhile."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from support.load import Person
from torture.book import DONE, Book, PaymentRecord
from torture.client import NO_ANSWER, Client, Operation, pause

AGAIN_SECONDS = (0.02, 0.2)
"""How long a client waits before it sends an operation again, between these."""
OUTCOME_SECONDS_MAX = 60.0
"""After so long without an outcome, although it is sent again and again, an operation counts as stuck."""
AMOUNT_MAX = 50
BULK_SIZE = 3


@dataclass(slots=True, eq=False)
class Buyer:
    """A customer with connections to all servers, who does one thing after the other with a merchant.

    Attributes:
        customer: Who pays.
        merchant: Who is paid.
        servers: The addresses of the servers.
        book: Where each answer is noted.
        chance: Decides what is done next, and which server is asked.
        pause_seconds: How long to wait between two things.
    """

    customer: Person
    merchant: Person
    servers: Sequence[str]
    book: Book
    chance: random.Random
    pause_seconds: float
    _keys: "count[int]" = field(default_factory=count)
    clients: list[Client] = field(init=False)
    _refundable: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.clients = [Client(url) for url in self.servers]

    async def live(self, stop: asyncio.Event) -> None:
        """Do one thing after the other, each to its end, until told to stop."""
        try:
            while not stop.is_set():
                [do] = self.chance.choices(
                    [self.pay, self._hold_and_capture, self._hold_and_cancel, self._refund, self._pay_several],
                    weights=[40, 20, 10, 20, 10],
                )
                await do()
                await pause(self.pause_seconds, stop)
        finally:
            self.close()

    def close(self) -> None:
        """End all connections."""
        for client in self.clients:
            client.close()

    async def pay(self) -> None:
        """Pay once."""
        amount = self.chance.randint(1, AMOUNT_MAX)
        payment = await self._do(self.customer, "/payments", self._payment(amount))
        if payment is not None:
            self._note_paid(payment)

    async def _hold_and_capture(self) -> None:
        payment = await self._held()
        if payment is not None:
            path, record = f"/payments/{payment}/capture", self.book.payments[payment]
            record.captured = self.chance.randint(1, record.amount)
            record.status = "captured"
            await self._do(self.merchant, path, {"amount": record.captured})
            self._refundable.append(payment)

    async def _hold_and_cancel(self) -> None:
        payment = await self._held()
        if payment is not None:
            await self._do(self.merchant, f"/payments/{payment}/cancel", {})
            self.book.payments[payment].status = "canceled"

    async def _held(self) -> str | None:
        amount = self.chance.randint(1, AMOUNT_MAX)
        payment = await self._do(self.customer, "/payments", self._payment(amount) | {"capture": "manual"})
        if payment is None:
            return None
        self.book.payments[payment["id"]] = PaymentRecord(amount, 0, "authorized")
        payment_id: str = payment["id"]
        return payment_id

    async def _refund(self) -> None:
        if not self._refundable:
            return
        payment = self._refundable.pop(self.chance.randrange(len(self._refundable)))
        record = self.book.payments[payment]
        amount = self.chance.randint(1, record.captured)
        refund = await self._do(self.merchant, f"/payments/{payment}/refunds", {"amount": amount})
        if refund is not None:
            record.refunded = amount
            self.book.refunds.add(refund["id"])

    async def _pay_several(self) -> None:
        items = [
            self._payment(self.chance.randint(1, AMOUNT_MAX)) | {"idempotency_key": self._key()}
            for _ in range(BULK_SIZE)
        ]
        batch = await self._do(self.customer, "/payments/batch", {"mode": "independent", "items": items})
        for result in [] if batch is None else batch["results"]:
            self._note_paid(result["body"])

    def _note_paid(self, payment: Any) -> None:
        self.book.payments[payment["id"]] = PaymentRecord(payment["amount"], payment["amount"], "captured")
        self._refundable.append(payment["id"])

    def _payment(self, amount: int) -> dict[str, Any]:
        return {"merchant_id": self.merchant.id, "amount": amount, "currency": "USD"}

    def _key(self) -> str:
        return f"{self.customer.id}-{next(self._keys)}"

    async def _do(self, who: Person, path: str, body: dict[str, Any]) -> Any:
        """Send an operation until its outcome is known. Returns its answer's body, or None if it is stuck."""
        operation = Operation(self._key(), path, body, who)
        self.book.operations.append(operation)
        try:
            async with asyncio.timeout(OUTCOME_SECONDS_MAX):
                while operation.answer is None:
                    await self._send(operation)
        except TimeoutError:
            self.book.violations.append(f"{path} had no outcome after {operation.attempts} attempts")
            return None
        return operation.answer.json

    async def _send(self, operation: Operation) -> None:
        operation.attempts += 1
        client = self.chance.choice(self.clients)
        try:
            answer = await client.send(operation)
        except NO_ANSWER:
            self.book.statuses[0] += 1
        else:
            self.book.note(operation, answer)
            if answer.status in DONE:
                return
            if answer.status == 401:
                await client.log_in(operation.who)
        await asyncio.sleep(self.chance.uniform(*AGAIN_SECONDS))


class Load:
    """Buyers who go on until they are stopped, and can be started again."""

    def __init__(self, buyers: Sequence[Buyer]) -> None:
        self._buyers = buyers
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Let all buyers begin."""
        self._stop = asyncio.Event()
        self._tasks = [asyncio.create_task(buyer.live(self._stop)) for buyer in self._buyers]

    async def stop(self) -> None:
        """Let all buyers finish what they have begun, and wait for it."""
        self._stop.set()
        await asyncio.gather(*self._tasks)
        self._tasks = []
