"""`gateway create-operator`: operators are made here, and nowhere else."""

import asyncio

import click

from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.refusal import StartRefused
from gateway.bootstrap.schema import refuse_production_in_sandbox
from gateway.bootstrap.wiring import open_gateway
from gateway.domain.user import Role, UserId
from gateway.entrypoints.cli_origin import cli_origin
from gateway.entrypoints.flags import Flags, settings_with
from gateway.entrypoints.passwords import read_password
from gateway.settings.values import Settings


def create_operator(flags: Flags, *, email: str, name: str | None, password_stdin: bool) -> None:
    """Make an operator, with a password from standard input or a prompt."""
    settings = settings_with(flags)
    if settings.url == MEMORY_URL:
        raise StartRefused("Nobody could log in: memory:// keeps nothing when this command ends.")
    password = read_password(from_stdin=password_stdin, is_new=True)
    user_id = asyncio.run(_register(settings, email=email, password=password, name=name))
    click.echo(f"The operator {user_id} can log in now.")


async def _register(settings: Settings, *, email: str, password: str, name: str | None) -> UserId:
    await refuse_production_in_sandbox(settings)
    async with open_gateway(settings) as gateway:
        registered = await gateway.access.register(
            email=email, password=password, role=Role.OPERATOR, name=name, origin=cli_origin()
        )
    return registered.user.id
