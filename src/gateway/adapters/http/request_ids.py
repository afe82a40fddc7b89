"""Request-Id: the client's own, if it has the right form, or one of ours."""

import os
import re
from itertools import count
from typing import Final

REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_-]{8,64}")

_process: Final = os.urandom(8).hex()
_requests: Final = count()


def fresh_request_id() -> str:
    """Drawn at random once for the process, and then counted on: asking for random bytes each time is a system call."""
    return f"req_{_process}{next(_requests):08x}"
