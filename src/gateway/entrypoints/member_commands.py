"""The commands on members of merchants, with their flags."""

import click

from gateway.domain.member_role import MemberRole
from gateway.entrypoints.flags import settings_flags

_merchant = click.option("--merchant", required=True, metavar="EMAIL-OR-ID", help="The merchant: its first owner.")
_role = click.option(
    "--role", required=True, type=click.Choice([role.value for role in MemberRole]), help="What the member may do."
)
_reason = click.option("--reason", help="Why, for the audit log (default: no reason).")


@click.group
def members() -> None:
    """Invite, list, change and remove members of any merchant."""


@members.command
@_merchant
@click.option("--email", required=True, help="The address of the invited person.")
@_role
@settings_flags("environment", "data_dir", "database_url")
def invite(*, merchant: str, email: str, role: str, **flags: str | None) -> None:
    """Invite somebody, and print the token: it is stored as a hash, and never shown again."""
    from gateway.entrypoints.members import invite as run

    run(flags, merchant=merchant, email=email, role=role)


@members.command(name="list")
@_merchant
@settings_flags("environment", "data_dir", "database_url")
def list_members(*, merchant: str, **flags: str | None) -> None:
    """List members and invitations, the newest first. The merchant's own user is the last one."""
    from gateway.entrypoints.members import list_members as run

    run(flags, merchant=merchant)


@members.command
@click.argument("member", metavar="EMAIL-OR-ID")
@_merchant
@_role
@_reason
@settings_flags("environment", "data_dir", "database_url")
def change(*, member: str, merchant: str, role: str, reason: str | None, **flags: str | None) -> None:
    """Give a member another role: running servers notice it within two seconds."""
    from gateway.entrypoints.members import change as run

    run(flags, member=member, merchant=merchant, role=role, reason=reason)


@members.command
@click.argument("member", metavar="EMAIL-OR-ID")
@_merchant
@_reason
@settings_flags("environment", "data_dir", "database_url")
def remove(*, member: str, merchant: str, reason: str | None, **flags: str | None) -> None:
    """Remove a member, or withdraw an invitation: running servers notice it within two seconds."""
    from gateway.entrypoints.members import remove as run

    run(flags, member=member, merchant=merchant, reason=reason)
