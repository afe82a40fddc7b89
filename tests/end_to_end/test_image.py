"""The processes of the image and of compose.yaml, with their variables, users and rights, but without an engine."""

import asyncio
import os
import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateway.adapters.jose.keys import generate_pem
from support.image import ROOT, dotenv, image_variables, services
from support.load import PASSWORD, enrol_and_log_in, log_in
from support.postgres import LocalPostgres, find_binaries
from support.processes import DEVNULL, started
from support.read_only import SECONDS_MAX, command, confined_to, open_folder
from support.servers import START_SECONDS_MAX, free_port, until

KEY = {"GATEWAY_TOKEN_PRIVATE_KEY": generate_pem()}
ON_SQLITE = {"GATEWAY_ALLOW_SQLITE_IN_PRODUCTION": "true"}


def variables(**more: str) -> dict[str, str]:
    """The environment of a process of the image, on a port of its own."""
    return {"PATH": os.environ["PATH"], **image_variables(), "GATEWAY_PORT": str(free_port()), **more}


@dataclass(frozen=True)
class Container:
    """Runs commands as the image does: a folder to write, everything else read-only."""

    folder: Path

    def run(self, *arguments: str, env: dict[str, str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command(*arguments, before=confined_to(self.folder)),
            env=env | {"HOME": str(self.folder)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    @contextmanager
    def running(self, *arguments: str, env: dict[str, str]) -> Generator["subprocess.Popen[str]"]:
        env = env | {"HOME": str(self.folder)}
        confined = command(*arguments, before=confined_to(self.folder))
        with started(confined, env=env, stdout=DEVNULL, stderr=DEVNULL) as process:
            yield process


@pytest.fixture
def container() -> Generator[Container]:
    with open_folder() as folder:
        yield Container(folder)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Error: Production needs a signing key of its own.*set GATEWAY_TOKEN_PRIVATE_KEY_FILE="),
        (KEY, "Error: Production does not start on SQLite. Set GATEWAY_DATABASE_URL to a Postgres"),
        (KEY | ON_SQLITE, "Error: There is no ledger in sqlite:///.*run: gateway migrate"),
    ],
    ids=["no key", "no database", "no ledger"],
)
def test_the_image_serves_nothing_before_it_is_told_its_key_and_database(
    container: Container, given: dict[str, str], says: str
) -> None:
    done = container.run("serve", env=variables(**given))

    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(says, done.stderr), done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_the_image_runs_on_a_read_only_file_system(container: Container) -> None:
    environ = variables(**KEY, **ON_SQLITE)
    migrated = container.run("migrate", env=environ)
    assert (migrated.returncode, migrated.stderr) == (0, "")

    with container.running("serve", env=environ):
        await ready(environ["GATEWAY_PORT"])
        health = container.run("health", env=environ)
        assert health.returncode == 0, health.stderr
    assert [path.name for path in container.folder.iterdir()] == [".gateway"]


def set_up(postgres: LocalPostgres, folder: Path) -> dict[str, str]:
    """Do what `make compose-secrets` and the first start of Postgres do. Returns the secrets."""
    subprocess.run([ROOT / ".ci" / "compose-secrets", folder], check=True, capture_output=True)
    owner = re.search("//gateway:(.+)@", postgres.url("postgres"))
    assert owner is not None
    secrets = dotenv(folder / ".env") | {"OWNER_PASSWORD": owner[1]}
    psql = [str(find_binaries().directory / "psql"), "--quiet", "--set=ON_ERROR_STOP=1", postgres.url("postgres")]
    subprocess.run([*psql, "--command=CREATE DATABASE gateway"], check=True)
    subprocess.run([*psql, f"--file={ROOT / 'deploy' / 'logins.sql'}"], check=True, env=dict(os.environ) | secrets)
    return secrets


async def test_the_processes_of_compose_work_with_their_variables_and_rights(
    private_postgres: LocalPostgres, container: Container, tmp_path: Path
) -> None:
    secrets = await asyncio.to_thread(set_up, private_postgres, tmp_path)
    composed = services(secrets)

    def environ(name: str) -> dict[str, str]:
        env = variables(**composed[name]["environment"])
        env["GATEWAY_DATABASE_URL"] = env["GATEWAY_DATABASE_URL"].replace(
            "@postgres:5432/", f"@127.0.0.1:{private_postgres.port}/"
        )
        return env

    migrated = container.run(*composed["migrate"]["command"], env=environ("migrate"))
    assert (migrated.returncode, migrated.stderr) == (0, "")
    server, worker = environ("gateway"), environ("worker")
    operator = ("create-operator", "--email", "op@example.com", "--password-stdin")
    made = container.run(*operator, env=server, stdin=f"{PASSWORD}\n")
    assert made.returncode == 0, made.stderr

    async def worker_lives() -> bool:
        done = await asyncio.to_thread(container.run, *composed["worker"]["healthcheck"]["test"][2:], env=worker)
        return done.returncode == 0

    with (
        container.running(*composed["worker"]["command"], env=worker),
        container.running(*composed["gateway"]["command"], env=server),
    ):
        await ready(server["GATEWAY_PORT"])
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server['GATEWAY_PORT']}", timeout=30) as http:
            body = {"email": "ada@example.com", "password": PASSWORD, "role": "customer"}
            ada = (await http.post("/users/register", json=body)).json()
            deposit = {"account_id": ada["accounts"][0]["id"], "amount": 500, "currency": "USD"}
            people = (await log_in(http, "ada@example.com"), await enrol_and_log_in(http, "op@example.com"))
            for signed_in, status in zip(people, (403, 201), strict=True):
                headers = signed_in | {"Idempotency-Key": "deposit"}
                answer = await http.post("/deposits", headers=headers, json=deposit)
                assert answer.status_code == status, answer.text
        await until(worker_lives, START_SECONDS_MAX)


async def ready(port: str) -> None:
    async def is_so() -> bool:
        try:
            return (await http.get("/health/ready")).status_code == 200
        except httpx.TransportError:
            return False

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        await until(is_so, START_SECONDS_MAX)
