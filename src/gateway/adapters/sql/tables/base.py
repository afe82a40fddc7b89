"""The metadata of all tables, and how a table is declared."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.schema import SchemaItem

from gateway.adapters.sql.types import INTEGER, TEXT

metadata: Final = MetaData()


def table(name: str, *parts: SchemaItem, **options: Any) -> Table:
    """A table of the gateway's."""
    # Without STRICT, SQLite would store text in an integer column.
    return Table(name, metadata, *parts, sqlite_strict=True, **options)


def key(name: str) -> Column[str]:
    """A text column of the primary key."""
    return Column(name, TEXT, primary_key=True)


def text(name: str, *, nullable: bool = False) -> Column[str]:
    """A text column."""
    return Column(name, TEXT, nullable=nullable)


def integers(*names: str) -> Iterable[Column[int]]:
    """Integer columns that are never null."""
    return (Column(name, INTEGER, nullable=False) for name in names)
