"""Second factors: codes of an authenticator application, beside the password."""

from typing import Annotated, Any, Final, Literal

import msgspec

from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import Body, Operation, json_response
from gateway.adapters.http.resources.users import EXAMPLE_EMAIL, EXAMPLE_PASSWORD, TAG, AnyPassword
from gateway.application.rate_limits.rate_limits import LOGINS
from gateway.domain.limits import EMAIL_LENGTH_MAX, TYPED_CODE_LENGTH_MAX


class EnrolBody(Body, frozen=True, kw_only=True):
    """Whose second factor it is. The password is needed, and no token."""

    email: Annotated[str, msgspec.Meta(max_length=EMAIL_LENGTH_MAX)]
    password: AnyPassword


class CodeBody(EnrolBody, frozen=True, kw_only=True):
    """Whose second factor it is, with a code of it."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=TYPED_CODE_LENGTH_MAX)]


class NewSecondFactorView(msgspec.Struct, frozen=True, kw_only=True):
    """A second factor that waits for its first code. It is not shown again."""

    object: Literal["second_factor"] = "second_factor"
    secret: Annotated[str, msgspec.Meta(description="For typing it into an authenticator application.")]
    otpauth_uri: Annotated[str, msgspec.Meta(description="For a QR code.")]


class RecoveryCodesView(msgspec.Struct, frozen=True, kw_only=True):
    """What to log in with if the telephone is lost. Each is good once; they are not shown again."""

    object: Literal["recovery_codes"] = "recovery_codes"
    recovery_codes: tuple[str, ...]


async def enrol(request: Request[EnrolBody]) -> Response:
    """Draw a secret."""
    body = request.body
    new = await request.gateway.second_factors.enrol(
        email=body.email, password=body.password, address=request.address, request_id=request.request_id
    )
    return json_response(201, NewSecondFactorView(secret=new.secret, otpauth_uri=new.otpauth_uri))


async def confirm(request: Request[CodeBody]) -> Response:
    """Show a first code."""
    body = request.body
    codes = await request.gateway.second_factors.confirm(
        email=body.email,
        password=body.password,
        code=body.code,
        address=request.address,
        request_id=request.request_id,
    )
    return json_response(200, RecoveryCodesView(recovery_codes=codes))


async def disable(request: Request[CodeBody]) -> Response:
    """Ask for no more codes."""
    body = request.body
    await request.gateway.second_factors.disable(
        email=body.email,
        password=body.password,
        code=body.code,
        address=request.address,
        request_id=request.request_id,
    )
    return Response(status=204)


EXAMPLE_ENROL: Final = {"email": EXAMPLE_EMAIL, "password": EXAMPLE_PASSWORD}
EXAMPLE_NEW: Final[dict[str, Any]] = {
    "object": "second_factor",
    "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "otpauth_uri": "otpauth://totp/gateway:ada%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=gateway",
}
EXAMPLE_CODES: Final[dict[str, Any]] = {
    "object": "recovery_codes",
    "recovery_codes": ["k3mf-9v2x-bq7t-cd4n", "w8hp-2rzc-6mny-x5ta"],
}
REFUSALS: Final = ("invalid_credentials", "user_disabled", "rate_limited")

OPERATIONS = (
    Operation(
        method="POST",
        path="/users/second-factor",
        name="enrolSecondFactor",
        tag=TAG,
        summary="Draw the secret of a second factor; it is shown here, and never again",
        handler=enrol,
        status=201,
        body=EnrolBody,
        result=NewSecondFactorView,
        codes=(*REFUSALS, "second_factor_exists"),
        limited_by=LOGINS,
        example=EXAMPLE_ENROL,
        example_result=EXAMPLE_NEW,
    ),
    Operation(
        method="POST",
        path="/users/second-factor/confirm",
        name="confirmSecondFactor",
        tag=TAG,
        summary="Show a first code: from now on, logins ask for one",
        handler=confirm,
        body=CodeBody,
        result=RecoveryCodesView,
        codes=(*REFUSALS, "second_factor_invalid"),
        limited_by=LOGINS,
        example={**EXAMPLE_ENROL, "code": "287082"},
        example_result=EXAMPLE_CODES,
    ),
    Operation(
        method="POST",
        path="/users/second-factor/disable",
        name="disableSecondFactor",
        tag=TAG,
        summary="Ask for no more codes",
        handler=disable,
        status=204,
        body=CodeBody,
        codes=(*REFUSALS, "second_factor_invalid"),
        limited_by=LOGINS,
        example={**EXAMPLE_ENROL, "code": "287082"},
    ),
)
