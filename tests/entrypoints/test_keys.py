"""`gateway keys`: API keys of any user, on the machine of the gateway."""

import asyncio
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway import ApiKeyId, Role, UserId, open_gateway
from gateway.application.errors import ApiKeyInvalid
from gateway.domain.scope import Scope
from gateway.entrypoints.cli import main
from gateway.entrypoints.sandbox_key import first_key

SCOPES = ("--scope", "payments:read", "--scope", "payouts:write")


class Machine:
    """A gateway on an SQLite file, with one customer."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/gateway.sqlite3"
        self.folder = folder
        self.customer = asyncio.run(self._customer())

    def keys(self, *arguments: str, **environ: str) -> Result:
        """Run `gateway keys …` in this process."""
        nothing_else: dict[str, str | None] = {name: None for name in os.environ if name.startswith("GATEWAY_")}
        settings = {"GATEWAY_DATABASE_URL": self.url, "GATEWAY_DATA_DIR": str(self.folder)}
        return CliRunner().invoke(
            main, ["keys", *arguments], env=nothing_else | settings | environ, catch_exceptions=False
        )

    def accepts(self, text: str) -> bool:
        """Whether a process that starts now accepts a key."""

        async def ask() -> bool:
            async with open_gateway(self.url) as gateway:
                try:
                    await gateway.access.authenticate(text)
                except ApiKeyInvalid:
                    return False
                return True

        return asyncio.run(ask())

    async def _customer(self) -> UserId:
        async with open_gateway(self.url) as gateway:
            registered = await gateway.access.register(
                email="ada@example.com", password="a long passphrase", role=Role.CUSTOMER
            )
        return registered.user.id


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def id_in(said: str) -> ApiKeyId:
    found = re.search(r"key_[0-9a-z]{26}", said)
    assert found is not None
    return ApiKeyId(found[0])


def test_a_key_is_created_listed_rotated_and_revoked(machine: Machine) -> None:
    made = machine.keys("create", "--owner", machine.customer, "--name", "Till", *SCOPES, "--expires-in-days", "30")
    [text] = made.stdout.splitlines()
    assert re.fullmatch(r"gk_test_[0-9a-z]{26}_[0-9A-Za-z]{46}", text)
    assert machine.accepts(text)
    key_id = id_in(made.stderr)
    assert text not in made.stderr

    rotated = machine.keys("rotate", key_id, "--old-key-seconds", "3600")
    [new] = rotated.stdout.splitlines()
    assert machine.accepts(text)
    assert machine.accepts(new)

    revoked = machine.keys("revoke", key_id)
    assert revoked.stdout == f"The API key {key_id} is revoked.\n"
    assert not machine.accepts(text)
    assert machine.accepts(new)

    listed = machine.keys("list", "--owner", machine.customer).stdout.splitlines()
    assert listed[0].split()[:3] == ["id", "owner", "name"]
    assert [line.split()[0] for line in listed[1:]] == [id_in(rotated.stderr), key_id]
    assert "payments:read payouts:write" in listed[1]
    assert "revoked" in listed[2]


def test_a_key_has_a_limit_of_its_own_that_a_rotation_keeps_or_changes(machine: Machine) -> None:
    made = machine.keys(
        "create", "--owner", machine.customer, "--name", "Till", *SCOPES, "--requests-per-minute", "120"
    )
    key_id = id_in(made.stderr)
    for flags in ((), ("--requests-per-minute", "60"), ("--requests-per-minute", "0")):
        key_id = id_in(machine.keys("rotate", key_id, *flags).stderr)
    listed = machine.keys("list").stdout.splitlines()
    assert [line.split()[-1] for line in listed[1:]] == ["never", "60", "120", "120"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("revoke", "key_none"), "There is no such API key."),
        (("rotate", "key_none"), "There is no such API key."),
        (("list", "--owner", "usr_none"), "There is no such user."),
        (("create", "--owner", "eve@example.com", "--name", "Till", *SCOPES), "There is no such user."),
        (("create", "--owner", "usr_none", "--name", "Till", *SCOPES), "There is no such user."),
    ],
)
def test_what_cannot_be_done_is_a_sentence(machine: Machine, arguments: tuple[str, ...], complaint: str) -> None:
    done = machine.keys(*arguments)
    assert (done.exit_code, done.stderr, done.stdout) == (1, f"Error: {complaint}\n", "")


def test_the_owner_is_also_named_by_the_address(machine: Machine) -> None:
    made = machine.keys("create", "--owner", "Ada@example.com", "--name", "Till", *SCOPES)
    listed = machine.keys("list", "--owner", "ada@example.com").stdout.splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [[id_in(made.stderr), machine.customer]]


@pytest.mark.parametrize("command", ["revoke", "rotate"])
def test_a_key_in_place_of_its_id_is_answered_with_the_id(machine: Machine, command: str) -> None:
    made = machine.keys("create", "--owner", machine.customer, "--name", "Till", *SCOPES)
    done = machine.keys(command, made.stdout.strip())
    assert done.exit_code == 1
    assert done.stderr == f"Error: This is an API key itself. Its id is {id_in(made.stderr)}.\n"
    cut_off = machine.keys(command, made.stdout.strip()[:-1])
    assert "keys list" in cut_off.stderr
    assert machine.accepts(made.stdout.strip())


@pytest.mark.parametrize(
    "arguments",
    [("list",), ("revoke", "key_x"), ("rotate", "key_x"), ("create", "--owner", "usr_x", "--name", "Till", *SCOPES)],
)
def test_a_database_that_is_not_there_is_not_made(machine: Machine, arguments: tuple[str, ...]) -> None:
    done = machine.keys(*arguments, GATEWAY_DATABASE_URL=f"sqlite:///{machine.folder}/deeper/typo.db")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: There is no ledger in sqlite:///")
    assert not (machine.folder / "deeper").exists()


def test_a_key_for_more_than_the_owner_may_is_refused(machine: Machine) -> None:
    done = machine.keys("create", "--owner", machine.customer, "--name", "Till", "--scope", "refunds:write")
    assert done.exit_code == 1
    assert "refunds:write" in done.stderr
    assert done.stdout == ""


def test_a_memory_that_ends_with_the_command_has_no_keys(machine: Machine) -> None:
    done = machine.keys("list", GATEWAY_DATABASE_URL="memory://")
    assert done.stderr == "Error: There are no keys: memory:// keeps nothing when a command ends.\n"


def test_the_scopes_of_all_operations_are_shown(machine: Machine) -> None:
    said = machine.keys("scopes").stdout
    assert {scope for scope in Scope if scope.value in said} == set(Scope)


async def test_a_sandbox_has_one_first_key(tmp_path: Path) -> None:
    async with open_gateway(f"sqlite:///{tmp_path}/gateway.sqlite3") as gateway:
        key = await first_key(gateway)
        assert key is not None
        caller = await gateway.access.authenticate(key.text)
        [account] = await gateway.queries.accounts_of(caller.user_id)
        assert key.assignments == f"K={key.text} A={account.id} M={key.merchant_id}"
        assert (await gateway.access.user(UserId(key.merchant_id))).role is Role.MERCHANT
        assert await first_key(gateway) is None
