"""Standard output on a full disk: a sentence and exit code 1, in this process."""

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import pytest

from gateway.entrypoints.cli import main
from gateway.entrypoints.lost_output import lost_output
from gateway.entrypoints.remote.listen import Lines

FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="This system has no /dev/full.")


@contextmanager
def full_output() -> Iterator[None]:
    """Standard output on a full disk. What is left is written at the end, as Python does, and must not fail again."""
    with FULL.open("w") as output, redirect_stdout(output):
        yield


@pytest.mark.parametrize(
    "command", ["trigger --list", "events types", "events types --markdown", "settings", "--help", "events tail --help"]
)
def test_output_that_cannot_be_written_is_told_in_a_sentence(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with full_output(), pytest.raises(SystemExit) as ended:
        main(command.split(), prog_name="gateway")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "Error: Cannot write the output: No space left on device.\n"


async def test_the_listener_ends_when_it_cannot_print() -> None:
    stop = asyncio.Event()
    lines = Lines(stop)
    with full_output():
        lines.tell("payment.captured")
        assert lines.lost is not None
        assert lost_output(lines.lost) is not None
    assert stop.is_set()


def test_other_errors_are_bugs() -> None:
    assert lost_output(OSError(errno.EPIPE, "Broken pipe")) is None
    assert lost_output(ValueError("No space left on device")) is None


def test_another_file_that_is_full_is_named() -> None:
    with full_output():
        told = lost_output(OSError(errno.ENOSPC, "No space left on device", "/data/x"))
    assert told is not None
    assert told.message == "Cannot write /data/x: No space left on device."
