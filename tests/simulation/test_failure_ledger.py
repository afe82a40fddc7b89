"""The failure ledger knows since when a receiver fails, also when the worker records it late."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
from gateway.application.ports.delivery_records import Lease, QueueState
from gateway.application.ports.webhook_sender import WebhookResponse
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId
from gateway.simulation.failure_ledger import FailureLedger
from gateway.simulation.model import Model
from gateway.simulation.model_records import ModelEndpoint

ENDPOINT = EndpointId("whe_1")
NOW = datetime(2027, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=6)
REFUSED = WebhookResponse(status=500, error=None, retry_after_seconds=None, latency_ms=1)
LEASE = Lease(endpoint_id=ENDPOINT, failing_since=None, is_slow=False)
DISABLE = DisableWebhookEndpoint(endpoint_id=ENDPOINT, reason=DisabledReason.FAILING, as_of=NOW)


@pytest.fixture
def found() -> list[str]:
    return []


@pytest.fixture
def ledger(found: list[str]) -> FailureLedger:
    endpoint = ModelEndpoint(
        owner=UserId("usr_1"),
        all_merchants=False,
        url="https://shop.example/hook",
        filters=("*",),
        description=None,
        disabled="",
        secrets=("whsec_1",),
        created_at=NOW,
        changed_at=NOW,
        id=ENDPOINT,
    )
    return FailureLedger(Model(endpoints={ENDPOINT: endpoint}), lambda invariant, _: found.append(invariant))


def test_an_endpoint_is_disabled_after_five_days_of_failures_and_not_before(
    ledger: FailureLedger, found: list[str]
) -> None:
    ledger.failed(ENDPOINT, REFUSED, NOW)
    ledger.disabled(DISABLE, LATER)
    assert found == []
    ledger.disabled(DISABLE, NOW + timedelta(days=4))
    assert found == ["webhook_disabled"]


def test_a_failure_that_nobody_recorded_before_the_next_lease_counts_no_longer(
    ledger: FailureLedger, found: list[str]
) -> None:
    ledger.failed(ENDPOINT, REFUSED, NOW)
    ledger.leased([LEASE])
    ledger.failed(ENDPOINT, REFUSED, LATER)
    ledger.disabled(DISABLE, LATER)
    assert found == ["webhook_disabled"]


def test_a_failure_that_a_worker_records_after_it_has_leased_the_endpoint_again_counts(
    ledger: FailureLedger, found: list[str]
) -> None:
    ledger.failed(ENDPOINT, REFUSED, NOW)
    ledger.leased([LEASE])
    ledger.states_recorded([_failing(NOW)], {ENDPOINT})
    ledger.failed(ENDPOINT, REFUSED, LATER)
    ledger.disabled(DISABLE, LATER)
    assert found == []


@pytest.mark.parametrize(("since", "held"), [(NOW, set[EndpointId]()), (NOW - timedelta(days=1), {ENDPOINT})])
def test_a_state_counts_when_the_holder_records_it_and_the_receiver_had_failed_then(
    ledger: FailureLedger, found: list[str], since: datetime, held: set[EndpointId]
) -> None:
    ledger.failed(ENDPOINT, REFUSED, NOW)
    ledger.leased([LEASE])
    ledger.states_recorded([_failing(since)], held)
    ledger.failed(ENDPOINT, REFUSED, LATER)
    ledger.disabled(DISABLE, LATER)
    assert found == ["webhook_disabled"]


@pytest.mark.parametrize(("recorded_at", "must"), [(None, ["webhook_disabled"]), (LATER, [])])
def test_a_failure_from_before_a_change_does_not_stand_for_one_after_it_unless_that_was_recorded(
    ledger: FailureLedger, found: list[str], recorded_at: datetime | None, must: list[str]
) -> None:
    """The endpoint is disabled twelve days after the change, for a failure that nobody has recorded, or that somebody
    has recorded without its moment: the gateway forgets the former, and must not forget the latter."""
    changed = replace(ledger.model.endpoints[ENDPOINT], changed_at=NOW + timedelta(days=1))
    ledger.model = Model(endpoints={ENDPOINT: changed})
    ledger.failed(ENDPOINT, REFUSED, LATER)
    if recorded_at is not None:
        ledger.failure_recorded(ENDPOINT, recorded_at)
    ledger.leased([replace(LEASE, failing_since=NOW)])
    end = LATER + timedelta(days=6)
    ledger.failed(ENDPOINT, REFUSED, end)
    ledger.disabled(replace(DISABLE, as_of=end), end)
    assert found == must


def _failing(since: datetime) -> QueueState:
    return QueueState(endpoint_id=ENDPOINT, failing_since=since, paused_until=None, is_slow=True)
