"""Databases that the commands cannot use, or can use after a while: one sentence, an exit code, and no traceback."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from gateway.adapters.sql import migrate
from gateway.bootstrap.wiring import open_gateway
from gateway.settings.field import SettingsRefused
from gateway.settings.values import Settings
from support.load import open_shop
from support.migrations import execute
from support.processes import Done
from support.proxies import proxied
from support.servers import Installation

COMMANDS = ("migrate", "verify", "serve", "worker")
UNUSABLE = {
    "mysql://ada:hunter2@db/gateway": "begins with postgresql:// or sqlite:///",
    "sqlite://": "names a file",
    "postgresql://ada:hunter2@db:x/gateway": "percent-encoded",
    "postgres://ada:hunter2@db/gateway?sslmode=very": "sslmode can be",
    "postgres://ada:hunter2@db/gateway?statement_timeout=1": "does not know the parameter statement_timeout",
    "postgres://ada:hunter2@db/gateway?sslmode=verify-full&sslrootcert=/nowhere.pem": "sslrootcert cannot be read",
}


def said_in_a_sentence(done: Done, exit_code: int, sentence: str) -> None:
    assert done.exit_code == exit_code, done
    assert sentence in done.complained
    assert "Traceback" not in done.complained
    assert "hunter2" not in done.complained + done.said
    assert len(done.complained.splitlines()) <= 3


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_url_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path, command: str) -> None:
    url = "postgres://ada:hunter2@db/gateway?statement_timeout=1"
    said_in_a_sentence(await Installation(tmp_path, url).run(command), 2, UNUSABLE[url])


@pytest.mark.parametrize("url", UNUSABLE)
async def test_so_it_is_in_python(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsRefused, match=f"^GATEWAY_DATABASE_URL cannot be .*{UNUSABLE[url]}"):
        async with open_gateway(Settings(database_url=url, data_dir=str(tmp_path))):
            pass


@pytest.mark.parametrize("command", ["migrate", "verify", "serve"])
@pytest.mark.parametrize(
    ("revision", "sentence"),
    [("9999", "of a newer version of the gateway"), ("ae1027a6acf", "tables of another application")],
)
async def test_a_schema_of_others_is_a_sentence(
    tmp_path: Path, empty_url: str, command: str, revision: str, sentence: str
) -> None:
    await migrate(empty_url)
    await execute(empty_url, f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 - ours.
    said_in_a_sentence(await Installation(tmp_path, empty_url).run(command), 1, sentence)


@pytest.mark.parametrize("command", ["migrate", "verify", "serve"])
async def test_tables_of_another_application_are_a_sentence(tmp_path: Path, empty_url: str, command: str) -> None:
    await execute(empty_url, "CREATE TABLE users (mine TEXT)")
    said_in_a_sentence(await Installation(tmp_path, empty_url).run(command), 1, "tables of another application")


async def test_a_role_without_rights_is_a_sentence(tmp_path: Path, empty_postgres_url: str) -> None:
    role = "gateway_of_a_command"
    await execute(empty_postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD 'hunter2'")
    url = make_url(empty_postgres_url).set(username=role, password="hunter2").render_as_string(hide_password=False)
    try:
        said_in_a_sentence(await Installation(tmp_path, url).run("migrate"), 1, "permission denied for schema public")
        await migrate(empty_postgres_url)
        for command, table in (("verify", "alembic_version"), ("serve", "production")):
            done = await Installation(tmp_path, url).run(command)
            said_in_a_sentence(done, 1, f"permission denied for table {table}")
    finally:
        await execute(empty_postgres_url, f"DROP OWNED BY {role}")
        await execute(empty_postgres_url, f"DROP ROLE {role}")


async def test_the_connect_timeout_holds_for_every_command(tmp_path: Path, empty_postgres_url: str) -> None:
    async with proxied(empty_postgres_url) as slow:
        slow.accept_after_seconds = 3.2  # More than the setting's default.
        patient = Installation(tmp_path, slow.url, (("GATEWAY_DATABASE_CONNECT_TIMEOUT_SECONDS", "20"),))
        hasty = Installation(tmp_path, slow.url, (("GATEWAY_DATABASE_CONNECT_TIMEOUT_SECONDS", "1"),))
        said_in_a_sentence(await hasty.run("migrate"), 1, "The database cannot be reached.")
        assert (await patient.run("migrate")).exit_code == 0
        verifying = asyncio.create_task(patient.run("verify"))
        async with patient.serving() as server, server.client() as http:
            registration = {"email": "ada@example.com", "password": "correct horse battery", "role": "customer"}
            assert (await http.post("/users/register", json=registration)).status_code == httpx.codes.CREATED
        assert (await verifying).exit_code == 0


async def test_a_server_becomes_ready_however_long_its_database_takes_to_let_it_in(
    tmp_path: Path, postgres_url: str
) -> None:
    async with proxied(postgres_url) as slow:
        slow.accept_after_seconds = 2.5
        settings = {
            "GATEWAY_DATABASE_CONNECT_TIMEOUT_SECONDS": "20",
            "GATEWAY_DATABASE_POOL_SIZE": "1",
            "GATEWAY_WORKER_IN_SERVE": "false",
        }
        async with Installation(tmp_path, slow.url, tuple(settings.items())).serving() as server:
            assert "internal_error" not in server.log()


async def test_after_a_firewall_forgot_all_connections_a_payment_over_http_is_answered_within_5_s(
    tmp_path: Path, postgres_url: str
) -> None:
    async with (
        proxied(postgres_url) as firewall,
        Installation(tmp_path, firewall.url, (("GATEWAY_WORKER_IN_SERVE", "false"),)).serving() as server,
        server.client() as http,
    ):
        shop = await open_shop(http, balance=100)
        await asyncio.gather(*(shop.customer.available(http) for _ in range(32)))
        await asyncio.sleep(3)  # Longer than connections stay unchecked, and than the list of revocations is good.
        firewall.forget()
        began = time.monotonic()
        paid = await shop.pay(http, "key-00000001")
        assert time.monotonic() - began < 5
        assert paid.status_code == httpx.codes.CREATED
        assert (await shop.pay(http, "key-00000001")).json() == paid.json()
        assert await shop.customer.available(http) == 99
