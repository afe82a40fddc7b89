"""API keys: what machines sign in with."""

from typing import Annotated, Any, Final

import msgspec

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import AnyRequest, Request, Response
from gateway.adapters.http.operations import AnyOperation, Body, Idempotency, ListView, Operation, json_response
from gateway.adapters.http.resources.fields import Instant, PageQuery
from gateway.adapters.http.submissions import stored_response, submission_of
from gateway.application.api_keys import KeyCommand
from gateway.application.commands.revoke_api_key import RevokeApiKey
from gateway.application.queries import Page
from gateway.application.views.api_keys import (
    ApiKeyView,
    ApiKeyWithSecretView,
    api_key_view,
    api_key_with_secret_view,
)
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.limits import API_KEY_NAME_LENGTH_MAX, API_KEY_OLD_SECONDS_MAX, API_KEY_REQUESTS_MAX
from gateway.domain.scope import Scope

TAG: Final = "API keys"

KeyName = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=API_KEY_NAME_LENGTH_MAX, description="What it is for.", examples=["Shop"]),
]
Scopes = Annotated[
    list[Annotated[str, msgspec.Meta(extra_json_schema={"enum": [scope.value for scope in Scope]})]],
    msgspec.Meta(
        min_length=1,
        max_length=len(Scope),
        description="What it may be used for, of what the role of its owner may do.",
        examples=[["payments:read"]],
        extra_json_schema={"uniqueItems": True},
    ),
]

_decoder: Final = msgspec.json.Decoder(ApiKeyWithSecretView)
_encoder: Final = msgspec.json.Encoder()


class CreateApiKeyBody(Body, frozen=True, kw_only=True):
    """What the key is called, and what it may be used for. Without `expires_at` it does not expire.

    `requests_per_minute` is a limit of its own; without it, the key may make as many requests as its owner.
    """

    name: KeyName
    scopes: Scopes
    expires_at: Instant | None = None
    requests_per_minute: Annotated[int, msgspec.Meta(ge=1, le=API_KEY_REQUESTS_MAX)] | None = None


class RotateApiKeyBody(Body, frozen=True, kw_only=True):
    """How long the old key is still accepted, in seconds.

    `requests_per_minute` changes the limit of the key: 0 is none of its own.
    """

    old_key_seconds: Annotated[int, msgspec.Meta(ge=0, le=API_KEY_OLD_SECONDS_MAX)] = 0
    requests_per_minute: Annotated[int, msgspec.Meta(ge=0, le=API_KEY_REQUESTS_MAX)] | None = None


def key_id(request: Request[Any, Any]) -> ApiKeyId:
    """The id in the path."""
    return ApiKeyId(request.path_ids["key_id"])


async def create_key(request: Request[CreateApiKeyBody]) -> Response:
    """Create a key of the caller's."""
    body, caller = request.body, request.caller
    made = request.gateway.api_keys.create_command(
        owner_id=caller.user_id,
        owner_role=caller.role,
        name=body.name,
        scopes=body.scopes,
        expires_at=body.expires_at,
        requests_per_minute=body.requests_per_minute,
        member=caller.member,
    )
    return await _answered_with_secret(request, made)


async def rotate_key(request: Request[RotateApiKeyBody]) -> Response:
    """Put a new key in the place of one of the caller's."""
    made = request.gateway.api_keys.rotate_command(
        key_id(request),
        owner_id=request.caller.user_id,
        old_key_seconds=request.body.old_key_seconds,
        requests_per_minute=request.body.requests_per_minute,
        member=request.caller.member,
    )
    response = await _answered_with_secret(request, made)
    request.gateway.access.renew_endings()
    return response


async def revoke_key(request: Request) -> Response:
    """Revoke a key of the caller's."""
    caller = request.caller
    command = RevokeApiKey(key_id=key_id(request), owner_id=caller.user_id)
    await request.gateway.execute(command, owner_id=caller.user_id, origin=request.origin)
    request.gateway.access.renew_endings()
    return Response(status=204)


async def get_key(request: Request) -> Response:
    """Show a key of the caller's."""
    return json_response(200, api_key_view(await request.gateway.api_keys.key(request.caller, key_id(request))))


async def find_keys(request: Request[None, PageQuery], before: ApiKeyId | None) -> Page[ApiKeyView]:
    """A page of the caller's keys."""
    page = await request.gateway.api_keys.keys(request.caller, before=before, limit=request.query.limit)
    return page.map(api_key_view)


