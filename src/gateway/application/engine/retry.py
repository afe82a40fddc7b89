"""Retries of whole units of work with tenacity: from the first read to the commit, never the commit alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, ParamSpec, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
    wait_random_exponential,
)

from gateway.application.ports.busy import RecordBusy, StorageBusy
from gateway.application.ports.unit_of_work import (
    Conflict,
    KeyTaken,
    StorageUnavailable,
    TryAgain,
)
from gateway.domain.immutable import immutable

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")

_jitter = wait_random_exponential(multiplier=0.02, max=1)


@immutable
class RetryLimits:
    """How often, and for how long, a unit of work is retried."""

    attempts_max: int = 5
    duration_seconds_max: float = 5.0


def retrying(
    run: Callable[Parameters, Awaitable[Returned]],
    limits: RetryLimits,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Callable[Parameters, Awaitable[Returned]]:
    """`run`, retried while it raises `TryAgain`, with full jitter between attempts.

    `sleep` waits a number of seconds; the simulation's waits in virtual time.

    The returned function raises `StorageUnavailable` when the limits are reached, and any other error at once. After a
    `RecordBusy` there is one more attempt, for which a storage may wait longer; after a second one, `StorageBusy`.
    """
    attempts = AsyncRetrying(
        sleep=sleep,
        retry=retry_if_exception_type(TryAgain),
        stop=_Stop(stop_after_attempt(limits.attempts_max), stop_after_delay(limits.duration_seconds_max)),
        wait=_wait_seconds,
        retry_error_callback=_give_up,
    )

    async def run_again(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        try:
            return await run(*args, **kwargs)
        except TryAgain as error:
            failures = [error]

        async def attempt() -> Returned:
            # The attempt above is tenacity's first one. It is made without tenacity, whose overhead exceeds the time to
            # decide a small batch, because nearly every unit of work commits at once.
            if failures:
                raise failures.pop()
            return await run(*args, **kwargs)

        return await attempts(attempt)

    return run_again


def _wait_seconds(state: RetryCallState) -> float:
    # The conflicting transaction has committed, so there is nothing to wait for.
    if state.outcome is not None and isinstance(state.outcome.exception(), KeyTaken | Conflict):
        return 0.0
    return _jitter(state)


class _Stop(stop_any):
    """Also when another transaction still holds a record that was waited for a second time."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        outcome = retry_state.outcome
        is_busy = outcome is not None and isinstance(outcome.exception(), RecordBusy)
        return (is_busy and retry_state.attempt_number > 1) or super().__call__(retry_state)


def _give_up(state: RetryCallState) -> NoReturn:
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, RecordBusy):
        raise StorageBusy("Another transaction holds a record that is needed.") from error
    raise StorageUnavailable("The transaction could not be committed.") from error
