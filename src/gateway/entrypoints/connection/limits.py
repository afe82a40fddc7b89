"""The limits of one connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits of one connection. They are fixed; how many connections there may be is a setting.

    Attributes:
        head_bytes_max: The size of a request's line and headers together, and of its trailer fields.
        headers_max: The number of headers, repeated ones included.
        pipelined_max: The requests that may wait for the response to an earlier one. After them the connection ends.
        head_seconds: The time from a request's first byte, or from the beginning of the connection, until all headers
            have arrived.
        linger_seconds: How long a body may still arrive after its response.
        write_seconds: The period in which a client has to read `write_bytes_min` of what waits for it.
        write_bytes_min: How much a client has to read in each `write_seconds`.
    """

    head_bytes_max: int = 16 * 1024
    headers_max: int = 100
    pipelined_max: int = 8
    head_seconds: float = 10.0
    linger_seconds: float = 2.0
    write_seconds: float = 30.0
    write_bytes_min: int = 64 * 1024
