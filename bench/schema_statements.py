"""The statement that writes a batch of payments, as the gateway makes it, and the same for other schemas."""

import random
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column

from bench.population import PAYMENT_MINOR
from bench.schemas import ID_COLUMNS, Variant
from gateway.adapters.sql.constant_columns import ConstantColumns
from gateway.adapters.sql.postgres_queries import Statement, statement_of
from gateway.adapters.sql.rows.accounts import ACCOUNT_CHANGES
from gateway.adapters.sql.rows.events import EVENT_COLUMNS
from gateway.adapters.sql.tables.events import answers
from gateway.adapters.sql.tables.ledger import payments, transfers
from gateway.adapters.sql.writing import Writes
from gateway.adapters.system.identifiers import time_ordered_id

Row = tuple[Any, ...]

KEPT: Final = ("owner_id", "key", "fingerprint", "body")
"""What an answer in the row of its event has; the rest is in the event."""
IDS: Final = frozenset(name for names in ID_COLUMNS.values() for name in names) | {"answer_owner_id"}

ABOUT_ALL: Final[Mapping[str, Any]] = {
    "amount": PAYMENT_MINOR,
    "amount_captured": PAYMENT_MINOR,
    "currency": "USD",
    "metadata": "{}",
    "version": 1,
    "status": "captured",
    "capture": "automatic",
    "kind": "post",
    "sequence": 1,
}


