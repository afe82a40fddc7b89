"""The settings of the delivery of webhooks."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.field import FORM
from gateway.settings.forms import SECONDS
from gateway.settings.webhooks import WebhookSettings


class DeliverySettings(WebhookSettings, frozen=True, kw_only=True):
    """The settings of the delivery of webhooks: a part of `Settings`."""

    webhook_retry_seconds: Annotated[
        str,
        Meta(
            min_length=1,
            description="The times between the attempts of a delivery, each ± 10 %: there is one attempt more than "
            "there are times. By default 5 s, 5 and 30 min, 2, 5, 10, 14, 20 and 24 h.",
            extra={FORM: SECONDS},
        ),
    ] = "5,300,1800,7200,18000,36000,50400,72000,86400"
    webhook_order_seconds: Annotated[
        float, Meta(gt=0, description="How long the next event of an object waits for the event before it.")
    ] = 60.0
    webhook_pause_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="How long nothing is sent to a receiver that answers 429, 502 or 504 without `Retry-After` "
            "when it may get one request at once.",
        ),
    ] = 5.0
    webhook_disable_seconds: Annotated[
        float, Meta(gt=0, description="An endpoint that fails is disabled when nothing has succeeded for so long.")
    ] = 432_000.0
    webhook_lease_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="How long after a crash of its worker an endpoint waits for another one.",
        ),
    ] = 30.0
    webhook_poll_seconds: Annotated[
        float, Meta(gt=0, description="How often a worker looks for events and deliveries of other processes.")
    ] = 0.2
    webhook_endpoints_max: Annotated[
        int,
        Meta(
            ge=2,
            le=1024,
            description="To how many endpoints one worker delivers at once; half of them may be slow or failing.",
        ),
    ] = 32
    webhook_requests_per_endpoint_max: Annotated[
        int, Meta(ge=1, le=1024, description="Requests to one endpoint in flight at once.")
    ] = 32
    webhook_requests_max: Annotated[
        int, Meta(ge=1, le=10_000, description="Requests of one worker in flight at once.")
    ] = 512
    webhook_connections: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Postgres connections of one process for deliveries, beside `database_pool_size`. Made "
            "when they are used.",
        ),
    ] = 4
    webhook_deliveries_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3_650,
            description="How long deliveries that have ended are stored.",
        ),
    ] = 7

    worker_health_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65_535,
            description="The port on which `gateway worker` answers `/health/live` and `/health/ready`, at `host`. "
            "0 for none.",
        ),
    ] = 0
