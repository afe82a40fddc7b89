"""Customers who pay all at once, over HTTP, and keep book of what they were told."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

import httpx
import pyotp

PASSWORD = "correct horse battery"
CONNECTIONS_PER_CLIENT = 25
"""httpx looks at every connection of a client for every request: many clients with few are ten times quicker."""
ANSWER_SECONDS_MAX = 60.0
PAGE_SIZE = 100

_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has registered and logged in."""

    id: str
    account_id: str
    email: str
    headers: dict[str, str]

    async def available(self, http: httpx.AsyncClient) -> int:
        """What they have, in minor units."""
        answer = await http.get(f"/accounts/{self.account_id}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        balance: dict[str, int] = answer.json()["balance"]
        return balance["available"]

    async def payments(self, http: httpx.AsyncClient, status: str = "captured") -> Counter[str]:
        """The ids of all their payments, from all pages."""
        ids: Counter[str] = Counter()
        cursor: dict[str, str] = {}
        while True:
            parameters = {"status": status, "limit": str(PAGE_SIZE), **cursor}
            answer = await http.get("/payments", headers=self.headers, params=parameters)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            ids.update(payment["id"] for payment in page["data"])
            if not page["has_more"]:
                return ids
            cursor = {"cursor": page["next_cursor"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A customer with money, and the merchant whom they pay."""

    customer: Person
    merchant: Person
    balance: int

    def body(self, amount: int) -> dict[str, Any]:
        """A payment of the customer to the merchant."""
        return {"merchant_id": self.merchant.id, "amount": amount, "currency": "USD"}

    async def pay(self, http: httpx.AsyncClient, key: str, amount: int = 1) -> httpx.Response:
        """Pay, once per key."""
        headers = self.customer.headers | {"Idempotency-Key": key}
        return await http.post("/payments", headers=headers, json=self.body(amount))

    def raw_payment(self, key: str) -> bytes:
        """The same as it goes over the wire, for clients who do what httpx would not."""
        body = json.dumps(self.body(1)).encode()
        headers = {
            "Host": "gateway.test",
            **self.customer.headers,
            "Idempotency-Key": key,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        lines = ["POST /payments HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + body

    def raw_list(self) -> bytes:
        """The customer asks for their payments."""
        lines = ["GET /payments HTTP/1.1", "Host: gateway.test"]
        lines += [f"{name}: {value}" for name, value in self.customer.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()

    async def check(self, http: httpx.AsyncClient, payments: Iterable[str], amount: int = 1) -> None:
        """Hold the gateway to it: these payments exist, each once, no other does, and the money is where they say."""
        expected = Counter(payments)
        assert await self.customer.payments(http) == expected
        assert await self.customer.available(http) == self.balance - amount * expected.total()
        assert await self.merchant.available(http) == amount * expected.total()


async def open_shop(http: httpx.AsyncClient, balance: int = 1_000_000) -> Shop:
    """Two people in a sandbox, of whom the customer has brought money in."""
    customer, merchant = await sign_up(http, "customer"), await sign_up(http, "merchant")
    deposit = {"account_id": customer.account_id, "amount": balance, "currency": "USD"}
    answer = await http.post("/deposits", headers=customer.headers | {"Idempotency-Key": "deposit"}, json=deposit)
    assert answer.status_code == 201, answer.text
    return Shop(customer=customer, merchant=merchant, balance=balance)


async def sign_up(http: httpx.AsyncClient, role: str) -> Person:
    """Register, and log in."""
    body = {"email": f"{role}-{next(_numbers)}@example.com", "password": PASSWORD, "role": role}
    registered = await http.post("/users/register", json=body)
    assert registered.status_code == 201, registered.text
    user = registered.json()
    headers = await log_in(http, body["email"])
    return Person(id=user["id"], account_id=user["accounts"][0]["id"], email=body["email"], headers=headers)


async def enrol_and_log_in(http: httpx.AsyncClient, email: str, password: str = PASSWORD) -> dict[str, str]:
    """The headers of an operator who has enrolled a second factor, and has logged in with a recovery code."""
    who = {"email": email, "password": password}
    enrolled = await http.post("/users/second-factor", json=who)
    code = pyotp.TOTP(enrolled.json()["secret"]).now()
    confirmed = await http.post("/users/second-factor/confirm", json={**who, "code": code})
    [recovery_code, *_] = confirmed.json()["recovery_codes"]
    answer = await http.post("/users/login", json={**who, "code": recovery_code})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def log_in(http: httpx.AsyncClient, email: str, password: str = PASSWORD) -> dict[str, str]:
    """The headers of somebody who has logged in."""
    answer = await http.post("/users/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@dataclass(slots=True)
class Load:
    """Payments of one shop, sent all at once, and the answers that came.

    Attributes:
        shop: Who pays whom.
        amount: Of each payment, in minor units.
        answers: By key; what was not answered is not there.
    """

    shop: Shop
    amount: int = 1
    answers: dict[str, httpx.Response] = field(default_factory=dict[str, httpx.Response])
    _awaited: int = 0
    _enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, keys: Sequence[str], *urls: str, at_once: int | None = None) -> None:
        """Send a payment for each key at once, on a connection of its own, to these servers in turn.

        With `at_once`, no more than that wait for their answers. Returns when each was answered, or has lost its
        connection.
        """
        room = asyncio.Semaphore(len(keys) if at_once is None else at_once)
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(_client(urls[number % len(urls)]))
                for number in range(max(len(urls), -(-len(keys) // CONNECTIONS_PER_CLIENT)))
            ]
            async with asyncio.TaskGroup() as tasks:
                for number, key in enumerate(keys):
                    tasks.create_task(self._pay(clients[number % len(clients)], key, room))

    async def until_answered(self, payments: int) -> None:
        """Wait until so many answers have come."""
        self._awaited = payments
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await self._enough.wait()

    def statuses(self) -> Counter[int]:
        """How many answers have which status."""
        return Counter(answer.status_code for answer in self.answers.values())

    def paid(self) -> dict[str, str]:
        """The ids of the payments that were acknowledged, by key."""
        return {key: answer.json()["id"] for key, answer in self.answers.items() if answer.status_code == 201}

    async def _pay(self, http: httpx.AsyncClient, key: str, room: asyncio.Semaphore) -> None:
        try:
            async with room:
                answer = await self.shop.pay(http, key, self.amount)
        except httpx.TransportError:
            return
        self.answers[key] = answer
        if len(self.answers) == self._awaited:
            self._enough.set()


def keys(number: int) -> list[str]:
    """Idempotency keys that nobody has used."""
    return [f"order-{next(_numbers)}" for _ in range(number)]


def code_of(answer: httpx.Response) -> str:
    """The code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    code: str = answer.json()["code"]
    return code


def _client(url: str) -> httpx.AsyncClient:
    connections = httpx.Limits(max_connections=CONNECTIONS_PER_CLIENT, keepalive_expiry=None)
    return httpx.AsyncClient(base_url=url, limits=connections, timeout=ANSWER_SECONDS_MAX, verify=_certificates())


@cache
def _certificates() -> ssl.SSLContext:
    """Loaded once: it takes longer than many a request."""
    return ssl.create_default_context()
