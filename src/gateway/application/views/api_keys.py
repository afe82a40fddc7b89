"""API keys, as clients see them. The key itself is shown when it is made, and never again."""

from typing import Annotated, Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.api_key import ApiKey


class ApiKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """An API key, without its secret. It is accepted until `revoked_at` or `expires_at`.

    `last_used_at` is up to a minute late. `requests_per_minute` is null for a key that may make as many requests as its
    owner.
    """

    id: str
    object: Literal["api_key"] = "api_key"
    owner_id: str
    name: str
    scopes: tuple[str, ...]
    last_four: str
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    replaced_by: str | None
    last_used_at: Instant | None
    requests_per_minute: int | None = None


class ApiKeyWithSecretView(ApiKeyView, frozen=True, kw_only=True):
    """An API key that was made just now, with the secret."""

    secret: Annotated[
        str | None,
        msgspec.Meta(
            description="What goes into `Authorization: Bearer …`. It is not stored: null where the request is "
            "repeated with the same `Idempotency-Key`."
        ),
    ]


def api_key_view(key: ApiKey) -> ApiKeyView:
    """A key as clients see it."""
    return ApiKeyView(
        id=key.id,
        owner_id=key.owner_id,
        name=key.name,
        scopes=tuple(scope.value for scope in key.scopes),
        last_four=key.last_four,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        replaced_by=key.replaced_by,
        last_used_at=key.last_used_at,
        requests_per_minute=key.requests_per_minute,
    )


def api_key_with_secret_view(key: ApiKey, secret: str | None = None) -> ApiKeyWithSecretView:
    """A key as its owner sees it once. Without `secret`, as it is stored for replays."""
    return ApiKeyWithSecretView(**msgspec.structs.asdict(api_key_view(key)), secret=secret)
