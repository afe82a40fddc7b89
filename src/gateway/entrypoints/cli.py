"""The command `gateway`."""

from typing import Any

import click

from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.bootstrap import StartRefused
from gateway.domain.errors import Refusal
from gateway.entrypoints.create_operator import create_operator
from gateway.entrypoints.demo import demo
from gateway.entrypoints.health import health
from gateway.entrypoints.migrate import migrate
from gateway.entrypoints.serve import serve
from gateway.entrypoints.show_settings import show
from gateway.entrypoints.simulate import simulate
from gateway.entrypoints.verify import verify
from gateway.entrypoints.worker import worker
from gateway.settings import SettingsRefused


class _SettingsError(click.ClickException):
    """As for a wrong flag: nothing was tried."""

    exit_code = 2


class _Commands(click.Group):
    """Commands whose expected failures are a sentence and an exit code. Anything else is a bug, and loud."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsRefused as refused:
            raise _SettingsError(str(refused)) from refused
        except StorageUnavailable as unavailable:
            raise click.ClickException(f"{unavailable}{first_cause(unavailable)}") from unavailable
        except (StartRefused, Refusal) as refused:
            raise click.ClickException(str(refused)) from refused


def first_cause(error: BaseException) -> str:
    """What began it, in its own words: whoever runs a command, unlike a client, may know what the database said."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return "" if cause is error else f" ({str(cause).partition(chr(10))[0] or type(cause).__name__})"


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gateway", message="gateway %(version)s")
def main() -> None:
    """An async payment gateway on a double-entry ledger. Settings are environment variables: `gateway settings`."""


for command in (serve, worker, health, migrate, create_operator, verify, simulate, demo, show):
    main.add_command(command)
