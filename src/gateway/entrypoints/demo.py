"""`gateway demo`: two people, one deposit and a few payments, through the HTTP API."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import click
import httpx
from rich.table import Table

from gateway.adapters.http import HttpLimits, create_app
from gateway.bootstrap import in_memory_gateway
from gateway.domain.money import Money, currency_code
from gateway.entrypoints.output import output

TIMEOUT_SECONDS: Final = 10.0
DEPOSIT_MINOR: Final = 10_000
PRICE_MINOR: Final = 1_050
TOO_MUCH_MINOR: Final = 1_000_000

Json = dict[str, Any]


@click.command
@click.option("--url", help="A running sandbox, for example http://127.0.0.1:8000. Without it: one in this process.")
def demo(*, url: str | None) -> None:
    """Show a deposit and some payments over HTTP."""
    asyncio.run(_demo(url))


@dataclass(slots=True)
class Visitor:
    """Somebody with an HTTP client, and what they have seen so far."""

    client: httpx.AsyncClient
    seen: Table = field(default_factory=lambda: Table("request", "", "answer", "ms", title="What was asked"))

    async def ask(
        self, method: str, path: str, *, token: str = "", key: str = "", body: Json | None = None, expect: int
    ) -> Json:
        """Send a request, and write down what came of it.

        Raises:
            ClickException: The gateway cannot be reached, or answered with another status than `expect`.
        """
        headers: dict[str, str] = {"Authorization": f"Bearer {token}"} if token else {}
        if key:
            headers["Idempotency-Key"] = key
        began = perf_counter()
        try:
            response = await self.client.request(method, path, json=body, headers=headers)
            answer: Json = response.json()
        except httpx.HTTPError as error:
            raise click.ClickException(f"{self.client.base_url} does not answer: {error}.") from error
        except ValueError as error:
            raise click.ClickException(f"{self.client.base_url} does not answer like a gateway.") from error
        milliseconds = (perf_counter() - began) * 1000
        if response.status_code != expect:
            detail = answer.get("detail", "no reason is given")
            raise click.ClickException(f"{method} {path} was answered {response.status_code}: {detail}")
        gist = next((answer[name] for name in ("code", "status", "object", "token_type") if name in answer), "")
        replayed = " (the same answer again)" if "Idempotency-Replayed" in response.headers else ""
        self.seen.add_row(f"{method} {path}", str(response.status_code), gist + replayed, f"{milliseconds:.1f}")
        return answer

    async def sign_up(self, name: str, role: str) -> tuple[Json, str]:
        """Register and log in; gives the user, and an access token."""
        password = secrets.token_urlsafe(16)
        email = f"{name.lower()}-{secrets.token_hex(4)}@example.com"
        body = {"email": email, "password": password, "role": role, "name": name}
        user = await self.ask("POST", "/users/register", body=body, expect=201)
        tokens = await self.ask("POST", "/users/login", body={"email": email, "password": password}, expect=200)
        return user, tokens["access_token"]


async def _demo(url: str | None) -> None:
    async with _client_of(url) if url else _client_in_process() as client:
        visitor = Visitor(client)
        shop, _ = await visitor.sign_up("Shop", "merchant")
        ada, token = await visitor.sign_up("Ada", "customer")
        [account] = ada["accounts"]
        deposit = {"account_id": account["id"], "amount": DEPOSIT_MINOR, "currency": account["currency"]}
        await visitor.ask("POST", "/deposits", token=token, key=_key(), body=deposit, expect=201)
        payment = {"merchant_id": shop["id"], "amount": PRICE_MINOR, "currency": account["currency"]}
        key = _key()
        for _ in range(2):  # The second time as after a lost answer: nothing moves twice.
            await visitor.ask("POST", "/payments", token=token, key=key, body=payment, expect=201)
        short = {**payment, "description": "The short form"}
        await visitor.ask("POST", "/transactions", token=token, key=_key(), body=short, expect=201)
        too_much = {**payment, "amount": TOO_MUCH_MINOR}
        await visitor.ask("POST", "/payments", token=token, key=_key(), body=too_much, expect=402)
        history = await visitor.ask("GET", "/transactions", token=token, expect=200)
        after = await visitor.ask("GET", f"/accounts/{account['id']}", token=token, expect=200)
    console = output()
    console.print(visitor.seen, _history_table(history["data"]))
    console.print(f"Ada has {_money(after['balance']['available'], after['currency'])} left.")


@asynccontextmanager
async def _client_of(url: str) -> AsyncGenerator[httpx.AsyncClient]:
    try:
        client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS)
    except httpx.InvalidURL as error:
        raise click.ClickException(f"{url} is no URL: {error}.") from error
    async with client:
        yield client


@asynccontextmanager
async def _client_in_process() -> AsyncGenerator[httpx.AsyncClient]:
    app = create_app(in_memory_gateway, cursor_secret=secrets.token_bytes(32), sandbox=True, limits=HttpLimits())
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # Litestar types ASGI more narrowly than httpx.
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        yield client


def _history_table(transactions: list[Mapping[str, Any]]) -> Table:
    """Ada's side of every transaction, the oldest first."""
    table = Table("transaction", "type", "amount", "balance after", "description", title="What moved on Ada's account")
    for transaction in reversed(transactions):
        [entry] = transaction["entries"]
        sign = "-" if entry["direction"] == "debit" else "+"
        table.add_row(
            transaction["id"],
            transaction["type"],
            sign + _money(entry["amount"], entry["currency"]),
            _money(entry["balance_after"]["posted"], entry["currency"]),
            transaction["description"] or "",
        )
    return table


def _money(amount_minor: int, currency: str) -> str:
    return str(Money(amount_minor, currency_code(currency)))


def _key() -> str:
    return secrets.token_hex(16)
