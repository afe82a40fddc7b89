"""The settings of what one process takes on before it refuses requests, in all and of each caller."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.connections import ConnectionSettings


class CapacitySettings(ConnectionSettings, frozen=True, kw_only=True):
    """A part of `Settings`."""

    payment_lane: Annotated[
        bool,
        Meta(
            description="Whether a usual `POST /payments` takes a shorter way through `gateway serve` "
            "([details](performance.md#the-lane)). Without it, only the speed differs."
        ),
    ] = True
    batch_size_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="Items that share one database transaction: payments and other commands, and each item of "
            "`POST /payments/batch`. A larger batch of payments has a transaction of its own.",
        ),
    ] = 256
    waiting_max: Annotated[
        int,
        Meta(
            ge=1,
            description="Items that wait for a transaction, of all callers: payments and other commands, and each item "
            "of `POST /payments/batch`. Beyond that, requests get 503.",
        ),
    ] = 16_384
    waiting_per_caller_max: Annotated[
        int, Meta(ge=1, description="Such items of one caller. Beyond that, the caller's requests get 429.")
    ] = 4_096
    large_bodies_bytes_max: Annotated[
        int,
        Meta(
            ge=1024 * 1024,
            description="Bytes of request bodies above 16 KiB that one process holds, from their arrival to the "
            "response. Beyond that, requests get 503.",
        ),
    ] = 67_108_864
    large_bodies_bytes_per_caller_max: Annotated[
        int,
        Meta(
            ge=1024 * 1024,
            description="Such bytes of one caller. Beyond that, the caller's requests get 429.",
        ),
    ] = 16_777_216
