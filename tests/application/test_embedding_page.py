"""The page on embedding: its examples run, and do what the page says."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from gateway import AccountKey, AccountKind, OpenAccount, Role, Scope, in_memory_gateway
from gateway.contracts.records import USD, user_id

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"


def test_the_example_of_a_refusal_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(from gateway import InvalidInput.*?)```", PAGE.read_text(), re.DOTALL)
    exec(example, {})  # noqa: S102 - it is our own page.
    said = [line.removeprefix("# ") for line in example.splitlines() if line.startswith("# ")]
    assert capsys.readouterr().out.splitlines() == said


async def test_the_example_of_a_sink_gets_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(from gateway.application.events.relay.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - it is our own page.
    stop = asyncio.Event()
    async with in_memory_gateway() as gateway, asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(names["publish_until"](stop, gateway))
        account = await gateway.execute(OpenAccount(key=AccountKey(user_id(1), USD, AccountKind.CUSTOMER)))
        newest = await gateway.storage.events.newest()
        while await gateway.storage.event_cursors.position("printer") != newest:  # noqa: ASYNC110 - nothing tells.
            await asyncio.sleep(0.01)
        stop.set()
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == newest
    assert any(line.endswith(f" account.opened {account.id}") for line in printed)


async def test_the_example_of_an_api_key_makes_one_that_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(new = await gateway.api_keys.*?)```", PAGE.read_text(), re.DOTALL)
    body = "".join(f"    {line}\n" for line in example.splitlines())
    names: dict[str, Any] = {}
    exec(f"async def run(gateway, merchant_id):\n{body}    return caller", names)  # noqa: S102 - it is our own page.
    async with in_memory_gateway() as gateway:
        registered = await gateway.access.register(
            email="shop@example.com", password="a long passphrase", role=Role.MERCHANT
        )
        caller = await names["run"](gateway, registered.user.id)
    assert (caller.user_id, caller.scopes) == (registered.user.id, {Scope.PAYMENTS_READ})
    assert "gk_test_" in capsys.readouterr().out
