"""Users and tokens."""

from typing import Annotated, Any, Final, Literal

import msgspec

from gateway.adapters.http.messages import AnyRequest, Request, Response
from gateway.adapters.http.operations import Body, Operation, json_response
from gateway.adapters.http.resources.fields import CurrencyText, Name
from gateway.application.access.signed_in import SignedIn
from gateway.application.rate_limits.rate_limits import LOGINS, REFRESHES, REGISTRATIONS
from gateway.application.views.users import UserView, user_view
from gateway.domain.limits import (
    EMAIL_LENGTH_MAX,
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    REFRESH_TOKEN_LENGTH_MAX,
    TYPED_CODE_LENGTH_MAX,
    TYPED_PASSWORD_LENGTH_MAX,
)
from gateway.domain.money import currency_code
from gateway.domain.user import Role

TAG = "Access"

Email = Annotated[str, msgspec.Meta(min_length=3, max_length=EMAIL_LENGTH_MAX, examples=["ada@example.com"])]
NewPassword = Annotated[str, msgspec.Meta(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX)]
AnyPassword = Annotated[str, msgspec.Meta(max_length=TYPED_PASSWORD_LENGTH_MAX)]
RefreshToken = Annotated[str, msgspec.Meta(min_length=1, max_length=REFRESH_TOKEN_LENGTH_MAX)]


class RegisterBody(Body, frozen=True, kw_only=True):
    """Who registers. Operators are made with the command line, not here."""

    email: Email
    password: NewPassword
    role: Literal["customer", "merchant"]
    name: Name | None = None
    currency: CurrencyText = "USD"


class LogInBody(Body, frozen=True, kw_only=True):
    """Who logs in. `code` is of the second factor, if there is one, or a recovery code."""

    email: Annotated[str, msgspec.Meta(max_length=EMAIL_LENGTH_MAX)]
    password: AnyPassword
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=TYPED_CODE_LENGTH_MAX)] | None = None


class RefreshBody(Body, frozen=True, kw_only=True):
    """Which refresh token."""

    refresh_token: RefreshToken


class PasswordBody(Body, frozen=True, kw_only=True):
    """The old password, and the one to take its place."""

    current_password: AnyPassword
    new_password: NewPassword


class TokensView(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in user's tokens."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme.
    expires_in: int
    refresh_token: str
    user: UserView


class KeySetView(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, Any]]


async def register(request: Request[RegisterBody]) -> Response:
    """Create a user with an account in the currency."""
    body = request.body
    registered = await request.gateway.access.register(
        email=body.email,
        password=body.password,
        role=Role(body.role),
        name=body.name,
        currency=currency_code(body.currency),
    )
    return json_response(201, user_view(registered.user, registered.accounts))


async def log_in(request: Request[LogInBody]) -> Response:
    """Start a session."""
    body = request.body
    signed_in = await request.gateway.access.log_in(
        email=body.email,
        password=body.password,
        address=request.address,
        request_id=request.request_id,
        code=body.code,
    )
    return await _tokens(request, signed_in)


async def refresh(request: Request[RefreshBody]) -> Response:
    """Exchange a refresh token for a new pair."""
    body = request.body
    return await _tokens(request, await request.gateway.access.refresh(body.refresh_token))


async def log_out(request: Request[RefreshBody]) -> Response:
    """End a session."""
    body = request.body
    await request.gateway.access.log_out(request.caller, body.refresh_token)
    return Response(status=204)


async def me(request: Request) -> Response:
    """Show the caller, with their accounts."""
    user = await request.gateway.access.user(request.caller.user_id)
    return json_response(200, user_view(user, await request.gateway.queries.accounts_of(user.id)))


async def change_password(request: Request[PasswordBody]) -> Response:
    """Change the caller's password."""
    body = request.body
    await request.gateway.access.change_password(
        request.caller, current=body.current_password, new=body.new_password, origin=request.origin
    )
    return Response(status=204)


async def key_set(request: Request) -> Response:
    """Show the public keys."""
    return Response(status=200, body=msgspec.json.encode(request.gateway.tokens.jwks()))


