"""The command line as people meet it: help at once, near names, plans before deeds, documents for programs, Ctrl-C."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
import pytest

from gateway.adapters.sql import planned
from gateway.adapters.sql.migrations import newest_revision
from gateway.entrypoints.cli import main
from gateway.settings.values import FIELDS, Settings
from support.migrations import on_connection, to_revision
from support.servers import Installation


def every_command() -> dict[tuple[str, ...], click.Command]:
    """The commands by their words, with those of groups: `("events", "tail")`."""
    found: dict[tuple[str, ...], click.Command] = {}
    for name, command in main.commands.items():
        found[name,] = command
        if isinstance(command, click.Group):
            found |= {(name, inner): each for inner, each in command.commands.items()}
    return found


COMMANDS = every_command()
FOR_WORK_ALONE = ("sqlalchemy", "alembic", "litestar", "asyncpg", "aiosqlite", "jose", "uvicorn", "httpx", "argon2")
HELP_SECONDS_MAX = 0.4
SLOWER_THAN_PYTHON_MAX = 20.0
"""Under load a start of Python takes longer than the whole of `--help` alone: both are measured."""
INTERRUPTED = 130
END_SECONDS_MAX = 30.0


def environment(folder: Path, **environ: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "GATEWAY_DATA_DIR": str(folder / "data"), **environ}


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=folder,
        env=environment(folder, **environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


HELPS = [("--help",), ("--version",), *((*command, "--help") for command in COMMANDS)]


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_and_version_load_nothing_that_only_work_needs(tmp_path: Path, arguments: Sequence[str]) -> None:
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr))\n"
        "from gateway.entrypoints.launch import launch\n"
        "launch()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    loaded = set(done.stderr.split())
    assert "click" in loaded
    assert loaded.isdisjoint(FOR_WORK_ALONE)


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("serve", "--help")], ids=" ".join)
def test_help_and_version_are_there_at_once(tmp_path: Path, arguments: Sequence[str]) -> None:
    def seconds(*command: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], env=environment(tmp_path), capture_output=True, check=True)
        return time.perf_counter() - began

    python = min(seconds("-c", "pass") for _ in range(3))
    quickest = min(seconds("-m", "gateway", *arguments) for _ in range(3))

    assert quickest <= max(HELP_SECONDS_MAX, SLOWER_THAN_PYTHON_MAX * python)


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_flag_says_its_default_and_what_it_takes(tmp_path: Path, name: tuple[str, ...]) -> None:
    said = " ".join(run(tmp_path, *name, "--help", COLUMNS="200").stdout.split())

    for option in COMMANDS[name].params:
        flag = max(option.opts, key=len)
        if getattr(option, "hidden", False) or isinstance(option, click.Argument):
            continue
        assert flag in said
        after = said.partition(f"{flag} ")[2].partition(" --")[0]
        if option.name in Settings.__struct_fields__:
            assert f"[default: {FIELDS[option.name].default_in_words.strip('`') or 'empty'}]" in after
            assert after.startswith("|".join(FIELDS[option.name].choices) or "VALUE")
        elif not getattr(option, "is_flag", False) and not option.required:
            assert "default: " in after
    assert "](" not in said


def test_a_wrong_name_of_a_command_or_a_flag_suggests_the_near_one(tmp_path: Path) -> None:
    command, flag = run(tmp_path, "verfy"), run(tmp_path, "serve", "--prot", "80")

    assert (command.returncode, flag.returncode) == (2, 2)
    assert "Error: No such command 'verfy'." in command.stderr
    assert "'verify'" in command.stderr
    assert "Error: No such option '--prot'." in flag.stderr
    assert "--port" in flag.stderr
    assert command.stdout == flag.stdout == ""


async def test_a_migration_says_from_where_to_where(tmp_path: Path, empty_url: str) -> None:
    await on_connection(empty_url, to_revision("0003"))
    newest = newest_revision()

    first = run(tmp_path, "migrate", "--database-url", empty_url)
    second = run(tmp_path, "migrate", "--database-url", empty_url)

    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout.startswith(f"Migrated, 0003 → {newest}: ")
    assert second.stdout.startswith(f"The schema is up to date ({newest}): ")


async def test_a_dry_run_says_what_would_run_and_changes_nothing(tmp_path: Path, empty_url: str) -> None:
    await on_connection(empty_url, to_revision("0003"))
    newest = newest_revision()

    done = run(tmp_path, "migrate", "--dry-run", "--database-url", empty_url)

    assert done.returncode == 0, done.stderr
    head, *steps = done.stdout.splitlines()
    assert head.startswith(f"Would be migrated, 0003 → {newest}: ")
    assert [step.split()[0] for step in steps] == [step.revision for step in (await planned(empty_url)).steps]
    assert steps[0].split()[0] == "0004"
    assert (await planned(empty_url)).before == "0003"

    run(tmp_path, "migrate", "--database-url", empty_url)
    again = run(tmp_path, "migrate", "--dry-run", "--database-url", empty_url)
    assert again.stdout.startswith(f"The schema is up to date ({newest}): ")
    assert len(again.stdout.splitlines()) == 1


async def test_a_dry_run_on_an_empty_database_makes_no_table(tmp_path: Path, empty_postgres_url: str) -> None:
    done = run(tmp_path, "migrate", "--dry-run", "--database-url", empty_postgres_url)

    assert done.stdout.startswith(f"Would be migrated, nothing → {newest_revision()}: ")
    assert "***" in done.stdout
    assert (await planned(empty_postgres_url)).before == ""


def test_a_dry_run_makes_no_file_and_no_folder(tmp_path: Path) -> None:
    done = run(tmp_path, "migrate", "--dry-run")

    assert done.stdout.startswith("Would be migrated, nothing → ")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_refuses_what_a_migration_refuses(tmp_path: Path) -> None:
    run(tmp_path, "migrate")
    with closing(sqlite3.connect(tmp_path / "data" / "gateway.sqlite3")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    done = run(tmp_path, "migrate", "--dry-run")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: The database's schema is of a newer version of the gateway. Use that version.\n"


READ = {
    "accounts",
    "status_changes",
    "transactions",
    "payments",
    "used_quotes",
    "payment_events",
    "audit_records",
    "new_audit_records",
}


def test_verify_prints_one_document_for_programs(tmp_path: Path) -> None:
    run(tmp_path, "migrate")
    sound = run(tmp_path, "verify", "--json")
    assert sound.returncode == 0
    assert json.loads(sound.stdout) == {
        "sound": True,
        "findings_count": 0,
        "findings": [],
        "audit_head": "0:" + "0" * 64,
        "read": dict.fromkeys(READ, 0),
    }
    assert sound.stderr == ""


async def test_the_document_names_the_rows_that_break_a_rule(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    async with gateway.serving() as server:
        assert (await gateway.run("demo", "--url", server.url)).exit_code == 0
        server.send(signal.SIGTERM)
    with closing(sqlite3.connect(tmp_path / "data" / "gateway.sqlite3")) as connection, connection:
        [account_id] = connection.execute("SELECT id FROM accounts WHERE kind = 'merchant'").fetchone()
        connection.execute("UPDATE accounts SET credits_posted = credits_posted + 1 WHERE id = ?", [account_id])

    done = run(tmp_path, "verify", "--json")

    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The ledger is not sound: ")
    assert (document["sound"], document["findings_count"]) == (False, len(document["findings"]))
    assert document["read"].keys() == READ
    assert all(finding.keys() == {"rule", "subject", "detail"} for finding in document["findings"])
    assert ("account_counters", account_id) in {(each["rule"], each["subject"]) for each in document["findings"]}


def test_what_cannot_be_verified_is_a_sentence_and_no_document(tmp_path: Path) -> None:
    done = run(tmp_path, "verify", "--json")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: There is no ledger in sqlite:///")
