"""The metadata of all tables, and how a table is declared."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, MetaData, Table, literal_column
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


def literal(value: StrEnum) -> ColumnElement[str]:
    """A value in the text of a statement: planners use a partial index only for values that they see."""
    return literal_column(f"'{value.value}'", TEXT)
