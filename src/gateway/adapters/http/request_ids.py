"""Request-Id: the client's own, if it is well-formed, or a generated one."""

import os
import re
from collections.abc import Mapping
from itertools import count
from typing import Final

REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_-]{8,64}")

_process: Final = os.urandom(8).hex()
_requests: Final = count()


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """The id of a request with these headers, by name in lower case."""
    own_id = headers.get(b"request-id")
    return own_id.decode() if own_id and REQUEST_ID.fullmatch(own_id) else fresh_request_id()


def fresh_request_id() -> str:
    """A random prefix for the process and a counter: random bytes for each id would be a system call."""
    return f"req_{_process}{next(_requests):08x}"
