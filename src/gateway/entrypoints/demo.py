"""`gateway demo`: the whole life of payments as a few tables, in this process or in a running sandbox."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import httpx
from rich.table import Table

from gateway.adapters.http import HttpLimits, create_app
from gateway.adapters.jose.keys import generate_pem, signing_key_from_pem
from gateway.adapters.jose.signatures import JoseSignatures
from gateway.application.gateway import Gateway
from gateway.bootstrap.jobs import working
from gateway.bootstrap.webhooks import open_webhook_sender
from gateway.bootstrap.wiring import in_memory_gateway
from gateway.domain.user import Role
from gateway.entrypoints.demo_story import DEPOSIT_MINOR, Json, Stage, money_of, operate, play, shown
from gateway.entrypoints.demo_webhooks import webhooks_of
from gateway.entrypoints.output import output
from gateway.entrypoints.remote import DEFAULT_URL
from gateway.entrypoints.remote.gateway import http_client
from gateway.entrypoints.remote.urls import http_url
from gateway.settings.values import Settings

TIMEOUT_SECONDS: Final = 10.0
LIST_LIMIT: Final = 100
LEFT_OUT: Final = (
    "Fees, reversals and freezing were left out: they take an operator, and operators are not made over HTTP. "
    "`gateway create-operator` makes one; `gateway demo` without --url has one of its own."
)


def demo(url: str | None) -> None:
    """Show the life of payments in a running sandbox, or in one of its own."""
    asyncio.run(_demo(url))


class Credentials(NamedTuple):
    """What an operator logs in with."""

    email: str
    password: str


async def _demo(url: str | None) -> None:
    async with _running_sandbox(url) if url else _own_sandbox() as (client, credentials):
        stage = Stage(client)
        stage.chapter("Come in")
        shop = await stage.sign_up("Shop", Role.MERCHANT)
        ada = await stage.sign_up("Ada", Role.CUSTOMER)
        await stage.ask(ada, "POST", "/deposits", money_of(ada, DEPOSIT_MINOR), expect=201)
        async with webhooks_of(stage, shop) as webhooks:
            await play(stage, ada, shop)
            if credentials is not None:
                stage.chapter("An operator comes")
                await operate(stage, ada, shop, await stage.log_in("Grace", *credentials))
            stage.chapter("Look back")
            await webhooks.until_all_arrived()
        payments = await stage.ask(ada, "GET", f"/payments?limit={LIST_LIMIT}", expect=200)
        history = await stage.ask(ada, "GET", f"/transactions?limit={LIST_LIMIT}", expect=200)
        account = await stage.ask(ada, "GET", f"/accounts/{ada.account_id}", expect=200)
    console = output()
    console.print(stage.seen, webhooks.table(), _payments_table(payments["data"]), _history_table(history["data"]))
    console.print(f"Ada has {shown(account['balance']['available'])} left.")
    if credentials is None:
        console.print(LEFT_OUT)


@asynccontextmanager
async def _running_sandbox(url: str) -> AsyncGenerator[tuple[httpx.AsyncClient, None]]:
    parsed = http_url(url, "a gateway", example=DEFAULT_URL)
    async with http_client(parsed, base_url=parsed, timeout=TIMEOUT_SECONDS) as client:
        yield client, None


@asynccontextmanager
async def _own_sandbox() -> AsyncGenerator[tuple[httpx.AsyncClient, Credentials]]:
    """A sandbox in this process, with an operator, who is made as `gateway create-operator` does it."""
    settings = Settings()
    async with open_webhook_sender(settings) as sender, in_memory_gateway(webhook_sender=sender) as gateway:

        @asynccontextmanager
        async def opened() -> AsyncGenerator[Gateway]:
            yield gateway

        credentials = Credentials("grace@example.com", secrets.token_urlsafe(16))
        await gateway.access.register(email=credentials.email, password=credentials.password, role=Role.OPERATOR)
        app = create_app(
            opened, cursor_keys=JoseSignatures(signing_key_from_pem(generate_pem())), sandbox=True, limits=HttpLimits()
        )
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # Litestar types ASGI more narrowly than httpx.
        async with (
            app.lifespan(),
            working(gateway, settings),
            httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client,
        ):
            yield client, credentials


def _payments_table(payments: Sequence[Json]) -> Table:
    """What became of every payment, the oldest first."""
    amounts = ("amount", "captured", "refunded", "fee", "net")
    table = Table("payment", "status", *amounts, "description", title="What became of the payments")
    for payment in reversed(payments):
        table.add_row(
            payment["id"],
            payment["status"],
            shown(payment["amount"]),
            shown(payment["amount_captured"]),
            shown(payment["amount_refunded"]),
            shown(payment["fee_amount"]),
            shown(payment["net_amount"]),
            payment["description"] or "",
        )
    return table


def _history_table(transactions: Sequence[Json]) -> Table:
    """Ada's side of every transaction, the oldest first."""
    balances = ("posted", "held", "available")
    table = Table("transaction", "type", "amount", *balances, "description", title="What moved on Ada's account")
    for transaction in reversed(transactions):
        after = transaction["entries"][-1]["balance_after"]
        table.add_row(
            transaction["id"],
            transaction["type"],
            shown(transaction["amount"]),
            *(shown(after[balance]) for balance in balances),
            transaction["description"] or "",
        )
    return table
