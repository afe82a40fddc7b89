"""The values of the settings of webhooks."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.field import FORM
from gateway.settings.forms import ADDRESSES, PATH, PORTS
from gateway.settings.nats import NatsSettings


class WebhookSettings(NatsSettings, frozen=True, kw_only=True):
    """The settings of webhooks: a part of `Settings`."""

    webhook_allowed_addresses: Annotated[
        tuple[str, ...],
        Meta(
            description="IP addresses that webhooks may be sent to although they are not public, on any port "
            "([which are public](operations.md#webhooks-which-addresses)). When empty, `127.0.0.1` and `::1` in the "
            "sandbox, none in production.",
            extra={FORM: ADDRESSES},
        ),
    ] = ()
    webhook_ports: Annotated[
        tuple[str, ...],
        Meta(
            description="Ports that webhooks may be sent to. When empty, any port in the sandbox, 443 and 8443 in "
            "production.",
            extra={FORM: PORTS},
        ),
    ] = ()
    webhook_ca_file: Annotated[
        str,
        Meta(
            description="A PEM file with certificate authorities of receivers, trusted in addition to those of the "
            "operating system.",
            extra={FORM: PATH},
        ),
    ] = ""
    webhook_timeout_seconds: Annotated[
        float,
        Meta(gt=0, le=300, description="How long one attempt to deliver a webhook may take in all."),
    ] = 15.0
