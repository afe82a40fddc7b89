"""`gateway members`: members of any merchant, for operators on the machine of the gateway."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import click
from rich.table import Table

from gateway.application.members import Invitation, Members
from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.refusal import StartRefused
from gateway.bootstrap.wiring import open_gateway
from gateway.domain.limits import LIST_LIMIT_MAX
from gateway.domain.member import Member, MemberId
from gateway.domain.member_role import MemberRole
from gateway.domain.user import UserId
from gateway.entrypoints.cli_origin import cli_origin
from gateway.entrypoints.flags import Flags, settings_with
from gateway.entrypoints.output import output


def invite(flags: Flags, *, merchant: str, email: str, role: str) -> None:
    """Invite somebody, and print the token."""

    async def run() -> Invitation:
        async with _opened(flags) as members:
            return await members.invite(
                merchant_id=UserId(merchant), email=email, role=MemberRole(role), origin=cli_origin()
            )

    made = asyncio.run(run())
    # The token on standard output, for a variable or a file; what it is on standard error.
    click.echo(made.token)
    until = f"{made.member.expires_at:%Y-%m-%d %H:%M}"
    click.echo(f"The invitation {made.member.id} is good once, until {until} UTC. It is not shown again.", err=True)


def change(flags: Flags, *, member_id: str, merchant: str, role: str, reason: str | None) -> None:
    """Give a member another role."""

    async def run() -> Member:
        async with _opened(flags) as members:
            return await members.change(
                MemberId(member_id),
                merchant_id=UserId(merchant),
                role=MemberRole(role),
                reason=reason,
                origin=cli_origin(),
            )

    member = asyncio.run(run())
    click.echo(f"The role of {member.id} is {member.role}.")


def remove(flags: Flags, *, member_id: str, merchant: str, reason: str | None) -> None:
    """Remove a member."""

    async def run() -> Member:
        async with _opened(flags) as members:
            return await members.remove(
                MemberId(member_id), merchant_id=UserId(merchant), reason=reason, origin=cli_origin()
            )

    click.echo(f"The member {asyncio.run(run()).id} is removed.")


def list_members(flags: Flags, *, merchant: str) -> None:
    """List members."""
    table = Table("id", "role", "status", "email", "user", "created", box=None, pad_edge=False)
    for member in asyncio.run(_listed(flags, UserId(merchant))):
        created = f"{member.created_at:%Y-%m-%d %H:%M}"
        table.add_row(member.id, member.role, member.status, member.email, member.user_id or "", created)
    output().print(table)


async def _listed(flags: Flags, merchant_id: UserId) -> Sequence[Member]:
    found: list[Member] = []
    before: MemberId | None = None
    async with _opened(flags) as members:
        while True:
            page = await members.members(merchant_id, before=before, limit=LIST_LIMIT_MAX)
            found.extend(page.items)
            if page.next_before is None:
                return found
            before = MemberId(page.next_before)


@asynccontextmanager
async def _opened(flags: Flags) -> AsyncGenerator[Members]:
    settings = settings_with(flags)
    if settings.url == MEMORY_URL:
        raise StartRefused("There are no members: memory:// keeps nothing when a command ends.")
    async with open_gateway(settings) as gateway:
        yield gateway.members
