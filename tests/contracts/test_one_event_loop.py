"""A gateway belongs to one event loop, on every storage: any other is told so at once, and nothing has moved."""

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway import Gateway, MakeDeposit, OpenAccount, Role, WrongEventLoop, in_memory_gateway, open_gateway
from gateway.application.access.access import Access
from gateway.application.accounts import Accounts
from gateway.application.api_keys import ApiKeys
from gateway.application.events.feed import Events
from gateway.application.members import Members
from gateway.application.queries import Queries
from gateway.application.quotes import Quotes
from gateway.application.webhooks import Webhooks
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.money import currency_code
from support.builders import CUSTOMER, MERCHANT, pay, usd

OpenedGateway = AbstractAsyncContextManager[Gateway]

ANSWER_SECONDS_MAX = 20.0
CUSTOMERS = AccountKey(CUSTOMER, currency_code("USD"), AccountKind.CUSTOMER)
MERCHANTS = AccountKey(MERCHANT, currency_code("USD"), AccountKind.MERCHANT)


@pytest.fixture(params=["memory", "one by one", "sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenedGateway:
    """A gateway on each storage, yet to be entered."""
    monkeypatch.chdir(tmp_path)
    match request.param:
        case "sqlite":
            return open_gateway(tmp_path / "ledger.db")
        case "postgres":
            return open_gateway(request.getfixturevalue("postgres_url"))
        case _:
            return in_memory_gateway(one_by_one=request.param == "one by one")


@pytest.fixture
async def gateway(opened: OpenedGateway) -> AsyncIterator[Gateway]:
    """An open gateway, with a customer who has money and a merchant."""
    async with opened as gateway:
        account = await gateway.execute(OpenAccount(key=CUSTOMERS))
        await gateway.execute(OpenAccount(key=MERCHANTS))
        await gateway.execute(MakeDeposit(account_id=account.id, amount=usd(100), owner_id=None))
        yield gateway


async def in_another_loop(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """What comes of a call in an event loop of its own, in another thread."""
    return await asyncio.wait_for(asyncio.to_thread(lambda: asyncio.run(call())), ANSWER_SECONDS_MAX)


async def available(gateway: Gateway) -> int:
    [account] = await gateway.queries.accounts_of(CUSTOMER)
    return account.available


async def test_a_payment_from_another_loop_is_refused_at_once_and_nothing_has_moved(gateway: Gateway) -> None:
    payment = pay(usd(10))
    with pytest.raises(WrongEventLoop, match=r"gateway\.sync"):
        await in_another_loop(lambda: gateway.execute(payment, idempotency_key="order-1"))
    assert await available(gateway) == 100
    await gateway.execute(payment, idempotency_key="order-1")  # The key is not used up.
    assert await available(gateway) == 90


async def test_a_thread_calls_as_the_error_says(gateway: Gateway) -> None:
    await asyncio.wait_for(asyncio.to_thread(gateway.sync.execute, pay(usd(10))), ANSWER_SECONDS_MAX)
    assert await available(gateway) == 90


@pytest.mark.parametrize("kind", [Access, Accounts, Events, Queries, Quotes, Webhooks, ApiKeys, Members])
async def test_whatever_else_is_asked_from_another_loop_is_refused_too(gateway: Gateway, kind: type[Any]) -> None:
    executor = getattr(gateway, re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower())
    methods = [name for name, member in vars(kind).items() if inspect.iscoroutinefunction(member) and name[0] != "_"]
    assert methods
    for name in methods:
        method = getattr(executor, name)
        nothing = {
            parameter.name: None
            for parameter in inspect.signature(method).parameters.values()
            if parameter.default is inspect.Parameter.empty
        }
        with pytest.raises(WrongEventLoop):
            await in_another_loop(partial(method, **nothing))


def test_a_gateway_that_outlives_its_loop_says_so() -> None:
    async def opened() -> Gateway:
        async with in_memory_gateway() as gateway:
            await gateway.access.register(email="ada@example.com", password="a long passphrase", role=Role.CUSTOMER)
        return gateway

    gateway = asyncio.run(opened())
    with pytest.raises(WrongEventLoop):
        asyncio.run(gateway.execute(pay(usd(1))))
