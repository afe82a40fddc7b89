"""The settings of connections to the server, and of the pages that it serves."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.settings.access import AccessSettings


class ConnectionSettings(AccessSettings, frozen=True, kw_only=True):
    """A part of `Settings`."""

    connections_max: Annotated[
        int,
        Meta(
            ge=0,
            description="The largest number of open connections of one process. Beyond it, a new connection closes "
            "the longest idle connection ([details](operations.md#connections)). 0 is 4096, or fewer if the process "
            "may have few descriptors.",
        ),
    ] = 0
    keep_alive_seconds: Annotated[int, Meta(ge=1, description="How long an idle connection is kept open.")] = 75

    docs: Annotated[
        Literal["auto", "true", "false"],
        Meta(
            description="Whether the pages of the documentation are served: `/docs`, and `/`, which leads there. "
            "`auto` is `true` in the sandbox and `false` in production. `/openapi.json` is always served."
        ),
    ] = "auto"
