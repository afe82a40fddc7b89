"""`gateway migrate`: bring the database's schema to this version's."""

import asyncio
from typing import Final

import click

from gateway.adapters.sql import ROLES, Plan, role_statements
from gateway.bootstrap.schema import check_has_roles, grant_database_roles, migrate_database, planned_migration
from gateway.entrypoints.flags import Flags, settings_with
from gateway.settings.database_url import without_password

LOGIN: Final = "CREATE ROLE shop LOGIN PASSWORD '…' IN ROLE gateway_serve"


def migrate(flags: Flags, *, roles: bool) -> None:
    """Migrate, and say from where to where. With `roles`, give the roles of Postgres their rights."""
    settings = settings_with(flags)
    if roles:
        check_has_roles(settings)
    url = without_password(settings.url)
    plan = asyncio.run(migrate_database(settings, tell=lambda waiting: click.echo(waiting, err=True)))
    click.echo(f"Migrated, {_from_to(plan)}: {url}" if plan.steps else f"{_nothing_to_do(plan)}: {url}")
    if roles:
        asyncio.run(grant_database_roles(settings))
        click.echo(f"The roles {', '.join(ROLES)} have their rights. A login: {LOGIN}")


def dry_run(flags: Flags, *, roles: bool) -> None:
    """Say what `migrate` would do. With `roles`, also the SQL for an administrator to run."""
    settings = settings_with(flags)
    if roles:
        check_has_roles(settings)
    url = without_password(settings.url)
    plan = asyncio.run(planned_migration(settings))
    if not plan.steps:
        click.echo(f"{_nothing_to_do(plan)}: {url}")
    else:
        click.echo(f"Would be migrated, {_from_to(plan)}: {url}")
    for step in plan.steps:
        click.echo(f"  {step.revision}  {step.title}")
    for statement in role_statements() if roles else ():
        click.echo(f"{statement};")


def _from_to(plan: Plan) -> str:
    return f"{plan.before or 'nothing'} → {plan.after}"


def _nothing_to_do(plan: Plan) -> str:
    return f"The schema is up to date ({plan.after})"
