"""`gateway users`: operators' hand on users, without a server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from gateway.application.access.recovery_codes import RECOVERY_CODES
from gateway.application.access.user_look_ups import disabled_users
from gateway.application.commands.close_account import CloseAccount
from gateway.application.commands.disable_user import DisableUser, EnableUser
from gateway.application.commands.end_sessions import EndSessions
from gateway.application.engine.command import Command
from gateway.application.gateway import Gateway
from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.refusal import StartRefused
from gateway.domain.account import Account, AccountId
from gateway.domain.errors import Refusal
from gateway.domain.user import User, UserId
from gateway.domain.user_with_accounts import UserWithAccounts
from gateway.entrypoints.cli_origin import cli_origin
from gateway.entrypoints.existing_gateway import existing_gateway, id_of_person, user_named
from gateway.entrypoints.flags import Flags, settings_with
from gateway.settings.values import Settings

Result = TypeVar("Result")


def show(flags: Flags, who: str) -> None:
    """Print a user, with their accounts."""
    shown, codes_left = asyncio.run(_shown(_settings(flags), who))
    _print(shown)
    if codes_left is None:
        click.echo("No second factor is set.")
    else:
        click.echo(f"A second factor is set; {codes_left} of {RECOVERY_CODES} recovery codes are left.")


def list_disabled(flags: Flags) -> None:
    """Print a line for each disabled user."""
    for user in asyncio.run(_disabled(_settings(flags))):
        click.echo(f"{user.id} {user.email} since {user.disabled_at:%Y-%m-%dT%H:%M:%SZ}")


def disable(flags: Flags, who: str, reason: str) -> None:
    """Disable a user."""
    _print(_changed(flags, who, lambda user_id: DisableUser(user_id=user_id, reason=reason)))


def enable(flags: Flags, who: str, reason: str) -> None:
    """Enable a user."""
    _print(_changed(flags, who, lambda user_id: EnableUser(user_id=user_id, reason=reason)))


def end_sessions(flags: Flags, who: str, reason: str) -> None:
    """End all sessions of a user."""
    user = _changed(flags, who, lambda user_id: EndSessions(user_id=user_id, reason=reason)).user
    click.echo(f"All sessions of {user.id} have ended.")


def reset_second_factor(flags: Flags, who: str, reason: str) -> None:
    """Delete a second factor, and end all sessions."""
    user, had = asyncio.run(_reset(_settings(flags), who, reason))
    click.echo(f"{user.id} has no second factor{' any more' if had else ''}, and all sessions have ended.")


def reset_password(flags: Flags, who: str, reason: str) -> None:
    """Replace a password, and print the new one."""

    async def run(gateway: Gateway) -> tuple[UserId, str]:
        user_id = await id_of_person(gateway, who)
        return user_id, await gateway.recovery.reset_password(user_id, reason=reason, origin=cli_origin())

    user_id, password = asyncio.run(_with(_settings(flags), run))
    # The password on standard output, for a pipe; what it is on standard error.
    click.echo(password)
    click.echo(
        f"This is the password of {user_id} now, whose sessions have all ended. It is not shown again.", err=True
    )


def change_email(flags: Flags, who: str, email: str, reason: str) -> None:
    """Give a user another address."""

    async def run(gateway: Gateway) -> User:
        user_id = await id_of_person(gateway, who)
        return await gateway.recovery.change_email(user_id, email=email, reason=reason, origin=cli_origin())

    user = asyncio.run(_with(_settings(flags), run))
    click.echo(f"{user.id} logs in with {user.email}.")


def close_account(flags: Flags, account_id: str, reason: str) -> None:
    """Close an account."""
    account = asyncio.run(_closed(_settings(flags), account_id, reason))
    click.echo(f"{account.id} is {account.status}.")


def _changed(flags: Flags, who: str, command: Callable[[UserId], Command[UserWithAccounts]]) -> UserWithAccounts:
    return asyncio.run(_executed(_settings(flags), who, command))


def _settings(flags: Flags) -> Settings:
    settings = settings_with(flags)
    if settings.url == MEMORY_URL:
        raise StartRefused("There is nobody in memory://, which keeps nothing when a command ends.")
    return settings


async def _with(settings: Settings, run: Callable[[Gateway], Awaitable[Result]]) -> Result:
    async with existing_gateway(settings) as gateway:
        return await run(gateway)


async def _executed(
    settings: Settings, who: str, command: Callable[[UserId], Command[UserWithAccounts]]
) -> UserWithAccounts:
    async with existing_gateway(settings) as gateway:
        try:
            return await gateway.execute(command((await user_named(gateway, who)).id), origin=cli_origin())
        except Refusal as refused:
            raise click.ClickException(refused.detail) from refused


async def _reset(settings: Settings, who: str, reason: str) -> tuple[User, bool]:
    async with existing_gateway(settings) as gateway:
        try:
            user = await user_named(gateway, who)
            return user, await gateway.second_factors.reset(user.id, reason=reason, origin=cli_origin())
        except Refusal as refused:
            raise click.ClickException(refused.detail) from refused


async def _shown(settings: Settings, who: str) -> tuple[UserWithAccounts, int | None]:
    """The user, and how many recovery codes are left; `None` without a second factor."""
    async with existing_gateway(settings) as gateway:
        try:
            user = await user_named(gateway, who)
        except Refusal as refused:
            raise click.ClickException(refused.detail) from refused
        shown = UserWithAccounts(user=user, accounts=tuple(await gateway.queries.accounts_of(user.id)))
        return shown, await gateway.second_factors.recovery_codes_left(user.id)


async def _disabled(settings: Settings) -> list[User]:
    async with existing_gateway(settings) as gateway:
        return list(await disabled_users(gateway.access.users))


async def _closed(settings: Settings, account_id: str, reason: str) -> Account:
    async with existing_gateway(settings) as gateway:
        try:
            command = CloseAccount(account_id=AccountId(account_id), owner_id=None, reason=reason)
            return await gateway.execute(command, origin=cli_origin())
        except Refusal as refused:
            raise click.ClickException(refused.detail) from refused


def _print(shown: UserWithAccounts) -> None:
    user = shown.user
    click.echo(f"{user.id} {user.email} ({user.role}) is {user.status}.")
    for account in shown.accounts:
        click.echo(f"{account.id} {account.currency} {account.posted} minor units, {account.status}")
