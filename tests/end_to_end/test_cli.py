"""The command line: one sentence for what was expected to fail, and an exit code."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from gateway.adapters.sql.migrations import newest_revision
from gateway.entrypoints.cli import main
from gateway.settings.markdown import settings_markdown
from gateway.settings.values import Settings
from support.processes import started
from support.servers import free_port

NEWEST = newest_revision()
TYPED = "correct horse battery staple\n"
START_SECONDS_MAX = 60.0
WHAT_CUSTOMERS_AND_MERCHANTS_DO = (
    "payment of 10.50 USD, captured (the same answer again)",
    "insufficient_funds",
    "payment of 30.00 USD, authorized",
    "payment of 30.00 USD, partially_captured 12.00 USD",
    "payment of 30.00 USD, captured 20.00 USD",
    "payment of 5.00 USD, canceled",
    "payment_state_invalid",
    "payment of 15.00 USD, requires_confirmation",
    "refund of 11.00 USD",
    "batch: 201, 402",
    "batch_aborted: item 1, insufficient_funds",
    "payout of 20.00 USD",
)
WHAT_OPERATORS_DO = (
    "fee schedule",
    "reversal of 7.00 USD",
    "already_reversed",
    "account_frozen",
    "every minor unit is where it belongs",
)


class Gateway:
    """The command, with a data folder of its own and nothing of the machine's environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": os.environ["PATH"], "GATEWAY_DATA_DIR": str(folder / "data")}

    @property
    def database(self) -> Path:
        return self.folder / "data" / "gateway.sqlite3"

    def run(self, *arguments: str, stdin: str | bytes = "", **environ: str) -> Result:
        """The command in this process: starting a new one for every sentence would take ten times as long."""
        nothing_else = {name: None for name in os.environ if name.startswith("GATEWAY_")}
        return CliRunner().invoke(
            main, arguments, input=stdin, env=nothing_else | self.environ | environ, catch_exceptions=False
        )

    @contextmanager
    def serving(self, *arguments: str, **environ: str) -> Iterator["Server"]:
        port = free_port()
        command = [sys.executable, "-m", "gateway", "serve", "--port", str(port), *arguments]
        with started(command, cwd=self.folder, env=self.environ | environ) as process:
            server = Server(process, f"http://127.0.0.1:{port}")
            server.wait_until_ready()
            yield server


class Server:
    """A running `gateway serve`."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.url = url

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health/ready").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        self.process.kill()
        raise AssertionError(self.process.communicate())

    def stop(self) -> tuple[str, str]:
        """SIGTERM, and what was printed and logged until the end."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=60)


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def test_python_runs_the_package_as_the_command(gateway: Gateway) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "gateway", "--version"],
        env=gateway.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.startswith("gateway 0.")
    assert done.stderr == ""


def test_the_commands_are_listed(gateway: Gateway) -> None:
    done = gateway.run("--help")

    for command in ("create-operator", "demo", "migrate", "serve", "settings", "verify"):
        assert f"\n  {command} " in done.stdout


def test_a_wrong_setting_is_one_sentence_and_exit_code_2(gateway: Gateway) -> None:
    done = gateway.run("verify", GATEWAY_PORT="80a")

    assert done.stderr == "Error: GATEWAY_PORT cannot be '80a'. It takes a whole number from 1 to 65535.\n"
    assert done.exit_code == 2


def test_a_database_that_is_away_is_one_sentence_and_exit_code_1(gateway: Gateway) -> None:
    done = gateway.run("migrate", "--database-url", "postgresql://gateway:hunter2@127.0.0.1:9/gateway")

    assert done.stderr.startswith("Error: The database cannot be reached. (")
    assert "127.0.0.1" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr + done.stdout
    assert done.exit_code == 1


def test_a_folder_that_cannot_be_made_is_one_sentence(gateway: Gateway) -> None:
    gateway.database.parent.touch()  # A file, where the data folder should be.

    done = gateway.run("migrate")

    assert done.stderr == f"Error: The folder {gateway.database.parent} cannot be made: File exists.\n"
    assert done.exit_code == 1


