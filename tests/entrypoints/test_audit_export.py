"""`gateway audit export` and `gateway verify --audit-head`, on a database of their own."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway import FreezeAccount, Registered, Role, open_gateway, read_settings
from gateway.entrypoints.cli import main

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--data-dir", str(tmp_path)], catch_exceptions=False)

    return invoke


@pytest.fixture
def shops(tmp_path: Path) -> tuple[Registered, Registered]:
    """Two merchants, whose accounts were frozen."""

    async def register() -> tuple[Registered, Registered]:
        async with open_gateway(read_settings({}, {"data_dir": str(tmp_path)})) as gateway:
            first, second = [
                await gateway.access.register(email=f"{name}@example.com", password="a passphrase", role=Role.MERCHANT)
                for name in ("ada", "bob")
            ]
            for shop in (first, second):
                await gateway.execute(FreezeAccount(account_id=shop.accounts[0].id, reason="A stolen key"))
            return first, second

    return asyncio.run(register())


def lines(done: Result) -> list[dict[str, object]]:
    assert done.exit_code == 0
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_records_are_exported_as_lines_of_json_and_the_export_is_recorded(
    run: Run, shops: tuple[Registered, Registered]
) -> None:
    first, second = shops
    done = run("audit", "export")
    assert [each["object_id"] for each in lines(done)] == [second.accounts[0].id, first.accounts[0].id]
    assert {each["reason"] for each in lines(done)} == {"A stolen key"}
    assert done.stderr == "2 records of the audit log are exported.\n"
    [record] = lines(run("audit", "export", "--owner", first.user.id, "--action", "account.frozen"))
    assert record["object_id"] == first.accounts[0].id
    assert lines(run("audit", "export", "--created-before", "2020-01-01")) == []
    exports = lines(run("audit", "export", "--action", "audit.exported"))
    assert [each["after"] for each in exports] == [
        {"created_before": "2020-01-01T00:00:00+00:00"},
        {"owner_id": first.user.id, "action": "account.frozen"},
        {},
    ]
    assert {str(each["actor"]) for each in exports} == {"{'kind': 'cli', 'id': 'cli'}"}


def test_people_are_named_by_their_address_and_recorded_by_their_id(
    run: Run, shops: tuple[Registered, Registered], tmp_path: Path
) -> None:
    first, _ = shops
    [record] = lines(run("audit", "export", "--owner", "Ada@example.com"))
    assert record["object_id"] == first.accounts[0].id
    assert lines(run("audit", "export", "--actor", "bob@example.com", "--object", "ada@example.com")) == []
    for name, field in (("--owner", "owner_id"), ("--actor", "actor"), ("--object", "object_id")):
        missing = run("audit", "export", name, "eve@example.com")
        assert (missing.exit_code, missing.output) == (1, "Error: There is no such user.\n")
        typo = run("audit", "export", name, "usr_typo")
        said = "No user, customer, API key or record of the audit log has this id."
        assert (typo.exit_code, typo.output) == (1, f"Error: {field}: {said}\n")
    exports = lines(run("audit", "export", "--object", "audit"))
    assert [each["after"] for each in exports] == [
        {"actor": shops[1].user.id, "object_id": first.user.id},
        {"owner_id": first.user.id},
    ]
    with closing(sqlite3.connect(tmp_path / "gateway.sqlite3")) as connection:
        assert "@" not in repr(connection.execute("SELECT after, before FROM audit_log").fetchall())


def test_a_database_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    refused = run("audit", "export", "--database-url", f"sqlite:///{tmp_path}/typo.db")
    assert (refused.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert refused.output.startswith("Error: There is no ledger in sqlite:///")


def test_all_pages_are_exported(run: Run, shops: tuple[Registered, Registered]) -> None:
    assert len(shops) == 2
    for _ in range(3):
        run("audit", "export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.entrypoints.audit_export.LIST_LIMIT_MAX", 2)
        assert len(lines(run("audit", "export"))) == 5


def test_where_nothing_is_kept_there_is_nothing_to_export() -> None:
    done = CliRunner().invoke(main, ["audit", "export", "--database-url", "memory://"], catch_exceptions=False)
    assert done.exit_code != 0
    assert "memory://" in done.stderr


def test_verify_tells_the_end_of_the_log_and_compares_it_later(
    run: Run, shops: tuple[Registered, Registered], tmp_path: Path
) -> None:
    assert len(shops) == 2
    run("audit", "export")  # Reading links the records to the chain.
    said = run("verify")
    _, _, head = said.stdout.splitlines()[-1].rpartition(" ")
    assert json.loads(run("verify", "--json").stdout)["audit_head"] == head
    run("audit", "export")
    assert run("verify", "--audit-head", head).exit_code == 0
    with closing(sqlite3.connect(tmp_path / "gateway.sqlite3")) as connection, connection:
        connection.execute("DELETE FROM audit_log WHERE id IN (SELECT audit_id FROM audit_chain WHERE position >= 2)")
        connection.execute("DELETE FROM audit_chain WHERE position >= 2")
        connection.execute("UPDATE audit_head SET position = 1, hash = (SELECT hash FROM audit_chain)")
    assert run("verify").exit_code == 0
    cut = run("verify", "--audit-head", head)
    assert cut.exit_code == 1
    assert "audit_chain_cut" in cut.stdout
    assert run("verify", "--audit-head", "4:abc").exit_code == 2
