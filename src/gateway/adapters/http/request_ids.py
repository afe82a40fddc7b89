"""Request-Id: the client's own, if it is well-formed, or a generated one."""

import os
import re
from itertools import count
from typing import Final

REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_-]{8,64}")

_process: Final = os.urandom(8).hex()
_requests: Final = count()


def fresh_request_id() -> str:
    """A random prefix for the process and a counter: random bytes for each id would be a system call."""
    return f"req_{_process}{next(_requests):08x}"
