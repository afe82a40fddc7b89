"""The page on embedding: its examples run, and do what the page says."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import (
    TRUSTED,
    AccountKey,
    AccountKind,
    Caller,
    DisableUser,
    EnableUser,
    EndSessions,
    FreezeAccount,
    MakeDeposit,
    MemberRole,
    OpenAccount,
    Pay,
    PaymentOrder,
    PaymentStatus,
    Role,
    Scope,
    in_memory_gateway,
)
from gateway.adapters.sql.tables import metadata
from gateway.contracts.records import USD, user_id
from gateway.refusals import UserNotFound
from support.builders import usd

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "embedding.md"


def example(first_line: str) -> str:
    """The only example that begins so."""
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    [found] = [each for each in examples if each.startswith(first_line)]
    return str(found)


def run(code: str) -> dict[str, Any]:
    """The names that an example defines."""
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is our own page.
    return names


def test_the_page_names_all_tables_of_the_gateway() -> None:
    """In an SQLite file, the tables of the program must have other names."""
    [listed] = re.findall(r"```\n(accounts .*?)```", PAGE.read_text(), re.DOTALL)
    assert listed.split() == sorted({*metadata.tables, "alembic_version"})
    for table in metadata.tables.values():
        assert all(str(index.name).startswith(f"{table.name}_") for index in table.indexes)


async def test_ids_of_the_program_are_no_users_with_passwords_and_their_accounts_can_be_frozen() -> None:
    async with in_memory_gateway() as gateway:
        account = await gateway.accounts.open_customer("user-17", "EUR")
        owner_id, reason = account.owner_id, "A stolen card"
        for refused in (
            gateway.api_keys.create(owner_id=owner_id, name="Till", scopes=["payments:read"]),
            gateway.execute(DisableUser(user_id=owner_id, reason=reason)),
            gateway.execute(EnableUser(user_id=owner_id, reason=reason)),
            gateway.execute(EndSessions(user_id=owner_id, reason=reason)),
        ):
            with pytest.raises(UserNotFound):
                await refused
        assert (await gateway.execute(FreezeAccount(account_id=account.id))).status == "frozen"


def run_twice(code: str) -> None:
    """Run a program two times, each in a thread: it has no running event loop, as a main thread at its start."""
    for _ in range(2):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(run, code).result()


def printed_lines(code: str) -> list[str]:
    """What an example says that it prints."""
    return [line.removeprefix("# ") for line in code.splitlines() if line.startswith("# ")]


def test_the_first_example_pays_and_may_be_run_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = example("import asyncio\n\nfrom gateway import MakeDeposit")
    run_twice(code)
    assert capsys.readouterr().out.splitlines() == printed_lines(code) * 2


def test_the_example_of_the_readme_is_the_file_that_type_checkers_see_and_may_be_run_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = (ROOT / "examples" / "first_payment.py").read_text(encoding="utf-8")
    [shown] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown == code.partition("\n\n")[2]
    run_twice(code)
    assert capsys.readouterr().out.splitlines() == ["captured"] * 2


def test_the_example_of_a_program_without_an_event_loop_prints_what_the_page_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = example("from gateway import open_gateway_sync")
    run_twice(code)
    assert capsys.readouterr().out.splitlines() == printed_lines(code) * 2


async def test_the_example_of_a_thread_pays(capsys: pytest.CaptureFixture[str]) -> None:
    pay_in_a_thread = run(example("import asyncio\n\nfrom gateway import Gateway"))["pay_in_a_thread"]
    async with in_memory_gateway() as gateway:
        ada = await gateway.accounts.open_customer("ada", "USD")
        shop = await gateway.accounts.open_merchant("shop", "USD")
        await gateway.execute(MakeDeposit(account_id=ada.id, amount=usd(100), owner_id=None))
        order = PaymentOrder(customer_id=ada.owner_id, merchant_id=shop.owner_id, amount=usd(10))
        await pay_in_a_thread(gateway, Pay(order=order))
    assert capsys.readouterr().out.splitlines() == ["captured"]


async def test_the_example_of_queries_shows_what_a_customer_may_see(capsys: pytest.CaptureFixture[str]) -> None:
    show_payments = run(example("from gateway import TRUSTED"))["show_payments"]
    async with in_memory_gateway() as gateway:
        ada = await gateway.accounts.open_customer("ada", "USD")
        shop = await gateway.accounts.open_merchant("shop", "USD")
        await gateway.execute(MakeDeposit(account_id=ada.id, amount=usd(100), owner_id=None))
        order = PaymentOrder(customer_id=ada.owner_id, merchant_id=shop.owner_id, amount=usd(10), metadata={})
        payment = (await gateway.execute(Pay(order=order))).payment
        await show_payments(gateway, ada)
    assert capsys.readouterr().out.splitlines() == [f"{payment.id} 0.10 USD captured", "1"]


async def test_the_example_of_a_caught_refusal_tells_them_apart() -> None:
    pay = run(example("from gateway import Refusal"))["pay"]
    async with in_memory_gateway() as gateway:
        ada = await gateway.accounts.open_customer("ada", "USD")
        shop = await gateway.accounts.open_merchant("shop", "USD")
        order = PaymentOrder(customer_id=ada.owner_id, merchant_id=shop.owner_id, amount=usd(10), metadata={})
        assert await pay(gateway, Pay(order=order)) == "Not enough money."
        opening = OpenAccount(key=AccountKey(ada.owner_id, USD, AccountKind.CUSTOMER))
        assert await pay(gateway, opening) == "Refused: account_exists"


async def test_the_example_of_mounting_serves_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = run(example("from contextlib import asynccontextmanager\n\nfrom starlette"))["app"]
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        assert (await client.get("/gateway/health/ready")).status_code == 200
        assert (await client.get("/gateway/payments")).json()["code"] == "token_missing"


def test_the_example_of_a_refusal_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    code = example("from gateway import InvalidInput")
    run(code)
    assert capsys.readouterr().out.splitlines() == printed_lines(code)


async def test_the_example_of_a_sink_gets_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(example("from gateway.events"))
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


async def test_the_example_of_customers_without_passwords_pays_on_behalf_of_one() -> None:
    [example] = re.findall(r"```python\n(shop = Caller.*?)```", PAGE.read_text(), re.DOTALL)
    body = "".join(f"    {line}\n" for line in example.splitlines())
    names: dict[str, Any] = {}
    code = f"from gateway import *\nasync def run(gateway, merchant_id):\n{body}    return payment"
    exec(code, names)  # noqa: S102 - it is our own page.
    async with in_memory_gateway() as gateway:
        registered = await gateway.access.register(
            email="shop@example.com", password="a long passphrase", role=Role.MERCHANT
        )
        payment = await names["run"](gateway, registered.user.id)
    assert (payment.status, payment.merchant_id) == (PaymentStatus.CAPTURED, registered.user.id)


async def test_the_example_of_a_hold_captures_refunds_and_reads_all_pages() -> None:
    code = example("hold = PaymentRequest(")
    body = "".join(f"    {line}\n" for line in code.replace("limit=100", "limit=2").splitlines())
    names: dict[str, Any] = {}
    given = "gateway, shop, merchant_id, customer_id"
    result = "held, captured, refunded, customers"
    exec(f"from gateway import *\nasync def run({given}):\n{body}    return {result}", names)  # noqa: S102 - as above.
    async with in_memory_gateway() as gateway:
        made = await gateway.access.register(email="s@example.com", password="a long passphrase", role=Role.MERCHANT)
        merchant_id = made.user.id
        shop = Caller(user_id=merchant_id, role=Role.MERCHANT)
        created = [await gateway.customers.create(merchant_id=merchant_id) for _ in range(5)]
        account_id = created[0].accounts[0].id
        await gateway.execute(MakeDeposit(account_id=account_id, amount=usd(1_000), owner_id=None))
        run_it = names["run"]
        held, captured, refunded, customers = await run_it(gateway, shop, merchant_id, created[0].id)
        account = await gateway.queries.account(TRUSTED, account_id)
    assert (held.status, captured.status) == (PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED)
    assert (captured.amount_captured_minor, refunded.amount.amount_minor) == (200, 50)
    assert (account.available, account.held) == (850, 0)
    assert [each.id for each in customers] == [each.id for each in reversed(created)]


async def test_the_example_of_a_member_acts_for_the_merchant(capsys: pytest.CaptureFixture[str]) -> None:
    async with in_memory_gateway() as gateway:
        shop = await gateway.access.register(email="s@example.com", password="a long passphrase", role=Role.MERCHANT)
        code = example("made = await gateway.members.invite(")
        body = "async def main():\n" + "".join(f"    {line}\n" for line in code.splitlines())
        names: dict[str, Any] = {"gateway": gateway, "merchant_id": shop.user.id, "MemberRole": MemberRole}
        exec(body, names)  # noqa: S102 - it is our own page.
        await names["main"]()
        assert capsys.readouterr().out == "True support\n"
