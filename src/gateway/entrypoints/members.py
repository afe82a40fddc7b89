"""`gateway members`: members of any merchant, for operators on the machine of the gateway."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import click
from rich.table import Table

from gateway.application.access.spellings import spellings_of
from gateway.application.members import Invitation, Members
from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.refusal import StartRefused
from gateway.domain.limits import LIST_LIMIT_MAX
from gateway.domain.member import Member, MemberId
from gateway.domain.member_errors import MemberNotFound
from gateway.domain.member_role import MemberRole
from gateway.domain.user import UserId
from gateway.entrypoints.cli_origin import cli_origin
from gateway.entrypoints.existing_gateway import existing_gateway, user_named
from gateway.entrypoints.flags import Flags, settings_with
from gateway.entrypoints.output import output


def invite(flags: Flags, *, merchant: str, email: str, role: str) -> None:
    """Invite somebody, and print the token."""

    async def run() -> Invitation:
        async with _opened(flags, merchant) as (members, merchant_id):
            return await members.invite(
                merchant_id=merchant_id, email=email, role=MemberRole(role), origin=cli_origin()
            )

    made = asyncio.run(run())
    # The token on standard output, for a variable or a file; what it is on standard error.
    click.echo(made.token)
    until = f"{made.member.expires_at:%Y-%m-%d %H:%M}"
    click.echo(f"The invitation {made.member.id} is good once, until {until} UTC. It is not shown again.", err=True)


def change(flags: Flags, *, member: str, merchant: str, role: str, reason: str | None) -> None:
    """Give a member another role."""

    async def run() -> Member:
        async with _opened(flags, merchant) as (members, merchant_id):
            return await members.change(
                await _member_id(members, merchant_id, member),
                merchant_id=merchant_id,
                role=MemberRole(role),
                reason=reason,
                origin=cli_origin(),
            )

    changed = asyncio.run(run())
    click.echo(f"The role of {changed.id} is {changed.role}.")


def remove(flags: Flags, *, member: str, merchant: str, reason: str | None) -> None:
    """Remove a member."""

    async def run() -> Member:
        async with _opened(flags, merchant) as (members, merchant_id):
            member_id = await _member_id(members, merchant_id, member)
            return await members.remove(member_id, merchant_id=merchant_id, reason=reason, origin=cli_origin())

    click.echo(f"The member {asyncio.run(run()).id} is removed.")


def list_members(flags: Flags, *, merchant: str) -> None:
    """List members."""
    table = Table("id", "role", "status", "email", "user", "created", box=None, pad_edge=False)
    for member in asyncio.run(_listed(flags, merchant)):
        created = f"{member.created_at:%Y-%m-%d %H:%M}"
        table.add_row(member.id, member.role, member.status, member.email, member.user_id or "", created)
    output().print(table)


async def _listed(flags: Flags, merchant: str) -> Sequence[Member]:
    async with _opened(flags, merchant) as (members, merchant_id):
        return await _all_members(members, merchant_id)


async def _all_members(members: Members, merchant_id: UserId) -> Sequence[Member]:
    found: list[Member] = []
    before: MemberId | None = None
    while True:
        page = await members.members(merchant_id, before=before, limit=LIST_LIMIT_MAX)
        found.extend(page.items)
        if page.next_before is None:
            return found
        before = MemberId(page.next_before)


async def _member_id(members: Members, merchant_id: UserId, who: str) -> MemberId:
    """The id of the member or invitation of an e-mail address, or an id as it was given.

    Raises:
        MemberNotFound: The merchant has no member with this address.
    """
    if "@" not in who:
        return MemberId(who)
    spellings = spellings_of(who)
    found = [each.id for each in await _all_members(members, merchant_id) if each.email in spellings]
    if not found:
        raise MemberNotFound("There is no such member.")
    return found[0]


@asynccontextmanager
async def _opened(flags: Flags, merchant: str) -> AsyncGenerator[tuple[Members, UserId]]:
    """The members, and the id of the merchant."""
    settings = settings_with(flags)
    if settings.url == MEMORY_URL:
        raise StartRefused("There are no members: memory:// keeps nothing when a command ends.")
    async with existing_gateway(settings) as gateway:
        yield gateway.members, (await user_named(gateway, merchant)).id
