"""The refusal of a start."""


class StartRefused(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """The gateway does not start like this; the message says what to do about it."""