def _without_secret(key: ApiKey) -> ApiKeyWithSecretView:
    return api_key_with_secret_view(key)


async def _answered_with_secret(request: AnyRequest, made: KeyCommand) -> Response:
    """The response to the request that has made a key. What is stored of it does not have the secret.

    A replay of another request has no secret (docs/decisions/0043). A request is replayed to itself if the
    acknowledgement of its commit was lost.
    """
    submission = submission_of(request, made.command, _without_secret, lambda _: None)
    answer = await request.gateway.executor.perform(submission)
    response = stored_response(answer)
    if answer.refused:
        return response
    shown = _decoder.decode(response.body)
    if not answer.replayed or await _has_made(request, ApiKeyId(shown.id), made):
        text = request.gateway.api_keys.text_of(ApiKeyId(shown.id), made)
        response.body = _encoder.encode(msgspec.structs.replace(shown, secret=text))
    return response


async def _has_made(request: AnyRequest, key_id: ApiKeyId, made: KeyCommand) -> bool:
    """Whether this command, and not the one of an earlier request, has made a key."""
    found = await request.gateway.access.api_keys.key(key_id)
    return found is not None and found.secret_hash == made.command.secret_hash


EXAMPLE_KEY: Final[dict[str, Any]] = {
    "id": "key_01kc3x0m5fe7v8qj2r4n6p9stq",
    "object": "api_key",
    "owner_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stf",
    "name": "Shop",
    "scopes": ["payments:read", "payments:write"],
    "last_four": "x0Qm",
    "created_at": "2026-01-02T03:04:05.678901Z",
    "expires_at": None,
    "revoked_at": None,
    "replaced_by": None,
    "last_used_at": None,
    "requests_per_minute": None,
}
EXAMPLE_WITH_SECRET: Final = {**EXAMPLE_KEY, "secret": "gk_test_01kc3x0m5fe7v8qj2r4n6p9stq_…x0Qm"}


def operations(cursors: Cursors) -> tuple[AnyOperation, ...]:
    """The operations on API keys. Only people call them: a key that is stolen makes no further keys."""
    return (
        Operation(
            method="POST",
            path="/api-keys",
            name="createApiKey",
            tag=TAG,
            summary="Create an API key of the caller's; it is shown here, and never again",
            handler=create_key,
            status=201,
            body=CreateApiKeyBody,
            result=ApiKeyWithSecretView,
            idempotency=Idempotency.OPTIONAL,
            codes=("api_key_limit_reached", "user_not_found"),
            example={"name": "Shop", "scopes": ["payments:read", "payments:write"]},
            example_result=EXAMPLE_WITH_SECRET,
        ),
        Operation(
            method="GET",
            path="/api-keys",
            name="listApiKeys",
            tag=TAG,
            summary="List the caller's API keys, ended ones too",
            handler=listing(cursors, find_keys),
            query=PageQuery,
            result=ListView[ApiKeyView],
            codes=("cursor_invalid",),
            example_result={"object": "list", "data": [EXAMPLE_KEY], "has_more": False, "next_cursor": None},
        ),
        Operation(
            method="GET",
            path="/api-keys/{key_id}",
            name="getApiKey",
            tag=TAG,
            summary="Show an API key of the caller's",
            handler=get_key,
            result=ApiKeyView,
            codes=("api_key_not_found",),
            example_result=EXAMPLE_KEY,
        ),
        Operation(
            method="DELETE",
            path="/api-keys/{key_id}",
            name="revokeApiKey",
            tag=TAG,
            summary="Revoke an API key; every process refuses it within two seconds",
            handler=revoke_key,
            status=204,
            codes=("api_key_not_found",),
        ),
        Operation(
            method="POST",
            path="/api-keys/{key_id}/rotate",
            name="rotateApiKey",
            tag=TAG,
            summary="Put a new API key in the place of another, which is accepted for `old_key_seconds` more",
            handler=rotate_key,
            status=201,
            body=RotateApiKeyBody,
            result=ApiKeyWithSecretView,
            idempotency=Idempotency.OPTIONAL,
            codes=("api_key_not_found", "api_key_ended", "api_key_limit_reached"),
            example={"old_key_seconds": 3600},
            example_result=EXAMPLE_WITH_SECRET,
        ),
    )
