"""Jobs that fail by a bug are run again, beside jobs that go on, in virtual time."""

import asyncio
import logging
from itertools import pairwise

import pytest

from gateway.application.jobs import RESTART_SECONDS_MAX, Jobs
from support.virtual_time import in_virtual_time


class Broken:
    """Fails each time, after some seconds of work."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.began: list[float] = []
        self._seconds = seconds

    async def run(self, stop: asyncio.Event) -> None:
        assert not stop.is_set()
        self.began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._seconds)
        raise ValueError("A bug.")


class Sound:
    """Works until it is told to stop."""

    def __init__(self) -> None:
        self.ended = False

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.ended = True


def test_a_job_that_fails_is_run_again_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        broken, sound, stop = Broken(), Sound(), asyncio.Event()
        jobs = Jobs([broken, sound])
        work = asyncio.create_task(jobs.run(stop))
        await asyncio.sleep(0.5)
        assert jobs.failed == ["Broken"]
        await asyncio.sleep(200)
        gaps = [later - earlier for earlier, later in pairwise(broken.began)]
        assert gaps == pytest.approx([1, 2, 4, 8, 16, 32, RESTART_SECONDS_MAX, RESTART_SECONDS_MAX])
        assert not sound.ended
        stop.set()
        await work
        assert sound.ended

    in_virtual_time(run)
    failures = [record for record in caplog.records if record.message == "job_failed"]
    assert len(failures) == 9
    assert all(record.levelno == logging.ERROR and record.exc_info for record in failures)


def test_a_run_that_lasted_makes_the_next_failure_the_first() -> None:
    async def run() -> None:
        broken, stop = Broken(RESTART_SECONDS_MAX + 1), asyncio.Event()
        jobs = Jobs([broken])
        work = asyncio.create_task(jobs.run(stop))
        await asyncio.sleep(200)
        assert broken.began == pytest.approx([0, 62, 124, 186])
        assert jobs.failed == []
        stop.set()
        await asyncio.sleep(100)
        await work

    in_virtual_time(run)
