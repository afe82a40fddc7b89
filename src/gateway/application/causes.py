"""Causes: why a storage went away, in one line for the operator's log."""

import re
from typing import Final

CAUSE_LENGTH_MAX: Final = 300

_SECRET: Final = re.compile(r"((?:password|secret|token)\s*[=:]\s*|://[^:@/\s]*:)[^\s@&;,]+", re.IGNORECASE)


def cause_of(error: BaseException) -> str:
    """The first line of the error that began it, without passwords: `"[Errno 111] Connect call failed"`."""
    first = error
    while first.__cause__ is not None:
        first = first.__cause__
    words = str(first).strip().partition("\n")[0] or type(first).__name__
    return _SECRET.sub(r"\1***", words)[:CAUSE_LENGTH_MAX]
