"""The command `gateway`."""

from typing import Any

import click
from typing_extensions import override

from gateway.entrypoints.commands import ALL_COMMANDS
from gateway.entrypoints.exit_codes import INTERRUPTED
from gateway.entrypoints.interrupts import is_interrupt
from gateway.entrypoints.key_commands import keys
from gateway.entrypoints.lost_output import lost_output
from gateway.entrypoints.member_commands import members
from gateway.entrypoints.remote_commands import REMOTE_COMMANDS
from gateway.settings.field import SettingsRefused


class _SettingsError(click.ClickException):
    """As for a wrong flag: nothing was tried."""

    exit_code = 2


class _Commands(click.Group):
    """Commands whose expected failures are a sentence and an exit code. Anything else is a bug, and loud."""

    @override
    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **options)
        except KeyboardInterrupt:  # click would print that it aborted.
            raise click.exceptions.Exit(INTERRUPTED) from None
        except OSError as error:  # --help and --version print here.
            sentence = lost_output(error)
            if sentence is None:
                raise
            raise sentence from error

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return self._invoke(ctx)
        except KeyboardInterrupt:  # Also from the import of `failures`.
            ctx.exit(INTERRUPTED)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.Abort as aborted:
            # At a prompt, click tells of Ctrl-C and of the end of the input alike.
            if isinstance(aborted.__context__, KeyboardInterrupt):
                ctx.exit(INTERRUPTED)
            raise
        except (click.ClickException, click.exceptions.Exit):
            raise
        except SettingsRefused as refused:
            raise _SettingsError(str(refused)) from refused
        except Exception as error:
            if is_interrupt(error):
                ctx.exit(INTERRUPTED)
            # Loaded when it is needed: it knows the errors of the adapters.
            from gateway.entrypoints.failures import in_a_sentence

            sentence = lost_output(error) or in_a_sentence(error)
            if sentence is None:
                raise
            raise sentence from error


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every setting but secrets is also a flag of the commands that read settings: GATEWAY_PORT is --port. "
    "Exit codes: 0 done; 1 it failed, or what it checked is not as it must be; 2 wrong usage or settings; 130 Ctrl-C.",
)
@click.version_option(package_name="gateway", message="gateway %(version)s")
def main() -> None:
    """An async payment gateway on a double-entry ledger. Settings are environment variables: `gateway settings`."""


for command in (*ALL_COMMANDS, keys, members, *REMOTE_COMMANDS):
    main.add_command(command)
