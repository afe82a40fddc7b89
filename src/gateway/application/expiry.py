"""Expiry: writes down that the time of payments is over, through the same executor as every request.

Several may work at once: a payment is ended by the first who locks it, under a key that it has once in its life.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.application.causes import cause_of
from gateway.application.commands.expire_payment import ExpirePayment
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.ports.clock import Clock
from gateway.application.ports.reader import Reader
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.shared_clock import synchronize
from gateway.application.waiting import wait_for_stop
from gateway.domain.errors import Refusal
from gateway.domain.immutable import immutable
from gateway.domain.payment import PaymentId

logger = logging.getLogger(__name__)

IDS_LOGGED_MAX: Final = 100
"""How many payments one line names. All of them are counted."""


@immutable
class ExpiryLimits:
    """How often payments are looked for whose time is over, and how many are ended at once."""

    interval_seconds: float = 1.0
    batch_size: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Expires overdue payments. No response depends on it: every read computes the status at the current time.

    Attributes:
        clock: The clock by which the executor decides.
        shared_clock: The clock that all processes share. Payments are not ended before their time by both clocks: what
            is written stays, also if the clock of this process was ahead.
    """

    executor: CommandExecutor
    reader: Reader
    clock: Clock
    shared_clock: Clock | None = None
    limits: ExpiryLimits = field(default_factory=ExpiryLimits)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; what was begun is finished."""
        while not stop.is_set():
            try:
                ended = await self.run_once()
            except StorageUnavailable as unavailable:
                logger.warning("expiry_waits", extra={"cause": cause_of(unavailable)})
                ended = 0
            if ended < self.limits.batch_size:
                await wait_for_stop(stop, self.limits.interval_seconds)

    async def run_once(self) -> int:
        """End payments whose time is over, at most a batch of them, the longest overdue first. Returns their number.

        Raises:
            StorageUnavailable: It cannot be reached. Payments that were not ended stay due.
        """
        due = await self.reader.payments_due(await self._now(), limit=self.limits.batch_size)
        # All are submitted at once and share a transaction. A failure of one does not stop the wait for the others.
        outcomes = await asyncio.gather(*(self._end(payment_id) for payment_id in due), return_exceptions=True)
        ended = [payment_id for payment_id, outcome in zip(due, outcomes, strict=True) if outcome is True]
        if ended:
            logger.info("payments_expired", extra={"count": len(ended), "payment_ids": ended[:IDS_LOGGED_MAX]})
        for outcome in outcomes:
            if isinstance(outcome, StorageUnavailable):
                raise outcome
            if isinstance(outcome, BaseException):
                logger.error("expiry_failed", exc_info=outcome)
        return len(ended)

    async def _now(self) -> datetime:
        if self.shared_clock is None:
            return self.clock()
        await synchronize(self.shared_clock)
        return min(self.clock(), self.shared_clock())

    async def _end(self, payment_id: PaymentId) -> bool:
        try:
            await self.executor.execute(ExpirePayment(payment_id=payment_id), idempotency_key=f"expire-{payment_id}")
        except Refusal as refusal:
            # Not due by the clock of the server that decided, or the executor is full: the next run tries again.
            logger.info("expiry_refused", extra={"payment_id": payment_id, "code": refusal.code})
            return False
        return True
