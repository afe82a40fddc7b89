"""The table that tells production's database from a sandbox's."""

from typing import Final

from sqlalchemy import CheckConstraint, Column

from gateway.adapters.sql.tables.base import table
from gateway.adapters.sql.types import INTEGER, MOMENT

production: Final = table(
    "production",
    # One row in production's database, none in a sandbox's.
    Column("id", INTEGER, primary_key=True),
    Column("marked_at", MOMENT, nullable=False),
    CheckConstraint("id = 1", name="production_id_check"),
)
