"""What a program loads: the adapters that it uses, and no others."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from gateway.entrypoints.launch import SERVER_MODULES

ROOT = Path(__file__).parents[2]
IMPORT_SECONDS_MAX = 0.2
"""Processor time of `import gateway`. It takes some 10 ms."""
HELP_SECONDS_MAX = 0.4
"""Processor time of `gateway --help`, the start of Python included. It takes some 120 ms."""
RUNS = 3

SERVER = {*SERVER_MODULES, "httptools"}
SQL = {"aiosqlite", "alembic", "asyncpg", "sqlalchemy"}
SECRETS = {"argon2", "cryptography", "jose"}

PAY = """
import asyncio
from gateway import MakeDeposit, Money, Pay, PaymentOrder, {opener}

async def main():
    async with {opened} as gateway:
        ada = await gateway.accounts.open_customer("ada", "EUR")
        shop = await gateway.accounts.open_merchant("shop", "EUR")
        await gateway.execute(MakeDeposit(account_id=ada.id, amount=Money(500, "EUR"), owner_id=None))
        order = PaymentOrder(customer_id=ada.owner_id, merchant_id=shop.owner_id, amount=Money(10, "EUR"))
        await gateway.execute(Pay(order=order))

asyncio.run(main())
"""


def loaded_by(program: str, folder: Path) -> set[str]:
    """The top-level packages that a program has loaded at its end."""
    show = "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", program + show]
    return set(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_gateway_loads_nothing_of_others_and_takes_no_time(tmp_path: Path) -> None:
    program = "import time; began = time.process_time(); import gateway; seconds = time.process_time() - began"
    program += f"; assert seconds < {IMPORT_SECONDS_MAX}, seconds"
    assert loaded_by(program, tmp_path) & {"msgspec", "uuid_utils", *SERVER, *SQL, *SECRETS} == set()


@pytest.mark.parametrize(
    ("opener", "opened", "not_loaded"),
    [
        ("in_memory_gateway", "in_memory_gateway()", SERVER | SQL | SECRETS),
        ("in_memory_gateway", "in_memory_gateway(worker=True)", SERVER | SQL | SECRETS),
        ("open_gateway", "open_gateway('shop.db')", SERVER | SECRETS),
    ],
)
def test_a_payment_loads_the_adapters_that_it_needs(
    tmp_path: Path, opener: str, opened: str, not_loaded: set[str]
) -> None:
    assert loaded_by(PAY.format(opener=opener, opened=opened), tmp_path) & not_loaded == set()


def test_the_extra_of_the_server_is_what_the_command_may_lack() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {Requirement(each).name for each in project["optional-dependencies"]["server"]}
    modules = {"markdown-it-py": "markdown_it"}
    assert {modules.get(name, name.replace("-", "_")) for name in names} == SERVER_MODULES


def test_the_command_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['click'] = None; from gateway.entrypoints.launch import launch; launch()"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "The command needs click, which is not installed. Run: pip install 'gateway[server]'\n"


def processor_seconds_of(*arguments: str) -> float:
    """The processor time of the command `gateway`, which is to succeed."""
    command = [sys.executable, "-B", "-m", "gateway", *arguments]
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    _, status, used = os.wait4(os.posix_spawn(sys.executable, command, os.environ, file_actions=silent), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("arguments", [("--help",), ("serve", "--help")], ids=" ".join)
def test_help_is_there_at_once(arguments: tuple[str, ...]) -> None:
    # The best of some runs: what else the machine does may slow a processor down, and never speeds it up.
    assert min(processor_seconds_of(*arguments) for _ in range(RUNS)) <= HELP_SECONDS_MAX