def test_settings_tell_where_they_come_from_and_no_secrets(gateway: Gateway) -> None:
    secret = {"GATEWAY_TOKEN_SECRET": "hunter2"}
    done = gateway.run(
        "settings",
        "--port",
        "8001",
        GATEWAY_DATABASE_URL="postgresql://gateway:hunter2@db/gateway",
        **secret,
    )

    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["GATEWAY_PORT", "8001", "flag"] in rows
    assert ["GATEWAY_DATABASE_URL", "postgresql://gateway:***@db/gateway", "environment"] in rows
    assert ["GATEWAY_TOKEN_SECRET", "(hidden)", "environment"] in rows
    assert ["GATEWAY_WORKERS", "1", "default"] in rows
    assert "hunter2" not in done.stdout


@pytest.mark.parametrize("command", ["serve", "worker", "health", "migrate", "create-operator", "verify", "settings"])
def test_every_setting_that_a_command_reads_is_a_flag_and_secrets_are_none(command: str) -> None:
    flags = {option for parameter in main.commands[command].params for option in parameter.opts}

    for field in Settings.__struct_fields__:
        secret = field in {"token_secret", "token_private_key"}
        assert (f"--{field.replace('_', '-')}" in flags) is not secret


def test_the_data_folder_is_a_flag_of_every_command_that_opens_the_database(gateway: Gateway) -> None:
    folder = str(gateway.folder / "elsewhere")
    operator = ("--email", "op@example.com", "--password-stdin")

    assert gateway.run("migrate", "--data-dir", folder).exit_code == 0
    assert gateway.run("create-operator", *operator, "--data-dir", folder, stdin=TYPED).exit_code == 0
    assert gateway.run("verify", "--data-dir", folder).stdout.startswith("The ledger is sound")
    assert not gateway.database.exists()
    assert (gateway.folder / "elsewhere" / "gateway.sqlite3").exists()


def test_the_page_of_settings_is_printed(gateway: Gateway) -> None:
    assert gateway.run("settings", "--markdown").stdout == settings_markdown()


def test_migrating_twice_is_migrating_once(gateway: Gateway) -> None:
    first, second = gateway.run("migrate"), gateway.run("migrate")

    assert first.stdout == f"Migrated, nothing → {NEWEST}: sqlite:///{gateway.database}\n"
    assert second.stdout == f"The schema is up to date ({NEWEST}): sqlite:///{gateway.database}\n"
    assert first.exit_code == second.exit_code == 0


def test_an_empty_ledger_is_sound(gateway: Gateway) -> None:
    gateway.run("migrate")

    assert gateway.run("verify").stdout == (
        "The ledger is sound: 0 accounts, 0 status changes, 0 transactions, 0 payments, 0 used quotes, "
        "0 payment events, 0 audit records, 0 new audit records read.\n"
        f"The audit log ends at 0:{'0' * 64}\n"
    )


def test_operators_are_made_here(gateway: Gateway) -> None:
    made = gateway.run("create-operator", "--email", "Op@Example.com", "--password-stdin", stdin=TYPED)
    again = gateway.run("create-operator", "--email", "op@example.com", "--password-stdin", stdin=TYPED)

    assert made.stdout.startswith("The operator usr_")
    assert made.exit_code == 0
    assert again.stderr == "Error: Somebody has registered with this e-mail address already.\n"
    assert again.exit_code == 1


def test_an_operator_has_one_address_in_all_its_forms(gateway: Gateway) -> None:
    made = gateway.run("create-operator", "--email", "op@b\u00fccher.example", "--password-stdin", stdin=TYPED)
    again = gateway.run("create-operator", "--email", "op@xn--bcher-kva.example", "--password-stdin", stdin=TYPED)
    refused = gateway.run("create-operator", "--email", "<op@example.com>", "--password-stdin", stdin=TYPED)

    assert made.exit_code == 0
    assert (again.stderr, again.exit_code) == ("Error: Somebody has registered with this e-mail address already.\n", 1)
    assert (refused.stderr, refused.exit_code) == ("Error: email: This is not an e-mail address.\n", 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"\ufeff{TYPED}".encode(), "it begins with a byte-order mark"),
        (TYPED.encode("utf-16"), "it is UTF-16"),
        (TYPED.encode("utf-16-be"), "it has NUL characters"),
        (f"né {TYPED}".encode("latin-1"), "it is not UTF-8"),
    ],
)
def test_a_password_that_nobody_could_type_makes_no_operator(gateway: Gateway, content: bytes, reason: str) -> None:
    done = gateway.run("create-operator", "--email", "op@example.com", "--password-stdin", stdin=content)

    assert done.stderr.startswith(f"Error: The password cannot be read: {reason}")
    assert len(done.stderr.splitlines()) == 1
    assert "battery" not in done.stderr
    assert done.exit_code == 1
    assert not gateway.database.exists()


