"""The audit log."""

from typing import Any, Final

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request
from gateway.adapters.http.operations import AnyOperation, ListView, Operation
from gateway.adapters.http.resources.fields import CreatedQuery, IdText
from gateway.application.ports.audit_log import AuditFilter
from gateway.application.queries import Page
from gateway.application.views.audit import AuditRecordView, audit_record_view
from gateway.domain.audit import AuditAction, AuditId
from gateway.domain.user import UserId

TAG = "Operations"


class AuditQuery(CreatedQuery, frozen=True, kw_only=True):
    """Which records. `owner_id` is the user whom they concern; merchants see those that concern them."""

    actor: IdText[str] | None = None
    action: AuditAction | None = None
    object_id: IdText[str] | None = None
    owner_id: IdText[UserId] | None = None


async def find_records(request: Request[None, AuditQuery], before: AuditId | None) -> Page[AuditRecordView]:
    """A page of the audit log."""
    query = request.query
    where = AuditFilter(
        actor=query.actor,
        action=query.action,
        object_id=query.object_id,
        owner_id=query.owner_id,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    page = await request.gateway.audit.records(request.caller, where, before=before, limit=query.limit)
    return page.map(audit_record_view)


EXAMPLE_RECORD: Final[dict[str, Any]] = {
    "id": "aud_01kc3x0m5fe7v8qj2r4n6p9stq",
    "object": "audit_record",
    "actor": {"kind": "operator", "id": "usr_01kc3x0m5fe7v8qj2r4n6p9stz"},
    "action": "user.disabled",
    "object_id": "usr_01kc3x0m5fe7v8qj2r4n6p9sta",
    "owner_id": "usr_01kc3x0m5fe7v8qj2r4n6p9sta",
    "reason": "Their laptop was stolen",
    "before": {"status": "active"},
    "after": {"status": "disabled", "accounts": 1},
    "address": "192.0.2.1",
    "request_id": "req_0a1b2c3d4e5f60718293a4b5",
    "created_at": "2026-01-02T03:04:05.678901Z",
}


def operations(cursors: Cursors) -> tuple[AnyOperation, ...]:
    """The operation on the audit log."""
    return (
        Operation(
            method="GET",
            path="/audit",
            name="listAuditRecords",
            tag=TAG,
            summary="List who has done what, the newest first; a merchant sees what concerns it",
            handler=listing(cursors, find_records),
            query=AuditQuery,
            result=ListView[AuditRecordView],
            codes=("cursor_invalid", "cursor_filter_mismatch"),
            example_result={"object": "list", "data": [EXAMPLE_RECORD], "has_more": False, "next_cursor": None},
        ),
    )
