"""Commands that ask a running gateway over HTTP."""

from typing import Final

DEFAULT_URL: Final = "http://127.0.0.1:8000"
"""Where `gateway serve` listens unless told otherwise."""
