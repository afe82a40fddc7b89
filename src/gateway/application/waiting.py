"""Waiting, for jobs that run until they are told to stop."""

import asyncio


async def wait_for_stop(stop: asyncio.Event, seconds: float) -> None:
    """Wait until told to stop, at most `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
