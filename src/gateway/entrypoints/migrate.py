"""`gateway migrate`: bring the database's schema to this version's."""

import asyncio

import click

from gateway.bootstrap import migrate_database
from gateway.entrypoints.flags import settings_flags, settings_with
from gateway.settings import without_password


@click.command
@settings_flags("data_dir", "database_url")
def migrate(**flags: str | None) -> None:
    """Bring the database to this version's schema.

    Safe to run again, and from several machines at once.
    """
    settings = settings_with(flags)
    asyncio.run(migrate_database(settings, tell=lambda waiting: click.echo(waiting, err=True)))
    click.echo(f"The schema is up to date: {without_password(settings.url)}")
