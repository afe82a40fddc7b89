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


CONFINED = (
    'mount --bind "$0" "$0" && mount --bind /tmp /tmp && mount -o remount,bind,ro / && '
    '! touch / 2>/dev/null && cd "$0" && exec "$@"'
)
"""The second argument of `sh`: as a container with a read-only file system runs, in a folder that may be written."""


def confined_to(folder: Path) -> tuple[str, ...]:
    """What to write before a command that may write to this folder and to /tmp only, and has no capability.

    Without the right to mount, whoever runs the command is not root, and may not write to the folders of the system.
    """
    in_folder = ("sh", "-c", CONFINED, str(folder))
    is_root = os.geteuid() == 0
    own: tuple[str, ...] = ("unshare", "--mount", *in_folder)
    powerless: tuple[str, ...] = ()
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
        powerless = ("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", *as_somebody()[1:])
    else:
        own = ("unshare", "--user", "--map-root-user", "--mount", *in_folder)
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode != 0:
        own = ("env", "--chdir", str(folder))
    return (*own, *powerless)
