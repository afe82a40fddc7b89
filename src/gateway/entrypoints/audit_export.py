"""`gateway audit export`: the audit log as lines of JSON."""

import asyncio
from datetime import UTC, datetime

import click
import msgspec

from gateway.application.access.caller import TRUSTED
from gateway.application.ports.audit_log import AuditFilter
from gateway.application.views.audit import audit_record_view
from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.refusal import StartRefused
from gateway.bootstrap.wiring import open_gateway
from gateway.domain.audit import AuditAction, AuditId
from gateway.domain.errors import Refusal
from gateway.domain.limits import LIST_LIMIT_MAX
from gateway.domain.user import UserId
from gateway.entrypoints.cli_origin import cli_origin
from gateway.entrypoints.flags import Flags, settings_with
from gateway.settings.values import Settings


def export(
    flags: Flags,
    *,
    actor: str | None,
    action: str | None,
    object_id: str | None,
    owner_id: str | None,
    created_after: datetime | None,
    created_before: datetime | None,
) -> None:
    """Print the records of a filter; how many there are on standard error."""
    settings = settings_with(flags)
    if settings.url == MEMORY_URL:
        raise StartRefused("There is no audit log: memory:// keeps nothing when a command ends.")
    try:
        where = AuditFilter(
            actor=actor,
            action=None if action is None else AuditAction(action),
            object_id=object_id,
            owner_id=None if owner_id is None else UserId(owner_id),
            created_after=_utc(created_after),
            created_before=_utc(created_before),
        )
        count = asyncio.run(_exported(settings, where))
    except Refusal as refused:
        raise click.ClickException(refused.detail) from refused
    click.echo(f"{count:,} records of the audit log are exported.", err=True)


async def _exported(settings: Settings, where: AuditFilter) -> int:
    encoder, count = msgspec.json.Encoder(), 0
    async with open_gateway(settings) as gateway:
        before: AuditId | None = (await gateway.audit.begin_export(TRUSTED, where, origin=cli_origin())).id
        while before is not None:
            page = await gateway.audit.records(TRUSTED, where, before=before, limit=LIST_LIMIT_MAX)
            for record in page.items:
                click.echo(encoder.encode(audit_record_view(record)))
            count += len(page.items)
            before = None if page.next_before is None else AuditId(page.next_before)
    return count


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)
