"""API keys as rows."""

from typing import Final

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.types import Found
from gateway.domain.api_key import ApiKey
from gateway.domain.scope import Scope
from gateway.domain.user import Role

_SCOPES: Final = {scope.value: scope for scope in Scope}


def api_key_values(key: ApiKey) -> Values:
    """The row of an API key."""
    return (
        key.id,
        key.owner_id,
        key.owner_role.value,
        key.name,
        " ".join(scope.value for scope in key.scopes),
        key.secret_hash,
        key.last_four,
        key.created_at,
        key.expires_at,
        key.revoked_at,
        key.replaced_by,
        key.last_used_at,
        key.sequence,
        key.requests_per_minute,
    )


def to_api_key(row: Found) -> ApiKey:
    """The API key of a row. Scopes that only a newer version knows are left out."""
    return ApiKey(
        id=row[0],
        owner_id=row[1],
        owner_role=Role(row[2]),
        name=row[3],
        scopes=tuple(_SCOPES[scope] for scope in row[4].split() if scope in _SCOPES),
        secret_hash=bytes(row[5]),
        last_four=row[6],
        created_at=row[7],
        expires_at=row[8],
        revoked_at=row[9],
        replaced_by=row[10],
        last_used_at=row[11],
        sequence=row[12],
        requests_per_minute=row[13],
    )
