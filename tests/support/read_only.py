"""Folders that are truly read-only, for root too, and processes that are not root."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
MOUNT = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
SECONDS_MAX = 60


@contextmanager
def open_folder() -> Generator[Path]:
    """A folder that everybody can look into, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def mounted_read_only(folder: Path) -> tuple[str, ...]:
    """What to write before a command that is not to change a folder, whoever runs it."""
    if os.geteuid() == 0:
        return ("unshare", "--mount", "sh", "-c", MOUNT, str(folder))
    for each in (*folder.iterdir(), folder):
        each.chmod(0o555 if each.is_dir() else 0o444)
    return ()


def as_somebody() -> tuple[str, ...]:
    """What to write before a command that is not to run as root."""
    if os.geteuid() == 0:
        return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    return ()


def command(*arguments: str, before: Sequence[str] = ()) -> list[str]:
    """The command `gateway`, which writes no bytecode."""
    return [*before, sys.executable, "-B", "-W", "error", "-m", "gateway", *arguments]


def run(*arguments: str, before: Sequence[str] = (), **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the command `gateway` to its end, with nothing of the machine's environment."""
    return subprocess.run(
        command(*arguments, before=before),
        env={"PATH": os.environ["PATH"], **environ},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
