"""Output that cannot be written: the disk behind standard output is full, or fails."""

import errno
import os
import sys
from contextlib import suppress
from typing import Final

import click

CANNOT_BE_WRITTEN: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""A pipe that nobody reads (EPIPE) is click's: exit code 1 without a sentence."""


def lost_output(error: Exception) -> click.ClickException | None:
    """What a command says of output that cannot be written; `None` for another error.

    From then on standard output takes and drops everything: Python would write at its end what is left, and fail again.
    """
    if not isinstance(error, OSError) or error.errno not in CANNOT_BE_WRITTEN:
        return None
    with suppress(OSError):  # Standard output that is no file.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    where = "the output" if error.filename is None else str(error.filename)
    return click.ClickException(f"Cannot write {where}: {error.strerror}.")
