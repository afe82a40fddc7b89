"""`gateway users`: what operators do with users, on the database itself."""

from collections.abc import Callable
from typing import Any

import click

from gateway.entrypoints.flags import settings_flags


@click.group
def users() -> None:
    """Show users, keep them out, and let them in again.

    Works on the database, without a server. Servers notice within two seconds.
    """


def _reason(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--reason", required=True, help="Why. It is kept in the audit log.")(command)


@users.command
@click.argument("who", metavar="EMAIL-OR-ID")
@settings_flags("environment", "data_dir", "database_url")
def show(*, who: str, **flags: str | None) -> None:
    """Show a user, with their accounts, and whether a second factor is set."""
    from gateway.entrypoints.users import show as run

    run(flags, who)


@users.command
@settings_flags("environment", "data_dir", "database_url")
def list_disabled(**flags: str | None) -> None:
    """List the users who are disabled, and since when."""
    from gateway.entrypoints.users import list_disabled as run

    run(flags)


@users.command
@click.argument("who", metavar="EMAIL-OR-ID")
@_reason
@settings_flags("environment", "data_dir", "database_url")
def disable(*, who: str, reason: str, **flags: str | None) -> None:
    """Keep a user out, and let nothing new begin on their accounts."""
    from gateway.entrypoints.users import disable as run

    run(flags, who, reason)


@users.command
@click.argument("who", metavar="EMAIL-OR-ID")
@_reason
@settings_flags("environment", "data_dir", "database_url")
def enable(*, who: str, reason: str, **flags: str | None) -> None:
    """Let a disabled user in again."""
    from gateway.entrypoints.users import enable as run

    run(flags, who, reason)


@users.command
@click.argument("who", metavar="EMAIL-OR-ID")
@_reason
@settings_flags("environment", "data_dir", "database_url")
def end_sessions(*, who: str, reason: str, **flags: str | None) -> None:
    """End all sessions of a user, who may log in again."""
    from gateway.entrypoints.users import end_sessions as run

    run(flags, who, reason)


@users.command
@click.argument("who", metavar="EMAIL-OR-ID")
@_reason
@settings_flags("environment", "data_dir", "database_url")
def reset_second_factor(*, who: str, reason: str, **flags: str | None) -> None:
    """Delete the second factor of a user who has lost the telephone and the recovery codes, and end all sessions."""
    from gateway.entrypoints.users import reset_second_factor as run

    run(flags, who, reason)


@users.command
@click.argument("who", metavar="EMAIL-OR-ID")
@_reason
@settings_flags("environment", "data_dir", "database_url")
def reset_password(*, who: str, reason: str, **flags: str | None) -> None:
    """Replace a forgotten password by a random one, and print it. It is not shown again.

    All sessions of the user end. The second factor and API keys stay.
    """
    from gateway.entrypoints.users import reset_password as run

    run(flags, who, reason)


@users.command
@click.argument("who", metavar="EMAIL-OR-ID")
@click.option("--to", "email", required=True, metavar="EMAIL", help="The address that the user logs in with then.")
@_reason
@settings_flags("environment", "data_dir", "database_url")
def change_email(*, who: str, email: str, reason: str, **flags: str | None) -> None:
    """Give a user another e-mail address, and end all their sessions. The password stays: see reset-password."""
    from gateway.entrypoints.users import change_email as run

    run(flags, who, email, reason)


@users.command
@click.argument("account_id", metavar="ACCOUNT-ID")
@_reason
@settings_flags("environment", "data_dir", "database_url")
def close_account(*, account_id: str, reason: str, **flags: str | None) -> None:
    """Close an empty account for ever."""
    from gateway.entrypoints.users import close_account as run

    run(flags, account_id, reason)
