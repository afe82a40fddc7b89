"""A turn of one endpoint: the worker that holds its lease sends what is due, and records what came of it."""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime
from typing import Final

from gateway.application.causes import cause_of
from gateway.application.events.cancellation import cancel_waiting
from gateway.application.events.delivery_schedule import ended, recording_of, waiting
from gateway.application.events.delivery_window import DeliveryWindow, Postponed, limit_of_load
from gateway.application.events.receiver import SENDER_FAILED, Receiver
from gateway.application.events.turn_tools import TurnTools
from gateway.application.ports.deliveries import DUE_PER_LOAD_MAX
from gateway.application.ports.delivery_records import DeliveryId, DeliveryOutcome, DueDelivery, Lease
from gateway.application.ports.events import FeedEvent
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.ports.webhook_sender import WebhookMessage, WebhookNotSent, WebhookResponse
from gateway.application.views.events import event_view_json
from gateway.domain.errors import Refusal
from gateway.domain.webhook_endpoint import DisabledReason, WebhookEndpoint

logger = logging.getLogger(__name__)

ENDPOINT_SECONDS_MAX: Final = 1.0
"""How long requests are made with the endpoint as it was read. A change by its owner takes effect within this time."""


class EndpointTurn:
    """Delivers to one endpoint until nothing is due, the receiver wants a pause, or the turn is ended.

    Requests are in flight while the next deliveries are loaded and while results are recorded. No transaction is open
    meanwhile.
    """

    def __init__(self, lease: Lease, until: datetime, tools: TurnTools) -> None:
        """A turn that has not begun.

        Args:
            lease: The lease.
            until: When it ends, unless it is renewed.
            tools: What the turns share.
        """
        self.endpoint_id = lease.endpoint_id
        self.lease_until = until
        self.began = asyncio.get_running_loop().time()
        self._tools = tools
        self._receiver = Receiver(lease, tools.limits)
        self._recorded_state = self._receiver.state
        self._window = DeliveryWindow(tools.limits.order_seconds)
        self._endpoint: WebhookEndpoint | None = None
        self._failed: WebhookEndpoint | None = None
        """The endpoint as it was for the request that says why it must be disabled."""
        self._endpoint_until = 0.0
        """Until when requests may be made with the endpoint as it was read, in the time of the event loop."""
        self._is_abandoned = False
        self._is_ending = False
        self._in_flight: dict[asyncio.Task[None], float] = {}
        """The requests, the oldest first, and when they began."""
        self._loading: asyncio.Task[object] | None = None
        self._news = 1
        self._news_loaded = 0
        self._woken = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        return len(self._in_flight)

    @property
    def is_slow(self) -> bool:
        """Whether the endpoint fails, or its oldest request has taken long."""
        oldest = next(iter(self._in_flight.values()), None)
        age = 0.0 if oldest is None else asyncio.get_running_loop().time() - oldest
        return self._receiver.is_slow or age > self._tools.limits.slow_seconds

    def look_again(self) -> None:
        """There may be new deliveries."""
        self._news += 1
        self._woken.set()

    def end(self) -> None:
        """Send nothing further."""
        self._is_ending = True
        self._woken.set()

    def abort(self) -> None:
        """Cancel all requests. Their deliveries are still due."""
        self.end()
        for request in self._in_flight:
            request.cancel()

    async def run(self) -> datetime | None:
        """Deliver, and give the lease back.

        Returns:
            When the endpoint may be leased again; `None` if no delivery waits.
        """
        try:
            await self._deliver()
        except BaseException:
            self.abort()
            if self._loading is not None:
                self._loading.cancel()
            raise
        # Without the lease, another worker may know that the endpoint receives again.
        reason, failed = self._receiver.disable_reason, self._failed
        if reason is not None and failed is not None and self._tools.clock() < self.lease_until:
            await self._disable(reason, failed.updated_at)
        if self._is_abandoned:
            await self._cancel_waiting()
        self._record_state()
        return await self._tools.recorder.release(self.endpoint_id)

    async def _deliver(self) -> None:
        while True:
            self._woken.clear()
            if self._may_go_on():
                self._load_if_needed()
                self._start_requests()
            else:
                self._window.abandon()
            if self._loading is None and not self._window.held:
                return
            await self._woken.wait()
            if self._loading is not None and self._loading.done():
                loaded, self._loading = self._loading, None
                loaded.result()

    def _may_go_on(self) -> bool:
        now = self._tools.clock()
        return not (self._is_ending or self._is_abandoned) and now < self.lease_until and self._receiver.wants_more(now)

    def _load_if_needed(self) -> None:
        if self._loading is not None:
            return
        size = self._tools.limits.window_size
        few = min(size // 2, 2 * self._receiver.sends_max)
        has_room = self._window.ready < few and len(self._window.held) < 2 * size
        if self._news_loaded != self._news and has_room:
            self._begin_loading(self._load())
        elif self._window.ready and self._is_endpoint_old:
            self._begin_loading(self._load_endpoint())

    def _begin_loading(self, load: Coroutine[object, object, object]) -> None:
        self._loading = asyncio.create_task(load, name=f"webhook-load-{self.endpoint_id}")
        self._loading.add_done_callback(lambda _: self._woken.set())

    async def _load(self) -> None:
        tools, news = self._tools, self._news
        ignored = frozenset(self._window.held)
        limit = limit_of_load(self._window, tools.limits.window_size, DUE_PER_LOAD_MAX)
        now = tools.clock()
        if not await self._load_endpoint():
            return
        try:
            due = await tools.queues.due(self.endpoint_id, now=now, limit=limit)
        except StorageUnavailable as unavailable:
            self._end_for_now(unavailable)
            return
        if len(due) < limit:
            self._news_loaded = news
        self._postpone(self._window.load(due, ignored=ignored, now=now))

    async def _load_endpoint(self) -> bool:
        """Read the endpoint. Returns whether it gets events."""
        try:
            endpoint = await self._tools.endpoints.endpoint(self.endpoint_id)
        except StorageUnavailable as unavailable:
            self._end_for_now(unavailable)
            return False
        if endpoint is None or not endpoint.enabled:
            self._is_abandoned = True
            return False
        self._endpoint = endpoint
        self._endpoint_until = asyncio.get_running_loop().time() + ENDPOINT_SECONDS_MAX
        self._receiver.endpoint_was_changed(endpoint.updated_at)
        return True

    @property
    def _is_endpoint_old(self) -> bool:
        return asyncio.get_running_loop().time() >= self._endpoint_until

    def _end_for_now(self, unavailable: StorageUnavailable) -> None:
        logger.warning("webhook_turn_ends", extra={"cause": cause_of(unavailable)})
        self._is_ending = True

    def _start_requests(self) -> None:
        endpoint = self._endpoint
        while endpoint is not None and not self._is_endpoint_old and self._may_send():
            due = self._window.next()
            if due is None:
                return
            if due.event is None:
                self._cancel(due)
                continue
            request = asyncio.create_task(self._request(endpoint, due, due.event))
            self._in_flight[request] = asyncio.get_running_loop().time()
            request.add_done_callback(self._request_ended)

    def _may_send(self) -> bool:
        # An endpoint without a request in flight is always sent one, even if the worker has reached its limit.
        in_flight = len(self._in_flight)
        return in_flight == 0 or (in_flight < self._receiver.sends_max and self._tools.may_send())

    def _request_ended(self, request: asyncio.Task[None]) -> None:
        del self._in_flight[request]
        self._woken.set()

    async def _request(self, endpoint: WebhookEndpoint, due: DueDelivery, event: FeedEvent) -> None:
        sent_at = self._tools.clock()
        message = WebhookMessage(
            url=endpoint.url,
            owner_id=endpoint.owner_id,
            event_id=event.id,
            secrets=endpoint.signing_secrets(sent_at),
            body=event_view_json(event),
            sent_at=sent_at,
        )
        try:
            response = await self._tools.sender.send(message)
        except asyncio.CancelledError:
            self._window.dropped(due)
            raise
        except WebhookNotSent:
            self._window.dropped(due)
            self._receiver.put_off(self._tools.clock())
            self._tools.counts.put_off += 1
            return
        except Exception:
            logger.exception("webhook_sender_failed")
            response = SENDER_FAILED
        self._settle(endpoint, due, sent_at, response)

    def _settle(
        self, endpoint: WebhookEndpoint, due: DueDelivery, sent_at: datetime, response: WebhookResponse
    ) -> None:
        tools, now = self._tools, self._tools.clock()
        recording = recording_of(due, response, sent_at=sent_at, now=now, random=tools.random(), limits=tools.limits)
        tools.recorder.record(recording, self._recorded)
        tools.counts.count(recording.outcome)
        if response.success:
            self._receiver.succeeded(response)
        else:
            self._receiver.failed(response, now)
            if self._receiver.disable_reason is not None and self._failed is None:
                self._failed = endpoint
            tools.counts.failed_attempts += 1
        if recording.due_at is None:
            self._window.ended(due)
        else:
            self._postpone(self._window.failed(due, recording.due_at, now=now))
        state, known = self._receiver.state, self._recorded_state
        if state.paused_until or state.failing_since != known.failing_since:
            self._record_state()

    def _cancel(self, due: DueDelivery) -> None:
        """End a delivery whose event is no longer kept."""
        canceled = ended(due, DeliveryOutcome.CANCELED, due.delivery.attempts, self._tools.clock())
        self._tools.recorder.record(canceled, self._recorded)
        self._tools.counts.count(canceled.outcome)
        self._window.ended(due)

    def _postpone(self, postponed: list[Postponed]) -> None:
        now = self._tools.clock()
        for each in postponed:
            recording = waiting(each.due, each.due_at, each.due.delivery.attempts, now)
            self._tools.recorder.record(recording, self._recorded)

    def _recorded(self, delivery_id: DeliveryId) -> None:
        self._window.recorded(delivery_id)
        self._woken.set()

    def _record_state(self) -> None:
        state = self._receiver.state
        if state != self._recorded_state:
            self._recorded_state = state
            self._tools.recorder.set_state(state)

    async def _disable(self, reason: DisabledReason, as_of: datetime) -> None:
        try:
            is_disabled = await self._tools.disable(self.endpoint_id, reason, as_of)
        except (Refusal, StorageUnavailable) as error:
            # The next failure tries again.
            logger.warning("webhook_endpoint_not_disabled", extra={"cause": cause_of(error)})
            return
        if not is_disabled:
            return
        logger.info("webhook_endpoint_disabled", extra={"endpoint_id": self.endpoint_id, "reason": reason.value})
        self._tools.counts.disabled += 1
        self._is_abandoned = True

    async def _cancel_waiting(self) -> None:
        tools = self._tools
        try:
            tools.counts.canceled += await cancel_waiting(tools.queues, self.endpoint_id, tools.clock)
        except StorageUnavailable as unavailable:
            logger.warning("webhook_turn_ends", extra={"cause": cause_of(unavailable)})
