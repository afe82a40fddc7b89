"""Files with keys and secrets: nobody else may read or write them."""

import logging
import os
import shlex
import stat
from pathlib import Path

from gateway.adapters.jose.keys import KeyRefused, is_open_to_others

logger = logging.getLogger(__name__)


def read_private(path: Path, variable: str) -> bytes:
    """Read a file that only the user of this process may write, and only its groups besides may read.

    On a read-only mount everybody may read it: Docker and Kubernetes mount secrets like this, with a mode that the
    container cannot change, where only its own processes are. What is no regular file, such as a pipe, has no mode that
    counts.

    Args:
        path: The file.
        variable: The name of the setting that names it.

    Raises:
        KeyRefused: Others may read or write it.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        found = os.fstat(file.fileno())  # Of the file that is read, whatever its name means by now.
        if os.name == "posix" and stat.S_ISREG(found.st_mode):
            _check(found, path, variable, is_fixed=bool(os.fstatvfs(file.fileno()).f_flag & os.ST_RDONLY))
        return file.read()


def _check(found: os.stat_result, path: Path, variable: str, *, is_fixed: bool) -> None:
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _refusal(found, path, variable, "write")
    if is_fixed:
        return
    if is_open_to_others(found.st_mode, found.st_gid, {os.getegid(), *os.getgroups()}):
        raise _refusal(found, path, variable, "read")
    if found.st_mode & stat.S_IRWXG:
        logger.warning("signing_key_open_to_its_group", extra={"path": str(path), "group": found.st_gid})


def _refusal(found: os.stat_result, path: Path, variable: str, deed: str) -> KeyRefused:
    name = shlex.quote(str(path))
    own = "" if found.st_uid == os.geteuid() else f"chown {os.geteuid()} {name} && "
    return KeyRefused(
        f"{variable}: the file has mode {stat.S_IMODE(found.st_mode):04o}, so that others may {deed} it. Production "
        f"needs a private file: `{own}chmod 600 {name}`. If others have read it, make another key."
    )
