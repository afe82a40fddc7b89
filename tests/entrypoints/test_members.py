"""`gateway members`: members of any merchant, on the machine of the gateway."""

import asyncio
import os
from pathlib import Path

from click.testing import CliRunner, Result

from gateway import TRUSTED, AuditRecord, MemberId, Role, UserId, open_gateway
from gateway.application.ports.audit_log import AuditFilter
from gateway.entrypoints.cli import main


def members(folder: Path, *arguments: str) -> Result:
    """Run `gateway members …` in this process."""
    nothing_else: dict[str, str | None] = {name: None for name in os.environ if name.startswith("GATEWAY_")}
    settings = {"GATEWAY_DATABASE_URL": url_in(folder), "GATEWAY_DATA_DIR": str(folder)}
    return CliRunner().invoke(main, ["members", *arguments], env=nothing_else | settings, catch_exceptions=False)


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder}/gateway.sqlite3"


async def a_merchant(folder: Path) -> UserId:
    async with open_gateway(url_in(folder)) as gateway:
        made = await gateway.access.register(email="shop@example.com", password="a long passphrase", role=Role.MERCHANT)
    return made.user.id


async def joined(folder: Path, token: str) -> MemberId:
    async with open_gateway(url_in(folder)) as gateway:
        return (await gateway.members.accept_as_new_user(token, password="a long passphrase")).id


async def records_of(folder: Path, member_id: str) -> list[AuditRecord]:
    async with open_gateway(url_in(folder)) as gateway:
        return list((await gateway.audit.records(TRUSTED, AuditFilter(object_id=member_id))).items)


def test_a_member_is_invited_listed_changed_and_removed(tmp_path: Path) -> None:
    merchant = asyncio.run(a_merchant(tmp_path))
    invited = members(tmp_path, "invite", "--merchant", merchant, "--email", "g@example.com", "--role", "viewer")
    assert invited.exit_code == 0, invited.output
    member_id = asyncio.run(joined(tmp_path, invited.stdout.strip()))
    assert member_id in invited.stderr
    changed = members(
        tmp_path, "change", member_id, "--merchant", merchant, "--role", "owner", "--reason", "The first one has left"
    )
    assert changed.stdout == f"The role of {member_id} is owner.\n"
    listed = members(tmp_path, "list", "--merchant", merchant).stdout.splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [
        [member_id, "owner", "active"],
        [f"mem_{merchant}", "owner", "active"],
    ]
    assert members(tmp_path, "remove", member_id, "--merchant", merchant).exit_code == 0
    again = members(tmp_path, "remove", member_id, "--merchant", merchant)
    assert again.exit_code != 0
    assert "There is no such member." in again.output
    told = {each.note.action.value: each for each in asyncio.run(records_of(tmp_path, member_id))}
    assert told["member.changed"].note.reason == "The first one has left"
    assert {told[f"member.{name}"].origin.actor.id for name in ("invited", "changed", "removed")} == {"cli"}


def test_people_are_named_by_their_address_or_id(tmp_path: Path) -> None:
    merchant = asyncio.run(a_merchant(tmp_path))
    shop = ("--merchant", "Shop@example.com")
    assert members(tmp_path, "invite", *shop, "--email", "g@example.com", "--role", "viewer").exit_code == 0
    changed = members(tmp_path, "change", "G@example.com", *shop, "--role", "support")
    assert changed.stdout.endswith(" is support.\n")
    assert "g@example.com" in members(tmp_path, "list", *shop).stdout
    founder = members(tmp_path, "remove", "shop@example.com", *shop)
    assert founder.exit_code == 1
    assert members(tmp_path, "remove", "g@example.com", *shop).exit_code == 0
    for command in (("list", "--merchant", "eve@example.com"), ("list", "--merchant", "usr_typo")):
        refused = members(tmp_path, *command)
        assert (refused.exit_code, refused.output) == (1, "Error: There is no such user.\n")
    gone = members(tmp_path, "remove", "g@example.com", "--merchant", merchant)
    assert (gone.exit_code, gone.output) == (1, "Error: There is no such member.\n")


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    refused = members(tmp_path, "list", "--merchant", "usr_x")
    assert (refused.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert refused.output.startswith("Error: There is no ledger in sqlite:///")
