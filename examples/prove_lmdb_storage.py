"""The storage of `lmdb_storage`, proved by the contracts, and served over HTTP with tokens and passwords of one's own.

Run it with `pytest examples/prove_lmdb_storage.py` after `pip install gateway[server,contracts] lmdb`.
"""

import asyncio
import resource
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import httpx
import lmdb
import msgspec
import pytest
from lmdb_storage import open_lmdb_storage
from lmdb_storage.tables import Txn
from own_tokens import ScryptHasher, SealedTokens

from gateway import (
    Actor,
    ActorKind,
    AuditAction,
    AuditFilter,
    AuditId,
    AuditNote,
    AuditRecord,
    MakeDeposit,
    Money,
    Origin,
    Pay,
    PaymentOrder,
    StorageUnavailable,
    asgi,
    open_gateway,
)
from gateway.contracts.durability import DurabilityContract
from gateway.contracts.history import OpenStorage
from gateway.contracts.outages import Breakable, OpenBreakable, OutageContract
from gateway.contracts.storage import StorageContract
from gateway.ports import Storage
from gateway.testing import assert_sound


@pytest.fixture
def open_storage(tmp_path: Path) -> OpenStorage:
    """Opens an empty file each time."""
    numbers = count()
    return lambda: open_lmdb_storage(tmp_path / f"{next(numbers)}.lmdb", sync=False)


@pytest.fixture
def reopen_storage(tmp_path: Path) -> OpenStorage:
    """Opens the same file each time."""
    return lambda: open_lmdb_storage(tmp_path / "ledger.lmdb")


class TestStorage(StorageContract):
    """Every contract of a storage."""


class TestDurability(DurabilityContract):
    """The contract of what outlives its process."""


class TestOutages(OutageContract):
    """The contract of what may be away: here, the disk is full."""

    @pytest.fixture
    def open_breakable(self, tmp_path: Path) -> OpenBreakable:
        """Opens an empty file, whose disk can be filled."""

        @asynccontextmanager
        async def opened() -> AsyncGenerator[Breakable]:
            async with open_lmdb_storage(tmp_path / "ledger.lmdb") as storage:
                yield Breakable(storage, full_disk)

        return opened


