"""Tables of records in LMDB, with indexes. Nothing here knows of payments.

All keys stand in one ordered map. A record is at `table:key`. An entry of an index is at `table.index:value` and holds
the key of its record. That key also follows the value, so that the entries of one value are in the order of keys; in a
unique index it does not.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Generic, Self, TypeAlias, TypeVar

import lmdb
import msgspec

from gateway.ports import KeyTaken, StorageRefused

Record = TypeVar("Record")
Txn: TypeAlias = "lmdb.Transaction[bytes]"
IndexOf: TypeAlias = Callable[[Record], Iterable[bytes]]
"""The values under which an index finds a record."""

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBER_MAX = 2**64 - 1


def name(*texts: str) -> bytes:
    """A value of an index for some texts together: 16 bytes, since LMDB's keys have at most 511."""
    digest = blake2b(digest_size=16)
    for text in texts:
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.digest()


def names(*texts: str | None) -> list[bytes]:
    """A value for each text that is one."""
    return [name(text) for text in texts if text is not None]


def number(value: int) -> bytes:
    """A value that sorts as the number does."""
    return min(max(value, 0), _NUMBER_MAX).to_bytes(8, "big")


def moment(at: datetime) -> bytes:
    """A value that sorts as the moment does."""
    return number((at - _BEGINNING) // _MICROSECOND)


def moments(*ats: datetime | None) -> list[bytes]:
    """A value for each moment that is one."""
    return [moment(at) for at in ats if at is not None]


def ascending(txn: Txn, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What is at the keys from `first` to before `end`."""
    with txn.cursor() as cursor:
        if cursor.set_range(first):
            for key, content in cursor.iternext():
                if key >= end:
                    return
                yield key, content


def descending(txn: Txn, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The same, from its end."""
    with txn.cursor() as cursor:
        if cursor.prev() if cursor.set_range(end) else cursor.last():
            for key, content in cursor.iterprev():
                if key < first:
                    return
                yield key, content


def behind(prefix: bytes) -> bytes:
    """The first key behind all keys with a prefix."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1])


def is_empty(txn: Txn) -> bool:
    """Whether the file has nothing: it is new."""
    return not any(True for _ in ascending(txn, b"\x00", b"\xff"))


class Table(Generic[Record]):
    """The records of one type, by a key. Its methods take the transaction in which they read and write."""

    def __init__(self, table: str, kind: type[Record], key: Callable[[Record], str | bytes]) -> None:
        self._table = table
        self._prefix = f"{table}:".encode()
        self._key = key
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._indexes: dict[str, IndexOf[Record]] = {}
        self._unique: dict[str, IndexOf[Record]] = {}
        self._left_out: tuple[type[Exception], ...] = ()

    def index(self, **indexes: IndexOf[Record]) -> Self:
        """Find records by these values too."""
        self._indexes |= indexes
        return self

    def unique(self, **indexes: IndexOf[Record]) -> Self:
        """The same, and no two records have the same value."""
        self._unique |= indexes
        return self

    def without_unreadable(self) -> Self:
        """Leave out what cannot be read: somebody has changed it by hand, or a newer version has written it."""
        self._left_out = (msgspec.DecodeError,)
        return self

    def get(self, txn: Txn, key: str | bytes) -> Record | None:
        """The record with this key."""
        content = txn.get(self._prefix + _bytes(key))
        return None if content is None else self._read(content)

    def has_key(self, txn: Txn, key: str | bytes) -> bool:
        """Whether there is a record with this key, also one that cannot be read."""
        return txn.get(self._prefix + _bytes(key)) is not None

    def found(self, txn: Txn, keys: Iterable[str | bytes]) -> list[Record]:
        """The records with these keys, as far as there are any."""
        records = (self.get(txn, key) for key in keys)
        return [record for record in records if record is not None]

    def all(self, txn: Txn, *, first: bytes = b"", before: bytes | None = None) -> Iterator[Record]:
        """The records in the order of their keys: from `first` on, to before `before`."""
        end = behind(self._prefix) if before is None else self._prefix + before
        return self._readable(content for _, content in ascending(txn, self._prefix + first, end))

    def keys(self, txn: Txn) -> Iterator[bytes]:
        """The keys of all records, also of those that cannot be read, in their order."""
        return (key.removeprefix(self._prefix) for key, _ in ascending(txn, self._prefix, behind(self._prefix)))

    def count(self, txn: Txn) -> int:
        """How many records there are."""
        return sum(1 for _ in ascending(txn, self._prefix, behind(self._prefix)))

    def newest(self, txn: Txn, before: str | bytes | None = None) -> Iterator[Record]:
        """The records with keys less than `before`, from the last one on."""
        end = behind(self._prefix) if before is None else self._prefix + _bytes(before)
        return self._readable(content for _, content in descending(txn, self._prefix, end))

    def one(self, txn: Txn, index: str, value: bytes) -> Record | None:
        """The record with a value in a unique index."""
        key = txn.get(self._entry(index) + value)
        return None if key is None else self.get(txn, key)

    def has(self, txn: Txn, index: str, value: bytes) -> bool:
        """Whether there is a record with this value in an index, or with one that begins so."""
        return any(True for _ in self._between(txn, index, value, behind(self._entry(index) + value)))

    def those(self, txn: Txn, index: str, value: bytes) -> Iterator[Record]:
        """The records with this value in an index, or with one that begins so, in the order of values and keys."""
        return self._records(txn, self._between(txn, index, value, behind(self._entry(index) + value)))

    def newest_of(self, txn: Txn, index: str, value: bytes, before: str | bytes | None = None) -> Iterator[Record]:
        """The same from the last one on, with values and keys less than `value` followed by `before`."""
        first = self._entry(index) + value
        end = behind(first) if before is None else first + _bytes(before)
        return self._records(txn, descending(txn, first, end))

    def since(self, txn: Txn, index: str, value: bytes) -> Iterator[Record]:
        """The records with this value in an index or with a greater one, in the order of values."""
        return self._records(txn, self._between(txn, index, value, behind(self._entry(index))))

    def until(self, txn: Txn, index: str, value: bytes) -> Iterator[Record]:
        """The records with a lesser value in an index, in the order of values."""
        return self._records(txn, self._between(txn, index, b"", self._entry(index) + value))

    def add(self, txn: Txn, record: Record) -> None:
        """Add a record.

        Raises:
            KeyTaken: Another one has its value in a unique index.
            StorageRefused: Another one has its key.
        """
        self._write(txn, record, None)
        if not txn.put(self._at(record), self._encode(record), overwrite=False):
            raise StorageRefused("A new record has the id of another one.")

    def put(self, txn: Txn, record: Record) -> None:
        """Add a record, or put it in the place of the one with its key. Raises `KeyTaken`."""
        self._write(txn, record, self.get(txn, self._key(record)))
        txn.put(self._at(record), self._encode(record))

    def delete(self, txn: Txn, record: Record) -> None:
        """Delete a record and its entries."""
        for entry in self._entries(record):
            txn.delete(entry)
        txn.delete(self._at(record))

    def _write(self, txn: Txn, record: Record, before: Record | None) -> None:
        """Bring the indexes from one record to the next."""
        key = _bytes(self._key(record))
        old = set[bytes]() if before is None else self._entries(before)
        for entry in old - self._entries(record):
            txn.delete(entry)
        for entry in self._unique_entries(record) - old:
            if not txn.put(entry, key, overwrite=False):
                raise KeyTaken
        for entry in self._entries(record) - self._unique_entries(record) - old:
            txn.put(entry, key)

    def _entries(self, record: Record) -> set[bytes]:
        key = _bytes(self._key(record))
        entries = {self._entry(index) + value + key for index, of in self._indexes.items() for value in of(record)}
        return entries | self._unique_entries(record)

    def _unique_entries(self, record: Record) -> set[bytes]:
        return {self._entry(index) + value for index, of in self._unique.items() for value in of(record)}

    def _between(self, txn: Txn, index: str, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        return ascending(txn, self._entry(index) + first, end)

    def _records(self, txn: Txn, entries: Iterable[tuple[bytes, bytes]]) -> Iterator[Record]:
        return self._readable(txn.get(self._prefix + key, b"") for _, key in entries)

    def _readable(self, contents: Iterable[bytes]) -> Iterator[Record]:
        records = (self._read(content) for content in contents)
        return (record for record in records if record is not None)

    def _read(self, content: bytes) -> Record | None:
        try:
            return self._decode(content)
        except self._left_out:
            return None

    def _at(self, record: Record) -> bytes:
        return self._prefix + _bytes(self._key(record))

    def _entry(self, index: str) -> bytes:
        return f"{self._table}.{index}:".encode()


class Value(Generic[Record]):
    """One value, which may be missing."""

    def __init__(self, table: str, kind: type[Record]) -> None:
        self._at = f"{table}:".encode()
        self._decode = msgspec.msgpack.Decoder(kind).decode

    def get(self, txn: Txn) -> Record | None:
        """The value, or `None`."""
        content = txn.get(self._at)
        return None if content is None else self._decode(content)

    def put(self, txn: Txn, value: Record) -> None:
        """Set it."""
        txn.put(self._at, msgspec.msgpack.encode(value))


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key