class Ledger:
    """The accounts of customers and merchants as all variants have them."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._accounts = {row["id"]: dict(row) for row in rows}
        self._customers = [row for row in self._accounts.values() if row["kind"] == "customer"]
        self._merchants = [row for row in self._accounts.values() if row["kind"] == "merchant"]
        self._constant = ConstantColumns()

    def batch(self, count: int) -> Statement:
        """The statement of the next payments, of anybody to anybody."""
        now = datetime.now(UTC)
        before: dict[str, int] = {}
        rows = [self._payment(index, now, before) for index in range(count)]
        ids = [row["event_id"] for row in rows]
        writes: Writes = {
            "accounts_changed": [
                (*_row(ACCOUNT_CHANGES, {**self._accounts[account_id], "latest_at": now}), version)
                for account_id, version in before.items()
            ],
            "payments_new": [_row(payments.c, {**row, "id": row["payment_id"]}) for row in rows],
            "transactions_new": [_row(transfers.c, {**row, "type": "payment"}) for row in rows],
            "event_batches_new": [(ids[0], ids[-1], count)],
            "events_new": [
                _row(EVENT_COLUMNS, {**row, "id": row["event_id"], "type": "payment.captured"}) for row in rows
            ],
            "answers_new": [_row(answers.c, row) for row in rows],
        }
        return statement_of(writes, self._constant, checked=True)

    def _payment(self, index: int, now: datetime, before: dict[str, int]) -> Mapping[str, Any]:
        """The values of all rows of a payment. Notes the versions that accounts had before."""
        new_id = time_ordered_id.of(now)
        payer, payee = random.choice(self._customers), random.choice(self._merchants)
        for account, column in ((payer, "debits_posted"), (payee, "credits_posted")):
            before.setdefault(account["id"], account["version"])
            account[column] += PAYMENT_MINOR
            account["version"] += 1
        payment_id, customer_id, merchant_id = new_id("pay"), payer["owner_id"], payee["owner_id"]
        return {
            **ABOUT_ALL,
            "created_at": now,
            "updated_at": now,
            "customer_id": customer_id,
            "merchant_id": merchant_id,
            "payment_id": payment_id,
            "transaction_id": new_id("txn"),
            "event_id": new_id("evt"),
            "debit_account_id": payer["id"],
            "debit_version": payer["version"],
            "debit_posted_after": payer["credits_posted"] - payer["debits_posted"],
            "credit_account_id": payee["id"],
            "credit_version": payee["version"],
            "credit_posted_after": payee["credits_posted"] - payee["debits_posted"],
            "object_id": payment_id,
            "batch_index": index,
            "data": _data(payment_id, customer_id, merchant_id, now),
            "owner_id": customer_id,
            "key": f"5f1c9ae2-{random.getrandbits(36)}",
            "body": b"201",
            "fingerprint": random.randbytes(32),
        }


def _row(columns: Iterable[Column[Any]], given: Mapping[str, Any]) -> Row:
    """The values of columns: those that are not given are null, or 0 where they cannot be."""
    return tuple(given.get(each.name, None if each.nullable else 0) for each in columns)


def _data(payment_id: str, customer_id: str, merchant_id: str, now: datetime) -> str:
    at = now.isoformat().replace("+00:00", "Z")
    return (
        f'{{"id":"{payment_id}","object":"payment","status":"captured","amount":5,"currency":"USD",'
        f'"amount_capturable":0,"amount_captured":5,"amount_refunded":0,"fee_amount":0,"net_amount":5,'
        f'"capture":"automatic","customer_id":"{customer_id}","merchant_id":"{merchant_id}","reference":null,'
        f'"description":null,"metadata":{{}},"expires_at":null,"failure_code":null,"version":1,"created_at":"{at}",'
        f'"updated_at":"{at}","allowed_actions":["refund"],"quote_id":null}}'
    )


@dataclass(frozen=True, slots=True)
class Adapted:
    """The statement of a variant.

    Attributes:
        text: What is sent.
        places: The places of its arguments among the original ones.
        ids: The columns of ids, which are sent as UUIDs.
    """

    text: str
    places: Sequence[int]
    ids: frozenset[int]

    def arguments(self, given: Sequence[Any]) -> list[Any]:
        """The arguments, in their order."""
        return [_as_uuids(given[place]) if place in self.ids else given[place] for place in self.places]


_GIVEN: Final = re.compile(r"unnest\((?P<arrays>[^()]*)\) AS given\((?P<names>[^()]*)\)")
_ONE: Final = re.compile(r"\$(?P<number>\d+)::[^,$]*? AS (?P<name>\w+)")
_NUMBER: Final = re.compile(r"\$(\d+)::")
_ANSWERS: Final = re.compile(
    r", \nanswers_new AS \n\(INSERT INTO answers \(.*?\) SELECT (?P<values>.*?) \nFROM "
    r"unnest\((?P<arrays>[^()]*)\) AS given\((?P<names>[^()]*)\) RETURNING 1\)"
)
_ANSWERS_COUNT: Final = re.compile(r" AND \(SELECT count\(\*\) AS \w+ \nFROM answers_new\) = cardinality\([^()]*\)")
_EVENTS: Final = re.compile(
    r"(?P<head>INSERT INTO events \([^()]*)\) SELECT (?P<values>.*?AS anon_\d+) \nFROM unnest\((?P<arrays>[^()]*)\) "
    r"AS given\((?P<names>[^()]*)\)",
    re.DOTALL,
)
_DIGITS: Final = str.maketrans("0123456789abcdefghjkmnpqrstvwxyz", "0123456789abcdefghijklmnopqrstuv")


@lru_cache(maxsize=64)
def adapted(text: str, variant: Variant) -> Adapted:
    """The statement of the gateway for a variant."""
    if variant.answers_in_events:
        text = _with_answers_in_events(text)
    ids = _numbers_of_ids(text, IDS - variant.texts) if variant.uuids else frozenset()
    for number in ids:
        text = text.replace(f'${number}::TEXT[] COLLATE "C"', f"${number}::UUID[]")
        text = text.replace(f'${number}::VARCHAR COLLATE "C"', f"${number}::UUID")
    order = list(dict.fromkeys(map(int, _NUMBER.findall(text))))
    text = _NUMBER.sub(lambda found: f"${order.index(int(found[1])) + 1}::", text)
    return Adapted(text, [number - 1 for number in order], frozenset(number - 1 for number in ids))


def _numbers_of_ids(text: str, columns: Collection[str]) -> frozenset[int]:
    ids = {int(found["number"]) for found in _ONE.finditer(text) if found["name"] in columns}
    for found in _GIVEN.finditer(text):
        numbers = map(int, _NUMBER.findall(found["arrays"]))
        ids |= {number for number, name in zip(numbers, found["names"].split(", "), strict=True) if name in columns}
    return frozenset(ids)


def _with_answers_in_events(text: str) -> str:
    found = _ANSWERS.search(text)
    if found is None:
        raise RuntimeError("The statement writes no answers.")
    values = [each.rpartition(" AS ") for each in found["values"].split(", ")]
    kept = ", ".join(
        f"{value.replace('given.', 'given.answer_')} AS answer_{name}" for value, _, name in values if name in KEPT
    )
    columns = zip(found["arrays"].split(", "), found["names"].split(", "), strict=True)
    given = [(array, f"answer_{name}") for array, name in columns if name in KEPT]
    arrays, names = ", ".join(array for array, _ in given), ", ".join(name for _, name in given)
    text = _ANSWERS_COUNT.sub("", _ANSWERS.sub("", text))
    return _EVENTS.sub(
        lambda of: (
            f"{of['head']}, {', '.join(f'answer_{name}' for name in KEPT)}) SELECT {of['values']}, {kept} \n"
            f"FROM unnest({of['arrays']}, {arrays}) AS given({of['names']}, {names})"
        ),
        text,
    )


def to_uuid_bytes(record_id: str) -> bytes:
    """The 16 bytes of an id."""
    return int(record_id[-26:].translate(_DIGITS), 32).to_bytes(16, "big")


def _as_uuids(given: str | Sequence[str] | None) -> UUID | Sequence[bytes] | None:
    """An id as asyncpg takes it; ids as the codec of arrays takes them."""
    if given is None:
        return None
    return UUID(bytes=to_uuid_bytes(given)) if isinstance(given, str) else [*map(to_uuid_bytes, given)]
