"""Folders for the gateway's own files."""

from pathlib import Path

from gateway.bootstrap.refusal import StartRefused


def make_folder(folder: Path) -> None:
    """Make a folder that only this user can enter. An existing one keeps its permissions.

    Raises:
        StartRefused: It cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartRefused(f"The folder {folder} cannot be made: {error.strerror}.") from error
