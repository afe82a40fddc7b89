"""`gateway migrate`: bring the database's schema to this version's."""

import asyncio

import click

from gateway.adapters.sql import Plan
from gateway.bootstrap.schema import migrate_database, planned_migration
from gateway.entrypoints.flags import Flags, settings_with
from gateway.settings.database_url import without_password


def migrate(flags: Flags) -> None:
    """Migrate, and say from where to where."""
    settings = settings_with(flags)
    url = without_password(settings.url)
    plan = asyncio.run(migrate_database(settings, tell=lambda waiting: click.echo(waiting, err=True)))
    click.echo(f"Migrated, {_from_to(plan)}: {url}" if plan.steps else f"{_nothing_to_do(plan)}: {url}")


def dry_run(flags: Flags) -> None:
    """Say what `migrate` would do."""
    settings = settings_with(flags)
    url = without_password(settings.url)
    plan = asyncio.run(planned_migration(settings))
    if not plan.steps:
        click.echo(f"{_nothing_to_do(plan)}: {url}")
        return
    click.echo(f"Would be migrated, {_from_to(plan)}: {url}")
    for step in plan.steps:
        click.echo(f"  {step.revision}  {step.title}")


def _from_to(plan: Plan) -> str:
    return f"{plan.before or 'nothing'} → {plan.after}"


def _nothing_to_do(plan: Plan) -> str:
    return f"The schema is up to date ({plan.after})"
