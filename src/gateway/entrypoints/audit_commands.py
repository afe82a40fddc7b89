"""The commands on the audit log, with their flags."""

from datetime import datetime
from typing import Final

import click

from gateway.domain.audit import AuditAction
from gateway.entrypoints.flags import settings_flags

TIME: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"])


@click.group
def audit() -> None:
    """Export the audit log."""


@audit.command
@click.option("--actor", metavar="EMAIL-OR-ID", help="Who did it: a user, an API key, cli or system.  [default: all]")
@click.option(
    "--action", type=click.Choice([action.value for action in AuditAction]), help="What was done.  [default: all]"
)
@click.option("--object", "object_id", metavar="EMAIL-OR-ID", help="To what.  [default: all]")
@click.option("--owner", "owner_id", metavar="EMAIL-OR-ID", help="The user whom it concerns.  [default: all]")
@click.option("--created-after", type=TIME, help="Then or later, in UTC.  [default: any time]")
@click.option("--created-before", type=TIME, help="Before then, in UTC.  [default: any time]")
@settings_flags("environment", "data_dir", "database_url")
def export(
    *,
    actor: str | None,
    action: str | None,
    object_id: str | None,
    owner_id: str | None,
    created_after: datetime | None,
    created_before: datetime | None,
    **flags: str | None,
) -> None:
    """Print records, the newest first: a JSON document on each line, as in GET /audit.

    The export itself is recorded before the first line, with ids in place of e-mail addresses. Where nothing can be
    written, nothing is exported.
    """
    from gateway.entrypoints.audit_export import export as run

    run(
        flags,
        actor=actor,
        action=action,
        object_id=object_id,
        owner_id=owner_id,
        created_after=created_after,
        created_before=created_before,
    )
