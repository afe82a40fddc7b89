"""`gateway audit export`: the audit log as lines of JSON."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import click
import msgspec

from gateway.application.access.caller import TRUSTED
from gateway.application.ports.audit_log import AuditFilter
from gateway.application.views.audit import audit_record_view
from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.refusal import StartRefused
from gateway.domain.audit import AuditAction, AuditId
from gateway.domain.limits import LIST_LIMIT_MAX
from gateway.domain.user import UserId
from gateway.entrypoints.cli_origin import cli_origin
from gateway.entrypoints.existing_gateway import existing_gateway, id_named
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
    where = AuditFilter(
        action=None if action is None else AuditAction(action),
        created_after=_utc(created_after),
        created_before=_utc(created_before),
    )
    who = {"actor": actor, "object_id": object_id, "owner_id": owner_id}
    count = asyncio.run(_exported(settings, where, {name: each for name, each in who.items() if each is not None}))
    click.echo(f"{count:,} records of the audit log are exported.", err=True)


async def _exported(settings: Settings, where: AuditFilter, who: Mapping[str, str]) -> int:
    encoder, count = msgspec.json.Encoder(), 0
    async with existing_gateway(settings) as gateway:
        ids = {name: await id_named(gateway, each) for name, each in who.items()}
        owner_id = UserId(ids["owner_id"]) if "owner_id" in ids else None
        where = replace(where, actor=ids.get("actor"), object_id=ids.get("object_id"), owner_id=owner_id)
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
