"""A worker's sign of life, for nobody can ask it over the network: a file that it touches while its event loop runs."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gateway.settings.values import Settings

logger = logging.getLogger(__name__)

BEAT_SECONDS: Final = 5.0
SILENT_SECONDS_MAX: Final = 30.0
"""After so long without a beat, a worker is taken for dead."""


def heartbeat_file(settings: Settings) -> Path:
    """Where the workers of this host leave it. Containers that share a volume have host names of their own."""
    return Path(settings.data_dir, f"worker-{socket.gethostname()}.heartbeat")


def silent_seconds(file: Path) -> float | None:
    """How long ago the last beat was; `None` if there is none."""
    try:
        return max(0.0, time.time() - file.stat().st_mtime)
    except OSError:
        return None


@asynccontextmanager
async def beating(file: Path) -> AsyncGenerator[None]:
    """Touch the file now and every few seconds, and remove it at the end.

    A file that cannot be written is logged and stops nobody: a worker on Postgres needs no data folder.
    """
    task = asyncio.create_task(_beat(file), name="heartbeat")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(file.unlink, missing_ok=True)


async def _beat(file: Path) -> None:
    try:
        await asyncio.to_thread(file.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        while True:
            await asyncio.to_thread(file.touch, mode=0o600)
            await asyncio.sleep(BEAT_SECONDS)
    except OSError as error:
        logger.warning("heartbeat_unwritable", extra={"path": str(file), "reason": error.strerror})