async def _tokens(request: AnyRequest, signed_in: SignedIn) -> Response:
    accounts = await request.gateway.queries.accounts_of(signed_in.user.id)
    return json_response(
        200,
        TokensView(
            access_token=signed_in.access_token,
            expires_in=signed_in.expires_in_seconds,
            refresh_token=signed_in.refresh_token,
            user=user_view(signed_in.user, accounts),
        ),
    )


EXAMPLE_EMAIL: Final = "ada@example.com"
EXAMPLE_PASSWORD: Final = "correct horse battery"  # noqa: S105 - nobody's.
EXAMPLE_USER: Final[dict[str, Any]] = {
    "id": "usr_01kc3x0m5fe7v8qj2r4n6p9sta",
    "object": "user",
    "email": "ada@example.com",
    "role": "customer",
    "name": "Ada",
    "status": "active",
    "created_at": "2026-01-02T03:04:05.678901Z",
    "accounts": [],
}
EXAMPLE_TOKENS: Final[dict[str, Any]] = {
    "access_token": "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Ii4uLiJ9.e30.c2ln",
    "token_type": "Bearer",
    "expires_in": 900,
    "refresh_token": "rt_6f1c…",
    "user": EXAMPLE_USER,
}
EXAMPLE_REFRESH = {"refresh_token": "rt_6f1c…"}

OPERATIONS = (
    Operation(
        method="POST",
        path="/users/register",
        name="register",
        tag=TAG,
        summary="Register as a customer or a merchant",
        handler=register,
        status=201,
        body=RegisterBody,
        result=UserView,
        codes=("email_taken", "unknown_currency"),
        limited_by=REGISTRATIONS,
        examples={
            "customer": {"email": EXAMPLE_EMAIL, "password": EXAMPLE_PASSWORD, "role": "customer", "name": "Ada"},
            "merchant": {"email": "shop@example.com", "password": EXAMPLE_PASSWORD, "role": "merchant", "name": "Shop"},
        },
        example_result=EXAMPLE_USER,
    ),
    Operation(
        method="POST",
        path="/users/login",
        name="logIn",
        tag=TAG,
        summary="Log in with e-mail address and password",
        handler=log_in,
        body=LogInBody,
        result=TokensView,
        codes=(
            "invalid_credentials",
            "user_disabled",
            "second_factor_required",
            "second_factor_invalid",
            "second_factor_missing",
            "rate_limited",
        ),
        limited_by=LOGINS,
        examples={
            "customer": {"email": EXAMPLE_EMAIL, "password": EXAMPLE_PASSWORD},
            "merchant": {"email": "shop@example.com", "password": EXAMPLE_PASSWORD},
        },
        example_result=EXAMPLE_TOKENS,
    ),
    Operation(
        method="POST",
        path="/users/refresh",
        name="refresh",
        tag=TAG,
        summary="Exchange a refresh token for a new pair; it is good once, and using it again ends the session",
        handler=refresh,
        body=RefreshBody,
        result=TokensView,
        codes=("token_invalid", "token_expired", "token_revoked", "user_disabled"),
        limited_by=REFRESHES,
        example=EXAMPLE_REFRESH,
        example_result=EXAMPLE_TOKENS,
    ),
    Operation(
        method="POST",
        path="/users/logout",
        name="logOut",
        tag=TAG,
        summary="End the session",
        handler=log_out,
        status=204,
        body=RefreshBody,
        example=EXAMPLE_REFRESH,
    ),
    Operation(
        method="GET",
        path="/users/me",
        name="getMe",
        tag=TAG,
        summary="Show the caller, with their accounts",
        handler=me,
        result=UserView,
        codes=("user_not_found",),
        example_result=EXAMPLE_USER,
    ),
    Operation(
        method="POST",
        path="/users/me/password",
        name="changePassword",
        tag=TAG,
        summary="Change the password; ends all sessions of the user",
        handler=change_password,
        status=204,
        body=PasswordBody,
        codes=("invalid_credentials", "rate_limited", "user_not_found"),
        example={"current_password": EXAMPLE_PASSWORD, "new_password": "a longer and better one"},
    ),
    Operation(
        method="GET",
        path="/.well-known/jwks.json",
        name="getKeySet",
        tag=TAG,
        summary="The public keys with which other services verify access tokens",
        handler=key_set,
        result=KeySetView,
        example_result={"keys": []},
    ),
)
