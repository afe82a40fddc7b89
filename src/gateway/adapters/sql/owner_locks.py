"""Rows that belong to owners who may have so many: loaded and locked on Postgres, while nobody else creates one."""

from typing import Final

from sqlalchemy import ARRAY, Select, Table, TextClause, any_, bindparam, or_, select, text

from gateway.adapters.sql.tables.access import api_keys
from gateway.adapters.sql.tables.members import members
from gateway.adapters.sql.tables.webhooks import webhook_endpoints
from gateway.adapters.sql.types import TEXT

_IDS: Final = bindparam("ids", type_=ARRAY(TEXT))
_OWNER_IDS: Final = bindparam("owner_ids", type_=ARRAY(TEXT))


def _lock_owners(table: Table) -> TextClause:
    """Nobody else creates a row for these owners until the transaction has ended.

    Row locks do not prevent it, and two transactions at the same time could create more rows than an owner may have.
    """
    return text(
        f"""
        SELECT pg_advisory_xact_lock(CAST(CAST('{table.name}' AS regclass) AS oid)::int, owner)
        FROM (SELECT DISTINCT hashtext(id) AS owner FROM unnest(:owner_ids) AS given(id) ORDER BY owner) AS owners
        """  # noqa: S608 - the name of a table of ours.
    ).bindparams(_OWNER_IDS)


LOCK_WEBHOOK_OWNERS: Final = _lock_owners(webhook_endpoints)
LOCK_WEBHOOK_ENDPOINTS: Final[Select[*tuple[object, ...]]] = (
    select(webhook_endpoints)
    .where(or_(webhook_endpoints.c.id == any_(_IDS), webhook_endpoints.c.owner_id == any_(_OWNER_IDS)))
    .order_by(webhook_endpoints.c.id)
    .with_for_update()
)

LOCK_KEY_OWNERS: Final = _lock_owners(api_keys)
LOCK_API_KEYS: Final[Select[*tuple[object, ...]]] = (
    select(api_keys).where(api_keys.c.owner_id == any_(_OWNER_IDS)).order_by(api_keys.c.id).with_for_update()
)

LOCK_MERCHANTS: Final = _lock_owners(members)
LOCK_MEMBERS: Final[Select[*tuple[object, ...]]] = (
    select(members).where(members.c.merchant_id == any_(_OWNER_IDS)).order_by(members.c.id).with_for_update()
)
