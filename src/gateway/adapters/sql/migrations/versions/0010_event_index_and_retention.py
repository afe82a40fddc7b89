"""An index of events for searches, and how far old rows were deleted."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the tables. The worker indexes the events that there are; until then, searches of them take more steps."""
    op.create_table(
        "event_index",
        sa.Column("first_position", INTEGER, primary_key=True),
        sa.Column("last_position", INTEGER, nullable=False),
        sa.Column("first_created_at", MOMENT, nullable=False),
        sa.Column("last_created_at", MOMENT, nullable=False),
        sa.Column("keys", BYTES, nullable=False),
        sa.CheckConstraint(
            "first_position >= 1 AND last_position >= first_position", name="event_index_positions_check"
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "retention",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("deleted_until", TEXT, nullable=False),
        sa.Column("kept_since", MOMENT, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("refresh_tokens_session_id_idx", "refresh_tokens", ["session_id"])
    op.create_index("refresh_tokens_expires_at_idx", "refresh_tokens", ["expires_at"])
    op.create_index("login_failures_last_at_idx", "login_failures", ["last_at"])
