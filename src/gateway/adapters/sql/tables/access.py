"""Tables of people and their sessions."""

from typing import Final

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint

from gateway.adapters.sql.tables.base import integers, key, table, text
from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

users: Final = table(
    "users",
    key("id"),
    text("email"),
    text("role"),
    text("name", nullable=True),
    Column("created_at", MOMENT, nullable=False),
    text("password_hash"),
    Column("disabled_at", MOMENT),
    # Processes of the version before insert users without it.
    Column("version", INTEGER, nullable=False, server_default="1"),
    UniqueConstraint("email", name="users_email_key"),
)

# To list the users who were disabled lately, which every process asks every few seconds.
Index(
    "users_disabled_at_idx",
    users.c.disabled_at,
    postgresql_where=users.c.disabled_at.is_not(None),
    sqlite_where=users.c.disabled_at.is_not(None),
)

sessions: Final = table(
    "sessions",
    key("id"),
    text("user_id"),
    Column("created_at", MOMENT, nullable=False),
    Column("revoked_at", MOMENT),
    text("network", nullable=True),
)

# To end all sessions of a user, and to know where they have logged in from.
Index("sessions_user_id_network_idx", sessions.c.user_id, sessions.c.network)

# To list the sessions that ended lately, which every process asks every few seconds.
Index(
    "sessions_revoked_at_idx",
    sessions.c.revoked_at,
    postgresql_where=sessions.c.revoked_at.is_not(None),
    sqlite_where=sessions.c.revoked_at.is_not(None),
)

refresh_tokens: Final = table(
    "refresh_tokens",
    Column("token_hash", BYTES, primary_key=True),
    Column("session_id", TEXT, ForeignKey("sessions.id", name="refresh_tokens_session_id_fkey"), nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("used_at", MOMENT),
    Column("successor_hash", BYTES),
    Column("sealed", BYTES),
    Column("repeated_at", MOMENT),
)

# To delete sessions with their tokens. The unused token of a session is its last one: a session whose unused token has
# expired has ended.
Index("refresh_tokens_session_id_idx", refresh_tokens.c.session_id)
Index(
    "refresh_tokens_unused_expires_at_idx",
    refresh_tokens.c.expires_at,
    postgresql_where=refresh_tokens.c.used_at.is_(None),
    sqlite_where=refresh_tokens.c.used_at.is_(None),
)

api_keys: Final = table(
    "api_keys",
    key("id"),
    text("owner_id"),
    text("owner_role"),
    text("name"),
    # Separated by spaces.
    text("scopes"),
    # SHA-256.
    Column("secret_hash", BYTES, nullable=False),
    text("last_four"),
    Column("created_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT),
    Column("revoked_at", MOMENT),
    text("replaced_by", nullable=True),
    Column("last_used_at", MOMENT),
    *integers("sequence"),
    Column("requests_per_minute", INTEGER),
)

# The keys of an owner: for the owner, and for the limit of their number.
Index("api_keys_owner_id_idx", api_keys.c.owner_id, api_keys.c.id)

# To list the keys that ended lately, which every process in which a key was used asks every few seconds.
Index(
    "api_keys_revoked_at_idx",
    api_keys.c.revoked_at,
    postgresql_where=api_keys.c.revoked_at.is_not(None),
    sqlite_where=api_keys.c.revoked_at.is_not(None),
)
Index(
    "api_keys_replaced_idx",
    api_keys.c.expires_at,
    postgresql_where=api_keys.c.replaced_by.is_not(None),
    sqlite_where=api_keys.c.replaced_by.is_not(None),
)

# A row without a secret exists within a transaction alone.
second_factors: Final = table(
    "second_factors",
    key("user_id"),
    text("secret", nullable=True),
    Column("created_at", MOMENT),
    Column("confirmed_at", MOMENT),
    *integers("last_step"),
    # SHA-256 in hexadecimal digits, separated by spaces.
    text("recovery_hashes"),
)

login_failures: Final = table(
    "login_failures",
    key("scope"),
    *integers("count"),
    Column("last_at", MOMENT, nullable=False),
)

rate_budgets: Final = table("rate_budgets", key("scope"), *integers("full_at"))

# To delete full buckets.
Index("rate_budgets_full_at_idx", rate_budgets.c.full_at)

# To delete failures of long ago.
Index("login_failures_last_at_idx", login_failures.c.last_at)
