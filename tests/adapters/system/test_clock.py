"""The clock of the machine, also where a test has changed the time."""

from datetime import UTC, datetime, tzinfo

import pytest

from gateway import in_memory_gateway
from gateway.adapters.system import clock
from gateway.testing import Factory, assert_sound

THEN = datetime(2031, 5, 6, 7, 8, 9, 123_456, tzinfo=UTC)


class FrozenDatetime(datetime):
    """What freezegun puts in place of the class: a class of its own, of which everything is that it makes."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "FrozenDatetime":
        return cls(2031, 5, 6, 7, 8, 9, 123_456, tzinfo=tz)


def test_the_time_is_that_of_the_machine() -> None:
    before = datetime.now(UTC)
    assert before <= clock.system_clock() <= datetime.now(UTC)


async def test_a_time_that_a_test_has_frozen_is_a_plain_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "datetime", FrozenDatetime)
    assert clock.system_clock() == THEN
    assert type(clock.system_clock()) is datetime
    async with in_memory_gateway() as gateway:
        assert (await Factory(gateway).held_payment()).created_at == THEN
        await assert_sound(gateway)
