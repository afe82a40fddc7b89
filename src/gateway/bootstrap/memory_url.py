"""The URL of a ledger in memory."""

from typing import Final

MEMORY_URL: Final = "memory://"
"""The URL of a ledger in this process's memory, which ends with the process."""
