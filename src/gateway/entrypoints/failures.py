"""The failures that a command is expected to have: a sentence and an exit code. Anything else is a bug, and loud."""

import click

from gateway.application.causes import cause_of
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.bootstrap.refusal import StartRefused
from gateway.domain.errors import Refusal


def in_a_sentence(error: BaseException | None) -> click.ClickException | None:
    """What a command says of an error; `None` for a bug."""
    if isinstance(error, StorageUnavailable):
        cause = f" ({cause_of(error)})" if error.__cause__ else ""
        return click.ClickException(f"{error}{cause}")
    if isinstance(error, (StartRefused, Refusal)):
        return click.ClickException(str(error))
    return None
