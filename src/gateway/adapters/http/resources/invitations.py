"""Invitations and memberships: what a user does to act for a merchant, or no more."""

from typing import Annotated, Any, Final

import msgspec

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import AnyOperation, Body, ListView, Operation, json_response
from gateway.adapters.http.resources.fields import Name, PageQuery
from gateway.adapters.http.resources.members import EXAMPLE_MEMBER, EXAMPLE_TOKEN, TAG, member_id
from gateway.adapters.http.resources.users import EXAMPLE_PASSWORD, NewPassword
from gateway.application.queries import Page
from gateway.application.rate_limits.rate_limits import REGISTRATIONS
from gateway.application.views.members import MembershipView, MemberView, member_view, membership_view
from gateway.domain.audit import ANYBODY, Origin
from gateway.domain.limits import INVITATION_TOKEN_LENGTH_MAX
from gateway.domain.member import MemberId

Token = Annotated[str, msgspec.Meta(min_length=1, max_length=INVITATION_TOKEN_LENGTH_MAX)]


class AcceptInvitationBody(Body, frozen=True, kw_only=True):
    """The token of the invitation."""

    token: Token


class RegisterMemberBody(Body, frozen=True, kw_only=True):
    """The token of the invitation, and what the new user logs in with beside the address that was invited."""

    token: Token
    password: NewPassword
    name: Name | None = None


async def accept(request: Request[AcceptInvitationBody]) -> Response:
    """Accept an invitation as the caller."""
    member = await request.gateway.members.accept(request.caller, request.body.token, origin=request.origin)
    return json_response(200, member_view(member))


async def register_member(request: Request[RegisterMemberBody]) -> Response:
    """Accept an invitation as a new user."""
    body = request.body
    origin = Origin(actor=ANYBODY, address=request.address, request_id=request.request_id)
    member = await request.gateway.members.accept_as_new_user(
        body.token, password=body.password, name=body.name, origin=origin
    )
    return json_response(201, member_view(member))


async def find_memberships(request: Request[None, PageQuery], before: MemberId | None) -> Page[MembershipView]:
    """A page of the merchants that the caller acts for."""
    page = await request.gateway.members.memberships(request.caller, before=before, limit=request.query.limit)
    return page.map(membership_view)


async def leave(request: Request) -> Response:
    """Act for a merchant no more."""
    await request.gateway.members.leave(request.caller, member_id(request), origin=request.origin)
    return Response(status=204)


EXAMPLE_MEMBERSHIP: Final[dict[str, Any]] = {
    "id": "mem_01kc3x0m5fe7v8qj2r4n6p9sts",
    "object": "membership",
    "merchant_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stf",
    "merchant_name": "Shop",
    "role": "support",
    "joined_at": "2026-01-03T03:04:05.678901Z",
}


def operations(cursors: Cursors) -> tuple[AnyOperation, ...]:
    """The operations on invitations and memberships. Only people call them."""
    return (
        Operation(
            method="POST",
            path="/invitations/accept",
            name="acceptInvitation",
            tag=TAG,
            summary="Accept an invitation as the caller, who has registered with the address that was invited",
            handler=accept,
            body=AcceptInvitationBody,
            result=MemberView,
            codes=("invitation_not_found", "user_not_found"),
            example={"token": EXAMPLE_TOKEN},
            example_result=EXAMPLE_MEMBER,
        ),
        Operation(
            method="POST",
            path="/invitations/register",
            name="registerMember",
            tag=TAG,
            summary="Accept an invitation as a new user, who logs in with the address that was invited",
            handler=register_member,
            status=201,
            body=RegisterMemberBody,
            result=MemberView,
            codes=("invitation_not_found", "email_taken", "user_disabled"),
            limited_by=REGISTRATIONS,
            example={"token": EXAMPLE_TOKEN, "password": EXAMPLE_PASSWORD, "name": "Grace"},
            example_result=EXAMPLE_MEMBER,
        ),
        Operation(
            method="GET",
            path="/memberships",
            name="listMemberships",
            tag=TAG,
            summary="List the merchants that the caller acts for as a member",
            handler=listing(cursors, find_memberships),
            query=PageQuery,
            result=ListView[MembershipView],
            codes=("cursor_invalid",),
            example_result={"object": "list", "data": [EXAMPLE_MEMBERSHIP], "has_more": False, "next_cursor": None},
        ),
        Operation(
            method="DELETE",
            path="/memberships/{member_id}",
            name="leaveMerchant",
            tag=TAG,
            summary="Act for a merchant no more",
            handler=leave,
            status=204,
            codes=("member_not_found",),
        ),
    )
