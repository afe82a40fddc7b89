"""Arguments of the event feed, of deliveries and of endpoints that look right and are not."""

from datetime import timedelta
from functools import partial
from math import inf, nan
from typing import Any
from unittest.mock import AsyncMock

import pytest

from gateway import Caller, FieldError, InvalidInput, Money, Role, in_memory_gateway
from gateway.application.events.event_queries import EventQueries
from gateway.application.ports.events import EventFilter
from gateway.application.ports.sessions import SessionId
from gateway.contracts.records import endpoint_id, user_id

MERCHANT = Caller(user_id=user_id(2), role=Role.MERCHANT, session_id=SessionId("ses_1"))


async def ignore(_: object) -> None:
    """Do nothing with an event."""


def note(_: object) -> None:
    """Do nothing with an event, and cannot be awaited."""


class Ignoring:
    """A callback that is an object."""

    async def __call__(self, event: object) -> None:
        """Do nothing with an event."""

    async def method(self, event: object) -> None:
        """Do nothing with an event."""


@pytest.mark.parametrize("seconds", ["x", None, True, 0, -1, 1e-9, 1e9, inf, nan])
async def test_times_between_polls_are_checked(seconds: Any) -> None:
    async with in_memory_gateway() as gateway:
        with pytest.raises(InvalidInput, match="number from"):
            await anext(gateway.events.follow(poll_seconds=seconds))
        with pytest.raises(InvalidInput, match="number from"):
            async with gateway.events.on_commit(ignore, poll_seconds=seconds):
                pass


@pytest.mark.parametrize("callback", [None, 5, "x", print, note, Ignoring])
async def test_what_cannot_be_awaited_is_refused_before_the_first_event(callback: Any) -> None:
    async with in_memory_gateway() as gateway:
        with pytest.raises(InvalidInput, match="async def"):
            async with gateway.events.on_commit(callback):
                pass


@pytest.mark.parametrize("callback", [ignore, partial(ignore), Ignoring(), Ignoring().method, AsyncMock()])
async def test_all_that_is_awaited_is_accepted(callback: Any) -> None:
    async with in_memory_gateway() as gateway, gateway.events.on_commit(callback):
        pass


def test_the_text_of_a_refusal_names_the_fields() -> None:
    with pytest.raises(InvalidInput) as refused:
        Money(0, "USD")
    assert str(refused.value) == f"amount_minor: {refused.value.detail}"
    several = InvalidInput("Two are wrong.", [FieldError("a", "x", "One."), FieldError("", "x", "All.")])
    assert str(several) == "a: One. All."
    assert str(InvalidInput("Nothing is known of fields.")) == "Nothing is known of fields."


async def test_the_text_of_an_outcome_is_no_outcome() -> None:
    outcomes: Any = ["delivered"]
    async with in_memory_gateway() as gateway:
        with pytest.raises(InvalidInput, match="Outcomes"):
            await gateway.deliveries.of_endpoint(MERCHANT, endpoint_id(1), outcomes, before=None, limit=5)


async def test_an_endpoint_of_a_merchant_does_not_get_the_events_of_all() -> None:
    async with in_memory_gateway() as gateway:
        with pytest.raises(InvalidInput, match="system"):
            await gateway.webhooks.create(
                owner_id=MERCHANT.user_id, url="https://shop.example/", events=["*"], all_merchants=True
            )


async def test_events_may_be_shown_for_a_century() -> None:
    async with in_memory_gateway() as gateway:
        queries = gateway.event_queries
        longest = EventQueries(feed=queries.feed, clock=queries.clock, retention=timedelta(days=36_500))
        assert not (await longest.newest_first(MERCHANT, EventFilter(), before=None, limit=5)).events
