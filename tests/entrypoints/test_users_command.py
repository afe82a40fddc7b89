"""`gateway users`, on a database of its own."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner, Result

from gateway import Registered, Role, open_gateway, read_settings
from gateway.entrypoints.cli import main
from gateway.settings.values import Settings

PASSWORD = "correct horse battery"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["users", *arguments, "--data-dir", str(tmp_path)], catch_exceptions=False)

    return invoke


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({}, {"data_dir": str(tmp_path)})


@pytest.fixture
def ada(settings: Settings) -> Registered:
    async def register() -> Registered:
        async with open_gateway(settings) as gateway:
            return await gateway.access.register(email="ada@example.com", password=PASSWORD, role=Role.CUSTOMER)

    return asyncio.run(register())


def test_a_user_is_disabled_listed_and_enabled(run: Run, ada: Registered) -> None:
    assert "is active" in run("show", ada.user.id).output
    disabled = run("disable", "Ada@example.com", "--reason", "A stolen laptop")
    assert disabled.exit_code == 0
    assert f"{ada.user.id} ada@example.com (customer) is disabled." in disabled.output
    assert f"{ada.accounts[0].id} USD 0 minor units, suspended" in disabled.output
    assert ada.user.id in run("list-disabled").output
    assert "is active" in run("enable", ada.user.id, "--reason", "A new laptop").output
    assert run("list-disabled").output == ""
    assert run("end-sessions", ada.user.id, "--reason", "A lost token").output == (
        f"All sessions of {ada.user.id} have ended.\n"
    )


def test_a_lost_second_factor_is_reset(run: Run, ada: Registered, settings: Settings) -> None:
    async def enrol() -> None:
        who = {"email": "ada@example.com", "password": PASSWORD, "address": "192.0.2.1"}
        async with open_gateway(settings) as gateway:
            secret = (await gateway.second_factors.enrol(**who)).secret
            await gateway.second_factors.confirm(code=pyotp.TOTP(secret).now(), **who)

    asyncio.run(enrol())
    for said in ("has no second factor any more", "has no second factor"):
        done = run("reset-second-factor", "ada@example.com", "--reason", "A lost telephone")
        assert done.output == f"{ada.user.id} {said}.\n"


def test_an_empty_account_is_closed(run: Run, ada: Registered) -> None:
    account_id = ada.accounts[0].id
    assert run("close-account", account_id, "--reason", "A mistake").output == f"{account_id} is closed.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("list-disabled",),
        ("show", "usr_x"),
        ("disable", "usr_x", "--reason", "x"),
        ("close-account", "acc_x", "--reason", "x"),
    ],
)
def test_a_database_that_is_not_there_is_not_made(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments, "--database-url", f"sqlite:///{tmp_path}/typo.db")
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: There is no ledger in sqlite:///")
    assert list(tmp_path.iterdir()) == []


def test_who_does_not_exist_is_told_in_a_sentence(run: Run, ada: Registered) -> None:
    for arguments in (("show", "usr_x"), ("disable", "eve@example.com", "--reason", "x"), ("show", "eve@example.com")):
        refused = run(*arguments)
        assert (refused.exit_code, refused.output) == (1, "Error: There is no such user.\n")
    refused = run("close-account", "acc_x", "--reason", "x")
    assert (refused.exit_code, refused.output) == (1, "Error: There is no such account.\n")
    refused = run("disable", ada.user.id, "--reason", "")
    assert (refused.exit_code, "reason" in refused.output or "1 to 500" in refused.output) == (1, True)
    assert run("disable", ada.user.id).exit_code == 2
