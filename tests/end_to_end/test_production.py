"""Production: it refuses to start half-made, and serves when it is set up as the guide says."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.adapters.jose.keys import generate_pem
from gateway.settings.database_url import without_password
from support.load import PASSWORD, enrol_and_log_in, sign_up
from support.servers import Installation

SCHEMA_MISSING = "Error: There is no ledger in {}. If this is the right database, run: gateway migrate\n"


def production(folder: Path, database_url: str) -> Installation:
    environ = (("GATEWAY_ENVIRONMENT", "production"), ("GATEWAY_TOKEN_PRIVATE_KEY", generate_pem()))
    return Installation(folder, database_url, environ)


async def test_production_refuses_to_start_without_a_key(postgres_url: str, tmp_path: Path) -> None:
    done = await production(tmp_path, postgres_url).run("serve", GATEWAY_TOKEN_PRIVATE_KEY="")

    assert done.exit_code == 1
    assert done.complained.startswith("Error: Production needs a signing key of its own.")
    assert not (tmp_path / "data").exists()


async def test_production_refuses_a_secret_that_is_a_phrase(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    await asyncio.to_thread(file.write_text, "correct horse battery staple correct horse\n", encoding="ascii")
    file.chmod(0o600)
    gateway = production(tmp_path, "")
    phrase = {"GATEWAY_TOKEN_PRIVATE_KEY": "", "GATEWAY_TOKEN_ALGORITHM": "HS256"}

    for given in (
        {"GATEWAY_TOKEN_SECRET": "qwertyuiopasdfghjklzxcvbnm123456"},
        {"GATEWAY_TOKEN_SECRET_FILE": str(file)},
    ):
        done = await gateway.run("serve", **phrase, **given)

        assert done.exit_code == 1
        assert done.complained.startswith("Error: The signing secret can be guessed. Draw one with: openssl rand")


async def test_production_refuses_to_start_on_sqlite(tmp_path: Path) -> None:
    done = await production(tmp_path, "").run("serve")

    assert done.exit_code == 1
    assert done.complained.startswith("Error: Production does not start on SQLite.")


@pytest.mark.parametrize("command", ["serve", "worker", "migrate"])
async def test_no_command_trusts_strangers_as_proxies(tmp_path: Path, command: str) -> None:
    done = await production(tmp_path, "").run(command, GATEWAY_TRUSTED_PROXIES="*")

    assert done.exit_code == 2
    assert done.complained.startswith("Error: GATEWAY_TRUSTED_PROXIES holds everybody")
    assert len(done.complained.splitlines()) == 1
    assert not (tmp_path / "data").exists()


async def test_production_refuses_to_start_on_a_schema_that_is_not_its_own(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    gateway = production(tmp_path, empty_postgres_url)

    done = await gateway.run("serve")

    assert (done.exit_code, done.complained) == (1, SCHEMA_MISSING.format(without_password(empty_postgres_url)))


@pytest.mark.parametrize(
    ("given", "status"), [({}, 404), ({"GATEWAY_DOCS": "true"}, 200), ({"GATEWAY_DOCS": "false"}, 404)], ids=str
)
async def test_production_serves_its_docs_only_if_it_is_set(tmp_path: Path, given: dict[str, str], status: int) -> None:
    gateway = production(tmp_path, "")
    given = {"GATEWAY_ALLOW_SQLITE_IN_PRODUCTION": "true", **given}
    assert (await gateway.run("migrate")).exit_code == 0

    async with gateway.serving(**given) as server, server.client() as http:
        for path in ("/docs", "/docs/guide", "/docs/static/swagger-ui-bundle.js"):
            assert (await http.get(path)).status_code == status
        assert (await http.get("/")).status_code == (307 if status == 200 else 404)
        assert (await http.get("/openapi.json")).status_code == 200


async def test_production_is_set_up_with_commands_by_several_machines_at_once(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    gateway = production(tmp_path, empty_postgres_url)

    migrated = await asyncio.gather(gateway.run("migrate"), gateway.run("migrate"))
    assert [(done.exit_code, done.complained) for done in migrated] == [(0, ""), (0, "")]
    email = "operator@example.com"
    made = await gateway.run("create-operator", "--email", email, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert made.exit_code == 0, made

    async with gateway.serving() as server, server.client() as http:
        body = {"email": email, "password": PASSWORD}
        without = await http.post("/users/login", json=body)
        assert (without.status_code, without.json()["code"]) == (403, "second_factor_missing")
        operator = await enrol_and_log_in(http, email)
        customer = await sign_up(http, "customer")
        deposit = {"account_id": customer.account_id, "amount": 500, "currency": "USD"}
        for headers, status in ((customer.headers, 403), (operator, 201)):
            answer = await http.post("/deposits", headers=headers | {"Idempotency-Key": "deposit"}, json=deposit)
            assert answer.status_code == status, answer.text
        assert await customer.available(http) == 500
        invariants = await http.get("/ledger/invariants", headers=operator)
        assert invariants.status_code == 200
        assert invariants.json()["ok"] is True
        [dollars] = invariants.json()["currencies"]
        assert dollars["debits_posted"] == dollars["credits_posted"] == 500
        assert (await http.get("/ledger/invariants", headers=customer.headers)).status_code == 403
    await gateway.verify()


async def test_a_sandbox_neither_serves_nor_migrates_the_database_of_production(
    postgres_url: str, tmp_path: Path
) -> None:
    gateway = production(tmp_path, postgres_url)
    assert (await gateway.run("migrate")).exit_code == 0
    operator = ("create-operator", "--email", "ops@example.com", "--password-stdin")

    for command in (("serve",), ("worker",), operator):
        done = await gateway.run(*command, stdin=PASSWORD, GATEWAY_ENVIRONMENT="sandbox")

        assert done.exit_code == 1
        assert done.complained.startswith("Error: This is production's database, and in a sandbox owners make money.")

    async with gateway.connected() as connection:
        await connection.execute(text("DELETE FROM production"))
        await connection.commit()
    done = await gateway.run(*operator, stdin=PASSWORD, GATEWAY_ENVIRONMENT="sandbox")
    assert done.exit_code == 0
