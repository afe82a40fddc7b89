"""Rows, as they are written."""

from typing import Any, Final, TypeAlias

from sqlalchemy import Column

from gateway.adapters.sql.types import INTEGER

Values: TypeAlias = tuple[Any, ...]
"""One row, in the order of the table's columns unless other columns are named."""

VERSION_BEFORE: Final = Column("version_before", INTEGER)
"""Behind the columns of changes: the version that was loaded. Nothing else is replaced."""
