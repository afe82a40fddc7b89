"""Members of a merchant: users who act for it, each with a role."""

from typing import Any, Final, Literal

import msgspec

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import AnyOperation, Body, Idempotency, ListView, Operation, json_response
from gateway.adapters.http.resources.fields import PageQuery, Reason
from gateway.adapters.http.resources.users import Email
from gateway.adapters.http.submissions import identity, stored_response, submission_of, submitted
from gateway.application.commands.change_member import ChangeMember
from gateway.application.queries import Page
from gateway.application.views.members import (
    InvitedMemberView,
    MemberView,
    invited_member_view,
    member_view,
)
from gateway.domain.member import Member, MemberId
from gateway.domain.member_role import MemberRole

TAG: Final = "Members"

RoleName = Literal["owner", "admin", "developer", "support", "viewer"]

_decoder: Final = msgspec.json.Decoder(InvitedMemberView)
_encoder: Final = msgspec.json.Encoder()


class InviteMemberBody(Body, frozen=True, kw_only=True):
    """Who is invited, and what they may do."""

    email: Email
    role: RoleName


class ChangeMemberBody(Body, frozen=True, kw_only=True):
    """What the member may do from now on, and why."""

    role: RoleName
    reason: Reason | None = None


def member_id(request: Request[Any, Any]) -> MemberId:
    """The id in the path."""
    return MemberId(request.path_ids["member_id"])


async def invite(request: Request[InviteMemberBody]) -> Response:
    """Invite somebody. What is stored of the response does not have the token."""
    caller, gateway = request.caller, request.gateway
    made = gateway.members.invite_command(
        merchant_id=caller.user_id,
        email=request.body.email,
        role=MemberRole(request.body.role),
        actor_id=caller.actor_id,
    )
    answer = await gateway.executor.perform(submission_of(request, made.command, _without_token, lambda _: None))
    response = stored_response(answer)
    if answer.refused:
        return response
    shown = _decoder.decode(response.body)
    # A request is replayed to itself if the acknowledgement of its commit was lost.
    found = await gateway.members.stored.member(MemberId(shown.id)) if answer.replayed else None
    if not answer.replayed or (found is not None and found.token_hash == made.command.token_hash):
        response.body = _encoder.encode(msgspec.structs.replace(shown, invitation_token=made.token))
    return response


def _without_token(member: Member) -> InvitedMemberView:
    return invited_member_view(member)


async def find_members(request: Request[None, PageQuery], before: MemberId | None) -> Page[MemberView]:
    """A page of the merchant's members."""
    page = await request.gateway.members.members(request.caller.user_id, before=before, limit=request.query.limit)
    return page.map(member_view)


async def get_member(request: Request) -> Response:
    """Show a member of the merchant."""
    return json_response(
        200, member_view(await request.gateway.members.member(request.caller.user_id, member_id(request)))
    )


async def change_member(request: Request[ChangeMemberBody]) -> Response:
    """Give a member another role."""
    command = ChangeMember(
        merchant_id=request.caller.user_id,
        member_id=member_id(request),
        role=MemberRole(request.body.role),
        reason=request.body.reason,
        actor_id=request.caller.actor_id,
    )
    response = await submitted(request, command, member_view, record_of=identity)
    request.gateway.access.renew_endings()
    return response


async def remove_member(request: Request) -> Response:
    """Remove a member, or withdraw an invitation."""
    caller = request.caller
    await request.gateway.members.remove(
        member_id(request), merchant_id=caller.user_id, actor_id=caller.actor_id, origin=request.origin
    )
    return Response(status=204)


EXAMPLE_INVITED: Final[dict[str, Any]] = {
    "id": "mem_01kc3x0m5fe7v8qj2r4n6p9sts",
    "object": "member",
    "merchant_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stf",
    "email": "grace@example.com",
    "role": "support",
    "status": "invited",
    "user_id": None,
    "invited_by": "usr_01kc3x0m5fe7v8qj2r4n6p9stf",
    "created_at": "2026-01-02T03:04:05.678901Z",
    "joined_at": None,
    "expires_at": "2026-01-09T03:04:05.678901Z",
}
EXAMPLE_MEMBER: Final = {
    **EXAMPLE_INVITED,
    "status": "active",
    "user_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stt",
    "joined_at": "2026-01-03T03:04:05.678901Z",
    "expires_at": None,
}
EXAMPLE_TOKEN: Final = "gi_6f1c…"  # noqa: S105 - nobody's.


def operations(cursors: Cursors) -> tuple[AnyOperation, ...]:
    """The operations on members. Only people call them."""
    return (
        Operation(
            method="POST",
            path="/members",
            name="inviteMember",
            tag=TAG,
            summary="Invite somebody to act for the merchant; the token is shown here, and never again",
            handler=invite,
            status=201,
            body=InviteMemberBody,
            result=InvitedMemberView,
            idempotency=Idempotency.OPTIONAL,
            codes=("member_exists", "member_limit_reached"),
            examples={
                "somebody_new": {"email": "grace@example.com", "role": "support"},
                "somebody_registered": {"email": "ada@example.com", "role": "viewer"},
            },
            example_result={**EXAMPLE_INVITED, "invitation_token": EXAMPLE_TOKEN},
        ),
        Operation(
            method="GET",
            path="/members",
            name="listMembers",
            tag=TAG,
            summary="List the members of the merchant, with invitations",
            handler=listing(cursors, find_members),
            query=PageQuery,
            result=ListView[MemberView],
            codes=("cursor_invalid",),
            example_result={"object": "list", "data": [EXAMPLE_MEMBER], "has_more": False, "next_cursor": None},
        ),
        Operation(
            method="GET",
            path="/members/{member_id}",
            name="getMember",
            tag=TAG,
            summary="Show a member of the merchant, or an invitation",
            handler=get_member,
            result=MemberView,
            codes=("member_not_found",),
            example_result=EXAMPLE_MEMBER,
        ),
        Operation(
            method="PATCH",
            path="/members/{member_id}",
            name="changeMember",
            tag=TAG,
            summary="Give a member another role; every process notices it within two seconds",
            handler=change_member,
            body=ChangeMemberBody,
            result=MemberView,
            codes=("member_not_found", "last_owner"),
            example={"role": "viewer", "reason": "They work on other things now"},
            example_result={**EXAMPLE_MEMBER, "role": "viewer"},
        ),
        Operation(
            method="DELETE",
            path="/members/{member_id}",
            name="removeMember",
            tag=TAG,
            summary="Remove a member, or withdraw an invitation; every process notices it within two seconds",
            handler=remove_member,
            status=204,
            codes=("member_not_found", "last_owner"),
        ),
    )
