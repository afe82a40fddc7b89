"""Types of columns: the same values in Python, whichever database keeps them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, final

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, Row, Text, TypeDecorator

Found: TypeAlias = Row[*tuple[Any, ...]]
"""A row as a statement returns it."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@final
class EpochMicroseconds(TypeDecorator[datetime]):
    """A moment as a count of microseconds, for SQLite, which has no type for moments."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature.
        """To the database. Whole numbers all the way: a float would lose microseconds."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as above.
        """From the database, aware, in UTC. What is beyond all moments, changed by hand, becomes the nearest one."""
        if value is None:
            return None
        try:
            return _EPOCH + value * _MICROSECOND
        except OverflowError:
            return _LATEST if value > 0 else _EARLIEST


TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte, as in Python and SQLite: ids, and so locks, have the same order everywhere."""

INTEGER: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A signed 64-bit integer (SQLite calls it INTEGER, and its STRICT tables know no other name)."""

BYTES: Final = LargeBinary()

MOMENT: Final = DateTime(timezone=True).with_variant(EpochMicroseconds(), "sqlite")
"""A moment in microseconds, aware, in UTC."""
