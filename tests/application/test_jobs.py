"""Jobs that fail by a bug are run again, beside jobs that go on, in virtual time."""

import asyncio
import logging
from itertools import pairwise

import pytest

from gateway.application.jobs import RESTART_JITTER, RESTART_SECONDS_MAX, Job, Jobs
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


class Canceled:
    """Awaits a task that somebody cancels."""

    async def run(self, stop: asyncio.Event) -> None:
        del stop
        task = asyncio.create_task(asyncio.sleep(10))
        asyncio.get_running_loop().call_later(1, task.cancel)
        await task


class Ending:
    """Ends, although it was not told to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        del stop


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
        jobs = Jobs([broken, sound], chance=lambda: 0.0)
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
        jobs = Jobs([broken], chance=lambda: 0.0)
        work = asyncio.create_task(jobs.run(stop))
        await asyncio.sleep(200)
        assert broken.began == pytest.approx([0, 62, 124, 186])
        assert jobs.failed == []
        stop.set()
        await asyncio.sleep(100)
        await work

    in_virtual_time(run)


def test_the_pauses_are_shorter_by_chance() -> None:
    async def run() -> None:
        broken, stop = Broken(), asyncio.Event()
        work = asyncio.create_task(Jobs([broken], chance=iter([0.0, 0.5, 0.999_999, 0.0]).__next__).run(stop))
        await asyncio.sleep(8)
        gaps = [later - earlier for earlier, later in pairwise(broken.began)]
        assert gaps == pytest.approx([1, 2 * (1 - RESTART_JITTER / 2), 4 * (1 - RESTART_JITTER)], rel=1e-5)
        stop.set()
        await work

    in_virtual_time(run)


@pytest.mark.parametrize("job", [Canceled(), Ending()])
def test_a_job_that_ends_by_itself_has_failed(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        stop, sound = asyncio.Event(), Sound()
        jobs = Jobs([job, sound])
        work = asyncio.create_task(jobs.run(stop))
        await asyncio.sleep(1.5)
        assert jobs.failed == [type(job).__name__]
        stop.set()
        await work
        assert sound.ended

    in_virtual_time(run)
    assert {record.message for record in caplog.records if record.levelno == logging.ERROR} == {"job_failed"}


def test_jobs_that_are_canceled_end() -> None:
    async def run() -> None:
        jobs = Jobs([Sound(), Canceled()])
        work = asyncio.create_task(jobs.run(asyncio.Event()))
        await asyncio.sleep(0.5)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert jobs.failed == []

    in_virtual_time(run)
