"""Migration 0023: keys and records of before stay, the chain's end is written down, and processes of before go on."""

from datetime import UTC, datetime

from gateway.adapters.sql import migrate, open_sql_storage
from gateway.application.audit_chain import chained
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.application.verification.findings import Findings
from gateway.application.verification.verify import verify
from gateway.contracts.audit_log import a_record
from gateway.contracts.records import NOW, api_key_id, commit, user_id
from support.migrations import execute, on_connection, to_revision

RECORDS = [a_record(number) for number in range(1, 4)]
KEY = """
    INSERT INTO api_keys (id, owner_id, owner_role, name, scopes, secret_hash, last_four, created_at, sequence)
    VALUES ('{id}', '{owner}', 'merchant', 'Shop', 'payments:read', {hash}, 'abcd', {now}, 1)
"""
RECORD = """
    INSERT INTO audit_log (id, actor_kind, actor_id, action, object_id, created_at, address, before, after)
    VALUES ('{id}', 'operator', 'usr_1', 'account.frozen', 'acc_1', {now}, '192.0.2.1', '{{}}', '{{}}')
"""
LINK = "INSERT INTO audit_chain (position, audit_id, hash) VALUES ({position}, '{id}', {hash})"


class Before:
    """What processes of the version before write."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")

    def moment(self, at: datetime) -> str:
        micros = int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000 + at.microsecond
        return str(micros) if self.is_sqlite else f"'{at.isoformat()}'"

    def binary(self, value: bytes) -> str:
        return f"x'{value.hex()}'" if self.is_sqlite else f"decode('{value.hex()}', 'hex')"

    async def key(self, number: int) -> None:
        fields = {"id": api_key_id(number), "owner": user_id(2), "hash": self.binary(bytes([number] * 32))}
        await execute(self.url, KEY.format(now=self.moment(NOW), **fields))

    async def linked(self, first: int, last: int) -> None:
        links = list(chained(RECORDS, position=0, previous=bytes(32)))
        for record, link in list(zip(RECORDS, links, strict=True))[first - 1 : last]:
            await execute(self.url, RECORD.format(id=record.id, now=self.moment(record.created_at)))
            await execute(self.url, LINK.format(position=link.position, id=link.audit_id, hash=self.binary(link.hash)))


async def findings_of(storage: Storage) -> Findings:
    async with storage.audit() as audit:
        return await verify(audit)


async def test_keys_and_records_of_before_stay_and_processes_of_before_go_on(empty_url: str) -> None:
    before = Before(empty_url)
    await on_connection(empty_url, to_revision("0019"))
    await before.key(1)
    await before.linked(1, 2)
    await migrate(empty_url)
    await before.key(2)
    async with open_sql_storage(empty_url) as storage:
        found = [await storage.api_keys.key(api_key_id(number)) for number in (1, 2)]
        assert [None if key is None else key.requests_per_minute for key in found] == [None, None]
        assert [None if key is None else key.secret_hash[0] for key in found] == [1, 2]
        sound = await findings_of(storage)
        assert (sound.named, sound.audit_head.position) == ([], 2)
        await before.linked(3, 3)
        sound = await findings_of(storage)
        assert (sound.named, sound.audit_head.position) == ([], 3)
        await commit(storage, Changes(audit_new=[a_record(4, owner_id=user_id(2))]))
        assert await storage.audit_log.link(limit=10) == 1
        assert (await findings_of(storage)).named == []
        await execute(
            empty_url, "DELETE FROM audit_log WHERE id IN (SELECT audit_id FROM audit_chain WHERE position = 4)"
        )
        await execute(empty_url, "DELETE FROM audit_chain WHERE position = 4")
        assert [finding.rule for finding in (await findings_of(storage)).named] == ["audit_chain_cut"]


async def test_the_end_of_an_empty_chain_is_its_beginning(empty_url: str) -> None:
    await on_connection(empty_url, to_revision("0019"))
    await migrate(empty_url)
    async with open_sql_storage(empty_url) as storage:
        assert (await findings_of(storage)).named == []
        await storage.audit_log.append(a_record(1))
        await storage.audit_log.link(limit=10)
        assert (await findings_of(storage)).named == []
