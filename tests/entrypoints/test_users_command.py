"""`gateway users`, on a database of its own."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner, Result

from gateway import TRUSTED, AuditAction, AuditFilter, Registered, Role, open_gateway, read_settings
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
            codes = await gateway.second_factors.confirm(code=pyotp.TOTP(secret).now(), **who)
            await gateway.access.log_in(code=codes[0], **who)

    assert run("show", ada.user.id).output.endswith("\nNo second factor is set.\n")
    asyncio.run(enrol())
    shown = run("show", ada.user.id).output
    assert shown.endswith("\nA second factor is set; 9 of 10 recovery codes are left.\n")
    for has in ("has no second factor any more", "has no second factor"):
        done = run("reset-second-factor", "ada@example.com", "--reason", "A lost telephone")
        assert done.output == f"{ada.user.id} {has}, and all sessions have ended.\n"


def test_a_forgotten_password_is_reset_and_shown_once(run: Run, ada: Registered, settings: Settings) -> None:
    async def log_in(password: str) -> str:
        async with open_gateway(settings) as gateway:
            signed_in = await gateway.access.log_in(email="ada@example.com", password=password, address="192.0.2.1")
            [record] = (await gateway.audit.records(TRUSTED, AuditFilter(action=AuditAction.PASSWORD_RESET))).items
        assert (record.origin.actor.id, record.note.reason) == ("cli", "A forgotten password")
        return signed_in.user.id

    done = run("reset-password", "Ada@example.com", "--reason", "A forgotten password")
    assert done.exit_code == 0
    assert done.stderr == (
        f"This is the password of {ada.user.id} now, whose sessions have all ended. It is not shown again.\n"
    )
    [password] = done.stdout.splitlines()
    assert asyncio.run(log_in(password)) == ada.user.id


def test_a_user_is_handed_over_to_another_address(run: Run, ada: Registered) -> None:
    done = run("change-email", "ada@example.com", "--to", "Grace@example.com", "--reason", "Ada has left")
    assert done.output == f"{ada.user.id} logs in with grace@example.com.\n"
    assert f"{ada.user.id} grace@example.com (customer) is active." in run("show", "grace@example.com").output
    for who, address, said in (
        ("ada@example.com", "x@example.com", "Error: There is no such user.\n"),
        (ada.user.id, "nobody", "Error: email: This is not an e-mail address.\n"),
    ):
        refused = run("change-email", who, "--to", address, "--reason", "x")
        assert (refused.exit_code, refused.output) == (1, said)


def test_a_customer_without_a_password_has_none_to_reset(run: Run, settings: Settings) -> None:
    async def create() -> str:
        async with open_gateway(settings) as gateway:
            shop = await gateway.access.register(email="shop@example.com", password=PASSWORD, role=Role.MERCHANT)
            return (await gateway.customers.create(merchant_id=shop.user.id, email="bob@example.com")).id

    customer_id = asyncio.run(create())
    for who in (customer_id, "Bob@example.com"):
        refused = run("reset-password", who, "--reason", "x")
        assert refused.exit_code == 1
        assert refused.output.startswith(f"Error: {customer_id} is a customer without a password, whom a merchant")


def test_an_empty_account_is_closed(run: Run, ada: Registered) -> None:
    account_id = ada.accounts[0].id
    assert run("close-account", account_id, "--reason", "A mistake").output == f"{account_id} is closed.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("list-disabled",),
        ("show", "usr_x"),
        ("disable", "usr_x", "--reason", "x"),
        ("reset-password", "usr_x", "--reason", "x"),
        ("change-email", "usr_x", "--to", "x@example.com", "--reason", "x"),
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
