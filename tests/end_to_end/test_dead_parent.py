"""SIGKILL of the process that started the workers: they notice, and end."""

import signal
from pathlib import Path

import httpx

from support.servers import Installation, until

NOTICED_SECONDS_MAX = 20.0


async def test_workers_whose_parent_was_killed_give_the_port_back(postgres_url: str, tmp_path: Path) -> None:
    gateway = Installation(tmp_path, postgres_url)
    async with gateway.serving("--workers", "2") as server:
        server.send(signal.SIGKILL)  # To the parent alone.
        assert await server.ended() == -signal.SIGKILL

        async def is_free() -> bool:
            try:
                async with httpx.AsyncClient() as stranger:
                    await stranger.get(f"{server.url}/health/live")
            except httpx.ConnectError:
                return True
            except httpx.TransportError:
                return False
            return False

        await until(is_free, NOTICED_SECONDS_MAX)
