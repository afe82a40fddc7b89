"""The settings of the event sink on NATS JetStream."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.settings.field import FORM
from gateway.settings.forms import NATS_NAME, NATS_SUBJECT, NATS_URLS, PATH


class NatsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A part of `Settings`."""

    events_nats_url: Annotated[
        str,
        Meta(
            description="Publish all events to this NATS server: `nats://host:4222`, `tls://user:password@host:4222`; "
            "several servers of one cluster are separated by commas. [How](operations.md#events-to-nats-jetstream).",
            extra={FORM: NATS_URLS},
        ),
    ] = ""
    events_nats_credentials_file: Annotated[
        str, Meta(description="A file with the JWT and the seed of a NATS user.", extra={FORM: PATH})
    ] = ""
    events_nats_ca_file: Annotated[
        str,
        Meta(
            description="Certificate authorities of the NATS servers, as PEM. When empty, those of the system.",
            extra={FORM: PATH},
        ),
    ] = ""
    events_nats_certificate_file: Annotated[
        str, Meta(description="The gateway's own certificate for NATS, as PEM.", extra={FORM: PATH})
    ] = ""
    events_nats_key_file: Annotated[
        str,
        Meta(
            description="The private key of that certificate. When empty, it is in the file of the certificate.",
            extra={FORM: PATH},
        ),
    ] = ""
    events_nats_stream: Annotated[
        str, Meta(min_length=1, max_length=255, description="The stream that stores events.", extra={FORM: NATS_NAME})
    ] = "GATEWAY_EVENTS"
    events_nats_create_stream: Annotated[
        bool, Meta(description="Create the stream if there is none. Otherwise events wait until it exists.")
    ] = True
    events_nats_duplicate_window_seconds: Annotated[
        int,
        Meta(ge=1, le=86_400, description="How long a stream that the gateway creates recognises ids of events."),
    ] = 600
    events_nats_keep_days: Annotated[
        int, Meta(ge=1, le=36_500, description="How long a stream that the gateway creates stores events, in days.")
    ] = 90
    events_nats_replicas: Annotated[
        int, Meta(ge=1, le=5, description="How many servers store each event of a stream that the gateway creates.")
    ] = 1
    events_nats_subject: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=200,
            description="What subjects begin with: `gateway.events.payment.captured`.",
            extra={FORM: NATS_SUBJECT},
        ),
    ] = "gateway.events"
    events_nats_source: Annotated[
        str,
        Meta(min_length=1, max_length=500, description="`source` of the CloudEvents: a URI, or a part of one."),
    ] = "gateway"
    events_nats_first_event: Annotated[
        Literal["newest", "oldest"],
        Meta(
            description="Where publishing begins when it is switched on for the first time: after the `newest` event, "
            "or with the `oldest` stored one."
        ),
    ] = "newest"
    events_nats_group_size: Annotated[
        int, Meta(ge=1, le=1000, description="How many events are sent before their acknowledgement is awaited.")
    ] = 500
    events_nats_takeover_seconds: Annotated[
        float, Meta(gt=0, description="How long another worker watches before it publishes in place of a dead one.")
    ] = 2.0
