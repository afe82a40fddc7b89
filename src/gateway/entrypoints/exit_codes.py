"""Exit codes that no exception of click has."""

INTERRUPTED = 130
"""A command that Ctrl-C ended, as shells have it."""