def test_an_operator_needs_a_password_that_is_none_of_the_common_ones(gateway: Gateway) -> None:
    done = gateway.run("create-operator", "--email", "op@example.com", "--password-stdin", stdin="password123\n")

    assert done.stderr == "Error: password: Everybody tries this password first. Choose another.\n"
    assert done.exit_code == 1


def assert_webhooks_arrived(said: str) -> None:
    """The demo's own receiver has got the events of the shop, all of them with the right signature."""
    arrived = said.partition("What arrived at the shop's webhook")[2].partition("What became of the payments")[0]
    rows = [row.replace("│", " ").split() for row in arrived.splitlines() if row.startswith("│")]
    kinds = {row[0] for row in rows}
    assert kinds >= {"payment.captured", "payment.partially_captured", "refund.succeeded", "payout.succeeded"}
    assert {row[-1] for row in rows} == {"verified"}


def test_the_demo_shows_the_whole_life_of_payments_without_anything_around_it(gateway: Gateway) -> None:
    done = gateway.run("demo")

    assert done.exit_code == 0, done.stderr
    for shown in WHAT_CUSTOMERS_AND_MERCHANTS_DO + WHAT_OPERATORS_DO:
        assert shown in done.stdout
    assert "Ada has 151.00 USD left.\n" in done.stdout
    assert "were left out" not in done.stdout
    assert_webhooks_arrived(done.stdout)
    assert list(gateway.folder.iterdir()) == []


def test_the_demo_says_when_nobody_answers(gateway: Gateway) -> None:
    done = gateway.run("demo", "--url", "http://127.0.0.1:9")

    assert done.stderr.startswith("Error: http://127.0.0.1:9 does not answer: ")
    assert done.exit_code == 1


def test_sqlite_is_served_by_one_worker_only(gateway: Gateway) -> None:
    done = gateway.run("serve", "--workers", "2")

    assert done.stderr == (
        "Error: Several workers need Postgres: its row locks arbitrate between them. Set --workers 1.\n"
    )
    assert done.exit_code == 1


def test_production_refuses_to_serve_without_a_key(gateway: Gateway) -> None:
    done = gateway.run("serve", "--environment", "production", "--port", str(free_port()))

    assert done.stderr.startswith("Error: Production needs a signing key of its own.")
    assert done.exit_code == 1


def test_a_sandbox_serves_shows_itself_is_verified_and_ends_when_told(gateway: Gateway) -> None:
    with gateway.serving() as server:
        demo = gateway.run("demo", "--url", server.url)
        said, logged = server.stop()

    assert demo.exit_code == 0, demo.stderr
    for shown in WHAT_CUSTOMERS_AND_MERCHANTS_DO:
        assert shown in demo.stdout
    assert_webhooks_arrived(demo.stdout)
    assert "Ada has 156.00 USD left.\nFees, reversals and freezing were left out" in demo.stdout
    assert f"{server.url}/docs" in said
    assert f"curl {server.url}/users/register" in said
    assert server.process.returncode == 0
    # JSON, since nobody's terminal is at the other end; and not a word about who registered.
    assert [line for line in logged.splitlines() if not isinstance(json.loads(line), dict)] == []
    assert "example.com" not in logged

    sound = gateway.run("verify")
    assert sound.stdout.startswith("The ledger is sound: 5 accounts, ")
    assert sound.exit_code == 0


def test_verify_names_the_row_that_was_tampered_with(gateway: Gateway) -> None:
    with gateway.serving() as server:
        gateway.run("demo", "--url", server.url)
        server.stop()
    with closing(sqlite3.connect(gateway.database)) as connection:
        [account_id] = connection.execute("SELECT id FROM accounts WHERE kind = 'merchant'").fetchone()
        connection.execute("UPDATE accounts SET credits_posted = credits_posted + 1 WHERE id = ?", [account_id])
        connection.commit()

    done = gateway.run("verify")

    assert done.stderr.startswith("Error: The ledger is not sound: 2 findings; ")
    assert done.exit_code == 1
    [row] = [line for line in done.stdout.splitlines() if line.startswith("account_counters")]
    assert account_id in row


def test_a_port_that_is_taken_is_one_sentence(gateway: Gateway) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = gateway.run("serve", "--port", str(port))

    assert done.stderr == f"Error: 127.0.0.1:{port} cannot be listened on: Address already in use.\n"
    assert done.exit_code == 1
