"""The table of members of merchants."""

from typing import Final

from sqlalchemy import Column, Index

from gateway.adapters.sql.tables.base import integers, key, table, text
from gateway.adapters.sql.types import BYTES, MOMENT

members: Final = table(
    "members",
    key("id"),
    text("merchant_id"),
    text("email"),
    text("role"),
    text("user_id", nullable=True),
    text("invited_by"),
    # SHA-256.
    Column("token_hash", BYTES),
    Column("created_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT),
    Column("joined_at", MOMENT),
    Column("changed_at", MOMENT, nullable=False),
    Column("removed_at", MOMENT),
    *integers("sequence"),
)

# The members of a merchant: for its lists, and for the limit of their number.
Index("members_merchant_id_idx", members.c.merchant_id, members.c.id)

# The merchants that a user acts for.
Index(
    "members_user_id_idx",
    members.c.user_id,
    members.c.id,
    postgresql_where=members.c.user_id.is_not(None),
    sqlite_where=members.c.user_id.is_not(None),
)

# To accept an invitation.
Index(
    "members_token_hash_key",
    members.c.token_hash,
    unique=True,
    postgresql_where=members.c.token_hash.is_not(None),
    sqlite_where=members.c.token_hash.is_not(None),
)

# To list the members who were changed lately, which every process in which a member acts asks every few seconds.
Index("members_changed_at_idx", members.c.changed_at)
