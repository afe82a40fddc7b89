"""`gateway keys`: API keys of any user, for operators on the machine of the gateway."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import click
from rich.table import Table

from gateway.application.access.api_key_format import PREFIX, id_in_key
from gateway.application.api_keys import NewApiKey
from gateway.application.gateway import Gateway
from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.refusal import StartRefused
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.limits import LIST_LIMIT_MAX
from gateway.entrypoints.cli_origin import cli_origin
from gateway.entrypoints.existing_gateway import existing_gateway, user_named
from gateway.entrypoints.flags import Flags, settings_with
from gateway.entrypoints.output import output

NEVER: Final = "never"


def create(
    flags: Flags,
    *,
    owner: str,
    name: str,
    scopes: Sequence[str],
    expires_in_days: int | None,
    requests_per_minute: int | None,
) -> None:
    """Create a key, and print it."""

    async def run() -> NewApiKey:
        async with _opened(flags) as gateway:
            expires_at = None if expires_in_days is None else gateway.access.clock() + timedelta(days=expires_in_days)
            owner_id = (await user_named(gateway, owner)).id
            return await gateway.api_keys.create(
                owner_id=owner_id,
                name=name,
                scopes=scopes,
                expires_at=expires_at,
                requests_per_minute=requests_per_minute,
                origin=cli_origin(),
            )

    _show_new(asyncio.run(run()))


def rotate(flags: Flags, *, key_id: str, old_key_seconds: int, requests_per_minute: int | None) -> None:
    """Rotate a key, and print the new one."""
    named = _key_id(key_id)

    async def run() -> NewApiKey:
        async with _opened(flags) as gateway:
            return await gateway.api_keys.rotate(
                named,
                old_key_seconds=old_key_seconds,
                requests_per_minute=requests_per_minute,
                origin=cli_origin(),
            )

    _show_new(asyncio.run(run()))


def revoke(flags: Flags, *, key_id: str) -> None:
    """Revoke a key."""
    named = _key_id(key_id)

    async def run() -> ApiKey:
        async with _opened(flags) as gateway:
            return await gateway.api_keys.revoke(named, origin=cli_origin())

    click.echo(f"The API key {asyncio.run(run()).id} is revoked.")


def list_keys(flags: Flags, *, owner: str | None) -> None:
    """List keys."""
    found = asyncio.run(_listed(flags, owner))
    table = Table(
        "id", "owner", "name", "scopes", "last four", "created", "ends", "used", "a minute", box=None, pad_edge=False
    )
    for key in found:
        table.add_row(
            key.id,
            key.owner_id,
            key.name,
            " ".join(key.scopes),
            key.last_four,
            _minute(key.created_at),
            f"revoked {_minute(key.revoked_at)}" if key.revoked_at else _minute(key.expires_at),
            _minute(key.last_used_at),
            "" if key.requests_per_minute is None else str(key.requests_per_minute),
        )
    output().print(table)


async def _listed(flags: Flags, owner: str | None) -> Sequence[ApiKey]:
    found: list[ApiKey] = []
    before: ApiKeyId | None = None
    async with _opened(flags) as gateway:
        owner_id = None if owner is None else (await user_named(gateway, owner)).id
        while True:
            page = await gateway.api_keys.keys_of(owner_id, before=before, limit=LIST_LIMIT_MAX)
            found.extend(page.items)
            if page.next_before is None:
                return found
            before = ApiKeyId(page.next_before)


def _key_id(text: str) -> ApiKeyId:
    """The id that a command was given.

    Raises:
        click.ClickException: It is a key, and no id.
    """
    if text.startswith(PREFIX):
        key_id = id_in_key(text)
        known = f"Its id is {key_id}." if key_id else "`gateway keys list` shows its id, which begins with key_."
        raise click.ClickException(f"This is an API key itself. {known}")
    return ApiKeyId(text)


@asynccontextmanager
async def _opened(flags: Flags) -> AsyncGenerator[Gateway]:
    settings = settings_with(flags)
    if settings.url == MEMORY_URL:
        raise StartRefused("There are no keys: memory:// keeps nothing when a command ends.")
    async with existing_gateway(settings) as gateway:
        yield gateway


def _show_new(new: NewApiKey) -> None:
    """The key on standard output, for a variable or a file; what it is on standard error."""
    click.echo(new.text)
    ends = "does not expire" if new.key.expires_at is None else f"expires at {_minute(new.key.expires_at)} UTC"
    click.echo(f"The API key {new.key.id} of {new.key.owner_id} {ends}. It is not shown again.", err=True)


def _minute(at: datetime | None) -> str:
    return NEVER if at is None else f"{at:%Y-%m-%d %H:%M}"