@asynccontextmanager
async def full_disk() -> AsyncGenerator[None]:
    """This process cannot write to any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


LOCKING = """
import fcntl, sys
try:
    fcntl.flock(open(sys.argv[1], "rb"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("locked")
"""


async def test_two_cannot_have_the_file_open(tmp_path: Path) -> None:
    """Neither in this process nor, since the file is locked, in another one."""
    path = tmp_path / "ledger.lmdb"
    async with open_lmdb_storage(path):
        other = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", LOCKING, str(path)], capture_output=True, text=True, check=True
        )
        assert other.stdout == "locked\n"
        with pytest.raises(StorageUnavailable):
            async with open_lmdb_storage(path):
                pass
    async with open_lmdb_storage(path) as storage:
        await storage.reader.check()


PAYING = """
import asyncio, os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from lmdb_storage import open_lmdb_storage
from gateway import Money, Pay, PaymentOrder, UserId, open_gateway

async def pay(gateway, numbers):
    order = PaymentOrder(customer_id=UserId("ada"), merchant_id=UserId("shop"), amount=Money(1, "EUR"))
    for number in numbers:
        await gateway.execute(Pay(order=order), idempotency_key=f"order-{number}")
        os.write(1, f"{number}\\n".encode())
        if number == 50:
            os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with open_lmdb_storage(Path(sys.argv[1])) as storage, open_gateway(storage=storage) as gateway:
        await asyncio.gather(*(pay(gateway, range(first, 100, 4)) for first in range(4)))

asyncio.run(main())
"""


async def test_a_process_that_is_killed_has_lost_nothing_that_it_was_answered(tmp_path: Path) -> None:
    """It dies while others of its payments are committed. The ledger is sound, and each key is paid once."""
    path, here = tmp_path / "ledger.lmdb", str(Path(__file__).parent)
    async with open_lmdb_storage(path) as storage, open_gateway(storage=storage) as gateway:
        ada = await gateway.accounts.open_customer("ada", "EUR")
        shop = await gateway.accounts.open_merchant("shop", "EUR")
        await gateway.execute(MakeDeposit(account_id=ada.id, amount=Money(1_000, "EUR"), owner_id=None))
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", PAYING, str(path), here], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    answered = killed.stdout.split()
    async with open_lmdb_storage(path) as storage, open_gateway(storage=storage) as gateway:
        await assert_sound(gateway)
        order = PaymentOrder(customer_id=ada.owner_id, merchant_id=shop.owner_id, amount=Money(1, "EUR"))
        paid = 1_000 - (await gateway.accounts.open_customer("ada", "EUR")).available
        assert len(answered) <= paid <= len(answered) + 4
        for number in range(100):
            await gateway.execute(Pay(order=order), idempotency_key=f"order-{number}")
        assert (await gateway.accounts.open_customer("ada", "EUR")).available == 1_000 - 100
        await assert_sound(gateway)


NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def recorded(path: Path) -> list[AuditRecord]:
    """Write five records, and link them but the last one. Returns them, the newest first."""
    origin = Origin(actor=Actor(kind=ActorKind.SYSTEM, id="system"))
    async with open_lmdb_storage(path) as storage:
        for number in range(5):
            note = AuditNote(action=AuditAction.ACCOUNT_FROZEN, object_id=f"acc_{number}")
            audit_id = AuditId(f"aud_{number}")
            await storage.audit_log.append(AuditRecord(id=audit_id, origin=origin, note=note, created_at=NOW))
        assert await storage.audit_log.link(limit=4) == 4
        return list(await storage.audit_log.records(AuditFilter(), before=None, limit=10))


@contextmanager
def by_hand(path: Path) -> Generator[Txn]:
    """What somebody changes who has the file, and not the gateway."""
    with lmdb.open(str(path), subdir=False) as environment, environment.begin(write=True) as txn:
        yield txn


async def found(storage: Storage) -> list[str]:
    """What is not sound: the rule, and of what."""
    async with open_gateway(storage=storage) as gateway:
        try:
            await assert_sound(gateway)
        except AssertionError as error:
            return [line.partition(":")[0] for line in str(error).splitlines()[1:]]
    return []


UNREADABLE: Mapping[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[:-1],
    "another type": lambda _: msgspec.msgpack.encode("nothing"),
    "another action": lambda content: content.replace(b"account.", b"nothing."),
    "an actor without id": lambda content: content.replace(b"\xa2id\xa6system", b"\xa2id\xa0"),
}


@pytest.mark.parametrize("change", UNREADABLE)
async def test_a_record_of_the_audit_log_that_cannot_be_read_is_left_out_and_named(tmp_path: Path, change: str) -> None:
    """Whether it has its place in the chain or waits for it. Others go on."""
    path = tmp_path / "ledger.lmdb"
    last, _, linked, *_ = records = await recorded(path)
    with by_hand(path) as txn:
        for record in (last, linked):
            key = f"audit_log:{record.id}".encode()
            content = txn.get(key, b"")
            changed = UNREADABLE[change](content)
            assert changed != content
            txn.put(key, changed)
    async with open_lmdb_storage(path) as storage:
        listed = await storage.audit_log.records(AuditFilter(), before=None, limit=10)
        assert list(listed) == [record for record in records if record not in (last, linked)]
        assert await storage.audit_log.link(limit=10) == 0
        assert await found(storage) == [f"audit_record_missing of {record.id}" for record in (linked, last)]


async def test_an_end_of_the_audit_log_that_was_cut_off_stays_missing(tmp_path: Path) -> None:
    """However far the log goes on."""
    path = tmp_path / "ledger.lmdb"
    _, cut_off, *_ = await recorded(path)
    with by_hand(path) as txn:
        link = b"audit_chain:" + (4).to_bytes(8, "big")
        for key in [key for key, content in txn.cursor() if content == link.removeprefix(b"audit_chain:")]:
            assert txn.delete(key)
        assert txn.delete(link)
        assert txn.delete(f"audit_log:{cut_off.id}".encode())
    async with open_lmdb_storage(path) as storage:
        assert await found(storage) == ["audit_chain_cut of audit"]
        await storage.audit_log.link(limit=10)
        async with storage.audit() as audit:
            [links] = [page async for page in audit.audit_chain()]
            assert [each.link.position for each in links] == [1, 2, 3, 4]
        assert await found(storage) == ["audit_chain_cut of audit"]


class Served:
    """A gateway on a file, served over HTTP for as long as a client is open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tokens, self._passwords = SealedTokens(secrets.token_bytes(32)), ScryptHasher(cost=2)

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[httpx.AsyncClient]:
        """A client of the gateway, which opens with it and closes with it."""
        async with (
            open_lmdb_storage(self._path) as storage,
            open_gateway(storage=storage, tokens=self._tokens, passwords=self._passwords) as gateway,
            httpx.AsyncClient(transport=httpx.ASGITransport(asgi(gateway)), base_url="http://gateway") as client,
        ):
            yield client


class Person:
    """Somebody who registers, and logs in."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._credentials = {"email": f"{role}@example.com", "password": secrets.token_urlsafe()}
        self.headers: Mapping[str, str] = {}
        self.id = ""
        self.account_id = ""

    async def register(self, client: httpx.AsyncClient) -> None:
        """Register, with an account in euros."""
        asked = self._credentials | {"role": self._role, "currency": "EUR"}
        answer = await client.post("/users/register", json=asked)
        assert answer.status_code == 201, answer.text
        self.id, self.account_id = answer.json()["id"], answer.json()["accounts"][0]["id"]
        await self.log_in(client)

    async def log_in(self, client: httpx.AsyncClient) -> None:
        """Begin another session."""
        answer = await client.post("/users/login", json=self._credentials)
        assert answer.status_code == 200, answer.text
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_it_is_served_over_http_and_keeps_everything(tmp_path: Path) -> None:
    """With tokens and passwords of one's own: nothing but the use-cases and the HTTP API is the gateway's."""
    served, ada, shop = Served(tmp_path / "ledger.lmdb"), Person("customer"), Person("merchant")
    async with served.client() as client:
        await ada.register(client)
        await shop.register(client)
        credit = {"account_id": ada.account_id, "amount": 5_000, "currency": "EUR"}
        deposit = await client.post("/deposits", json=credit, headers={**ada.headers, "Idempotency-Key": "receipt-1"})
        assert deposit.status_code == 201, deposit.text
        order = {"merchant_id": shop.id, "amount": 1_999, "currency": "EUR"}
        paying = {**ada.headers, "Idempotency-Key": "order-1"}
        paid = await client.post("/payments", json=order, headers=paying)
        assert (paid.status_code, paid.json()["status"]) == (201, "captured")
    async with served.client() as client:
        # The old session goes on, the same key has the same answer, and after another login the money is there.
        again = await client.post("/payments", json=order, headers=paying)
        assert (again.status_code, again.content) == (201, paid.content)
        await ada.log_in(client)
        account = await client.get(f"/accounts/{ada.account_id}", headers=ada.headers)
        assert account.json()["balance"]["available"] == 5_000 - 1_999
        listed = await client.get("/payments", headers=ada.headers)
        assert [payment["id"] for payment in listed.json()["data"]] == [paid.json()["id"]]
