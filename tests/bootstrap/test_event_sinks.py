"""The event sink of the settings: what is missing or cannot be used is a sentence when the process starts."""

import sys
from pathlib import Path

import pytest

from gateway import Settings, in_memory_gateway
from gateway.application.events.relay import FirstEvent
from gateway.bootstrap.event_sinks import open_relay
from gateway.bootstrap.nats_sink import options
from gateway.bootstrap.refusal import StartRefused

URL = "nats://127.0.0.1:4222"


async def test_without_a_url_there_is_no_relay() -> None:
    async with in_memory_gateway() as gateway, open_relay(gateway, Settings()) as relay:
        assert relay is None


async def test_a_relay_is_made_of_the_settings_and_does_not_connect_before_it_runs() -> None:
    settings = Settings(
        events_nats_url=f"{URL}, tls://b",
        events_nats_first_event="oldest",
        events_nats_group_size=7,
        events_nats_takeover_seconds=9.0,
        events_nats_stream="PAID",
        events_nats_create_stream=False,
        events_nats_duplicate_window_seconds=5,
        events_nats_keep_days=2,
        events_nats_replicas=3,
        events_nats_subject="paid",
        events_nats_source="https://pay.example",
    )
    async with in_memory_gateway() as gateway, open_relay(gateway, settings) as relay:
        assert relay is not None
        assert relay.commits is gateway.events.commits
        assert (relay.name, relay.first_event) == ("nats", FirstEvent.OLDEST)
        assert (relay.limits.group_size, relay.limits.takeover_seconds) == (7, 9.0)
    made = options(settings)
    assert made.servers == (URL, "tls://b")
    assert (made.subject, made.source) == ("paid", "https://pay.example")
    stream = made.stream
    assert (stream.name, stream.create, stream.replicas) == ("PAID", False, 3)
    assert (stream.duplicate_window_seconds, stream.keep_seconds) == (5, 2 * 86_400)
    assert made.tls is None
    assert made.credentials_file is None


@pytest.mark.parametrize("module", ["nats", "nkeys"])
async def test_without_the_extra_the_start_is_refused(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    async with in_memory_gateway() as gateway:
        with pytest.raises(StartRefused, match=r"not installed\. Run: pip install 'gateway\[nats\]'"):
            async with open_relay(gateway, Settings(events_nats_url=URL)):
                pass


@pytest.mark.parametrize("field", ["credentials_file", "ca_file", "certificate_file"])
async def test_a_file_that_cannot_be_used_is_refused(field: str, tmp_path: Path) -> None:
    file = tmp_path / "absent"
    settings = Settings(events_nats_url=URL, **{f"events_nats_{field}": str(file)})  # type: ignore[arg-type]
    async with in_memory_gateway() as gateway:
        with pytest.raises(StartRefused, match=f"^GATEWAY_EVENTS_NATS_{field.upper()}: .*absent cannot be"):
            async with open_relay(gateway, settings):
                pass
