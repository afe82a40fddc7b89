"""Ctrl-C ends every command quietly, at any moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.adapters.sql import migrate
from gateway.entrypoints.cli import main
from gateway.settings.reader import read_settings
from support.processes import started
from support.servers import Installation, free_port

INTERRUPTED = 130
END_SECONDS_MAX = 60.0

BEGUN = "begun\n"
PROGRAM = """
import signal
import sys
import time
import weakref


class Anything:
    pass


class Finalized:
    def __init__(self, act):
        self.act = act

    def __del__(self):
        self.act()


def in_a_finalizer(act):
    Finalized(act)


def in_a_callback_of_a_weak_reference(act):
    anything = Anything()
    reference = weakref.ref(anything, lambda _: act())
    del anything


def in_a_class_that_is_made(act):
    class Named:
        def __set_name__(self, owner, name):
            act()

    class Owner:
        named = Named()


def interrupt():
    signal.raise_signal(signal.SIGINT)


def wait_for_ever():
    while True:
        time.sleep(60)


class When:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            {act}


sys.meta_path.insert(0, When)
signal.signal(signal.SIGINT, signal.default_int_handler)
from gateway.entrypoints.launch import launch
launch()
"""
"""The command, which does something when it begins to import a module.

A shell that runs the tests in its background ignores Ctrl-C for all that they start; the command begins as at a
terminal.
"""


def program(act: str, *, module: str) -> tuple[str, ...]:
    return (sys.executable, "-c", PROGRAM.format(act=act, module=module))


@contextmanager
def begun(gateway: Installation, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """The command, as soon as it begins: before, Python itself takes its time, and nobody can be quiet."""
    begins = program(f"print({BEGUN!r}, end='', flush=True)", module="gateway.entrypoints.cli")
    with started([*begins, *arguments], cwd=gateway.folder, env=gateway.environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == BEGUN
        yield process


@pytest.mark.parametrize("command", ["migrate", "serve", "worker", "demo", "simulate", "verify"])
@pytest.mark.parametrize("seconds", [0.02, 0.15, 0.4, 0.9])
async def test_ctrl_c_is_quiet_at_any_moment(tmp_path: Path, command: str, seconds: float) -> None:
    gateway = Installation(tmp_path)
    if command in {"worker", "verify"}:
        await migrate(read_settings(gateway.environment).url)
    port = ("--port", str(free_port())) if command == "serve" else ()
    with begun(gateway, command, *port) as process:
        time.sleep(seconds)  # noqa: ASYNC251 - nothing else runs here.
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=END_SECONDS_MAX)

    # JSON lines are the log, in which a server says that it ends.
    assert [line for line in complained.splitlines() if not line.startswith("{")] == []
    # Zero when it had done its work, and as a signal when Python was about to leave with that.
    assert process.returncode in {0, INTERRUPTED, -signal.SIGINT}


@pytest.mark.parametrize("where", ["in_a_finalizer", "in_a_callback_of_a_weak_reference"])
async def test_ctrl_c_that_python_ignores_ends_the_command_quietly(tmp_path: Path, where: str) -> None:
    gateway = Installation(tmp_path)
    await migrate(read_settings(gateway.environment).url)
    # What comes again is ignored again, twice.
    ignored = program(
        f"{where}(interrupt); {where}(wait_for_ever); {where}(wait_for_ever)", module="gateway.entrypoints.worker"
    )
    with started([*ignored, "worker"], cwd=tmp_path, env=gateway.environment) as process:
        said, complained = process.communicate(timeout=END_SECONDS_MAX)

    assert (process.returncode, said, complained) == (INTERRUPTED, "", "")


@pytest.mark.parametrize("module", ["gateway.entrypoints.commands", "gateway.entrypoints.worker"])
def test_ctrl_c_while_a_class_is_made_is_quiet(tmp_path: Path, module: str) -> None:
    making = program("in_a_class_that_is_made(interrupt)", module=module)
    with started([*making, "worker"], cwd=tmp_path, env=Installation(tmp_path).environment) as process:
        said, complained = process.communicate(timeout=END_SECONDS_MAX)

    assert (process.returncode, said, complained) == (INTERRUPTED, "", "")


def test_ctrl_c_while_the_arguments_are_read_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("click.Group.parse_args", interrupted)

    with pytest.raises(SystemExit) as ended:
        main(["worker"], prog_name="gateway")

    assert ended.value.code == INTERRUPTED
    assert capsys.readouterr().err == ""


def test_other_exceptions_that_python_ignores_are_reported(tmp_path: Path) -> None:
    broken = program("in_a_finalizer(lambda: 1 / 0)", module="gateway.entrypoints.cli")
    with started([*broken, "--version"], cwd=tmp_path, env=Installation(tmp_path).environment) as process:
        said, complained = process.communicate(timeout=END_SECONDS_MAX)

    assert (process.returncode, said.split()[0]) == (0, "gateway")
    assert complained.startswith("Exception ignored ")
    assert "ZeroDivisionError" in complained


@pytest.mark.parametrize("seconds", [0.5, 0.6, 0.7, 0.8, 1.0, 1.5])
def test_ctrl_c_is_quiet_while_workers_start(tmp_path: Path, postgres_url: str, seconds: float) -> None:
    workers = ("--workers", "2", "--port", str(free_port()))
    with begun(Installation(tmp_path, postgres_url), "serve", *workers) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)  # A terminal sends it to all processes of the command.
        _, complained = process.communicate(timeout=END_SECONDS_MAX)

    assert [line for line in complained.splitlines() if not line.startswith("{")] == []
    assert process.returncode in {0, INTERRUPTED}


def test_ctrl_c_at_a_prompt_ends_with_the_same_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("click.termui.hidden_prompt_func", interrupted)
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path))

    with pytest.raises(SystemExit) as ended:
        main(["create-operator", "--email", "op@example.com"], prog_name="gateway")

    assert ended.value.code == INTERRUPTED
    assert "Aborted" not in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
