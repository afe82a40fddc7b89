"""Every refusal of the application: who may ask, how often, and whether there is room to answer now."""

from gateway.domain.errors import InvalidInput, Refusal

__all__ = [
    "ApiKeyInvalid",
    "InvalidCredentials",
    "InvalidInput",
    "Overloaded",
    "RateLimited",
    "RatesReadOnly",
    "RoleForbidden",
    "ScopeMissing",
    "SecondFactorExists",
    "SecondFactorInvalid",
    "SecondFactorMissing",
    "SecondFactorRequired",
    "TokenExpired",
    "TokenInvalid",
    "TokenMissing",
    "TokenRevoked",
]


class ApiKeyInvalid(Refusal):
    """The API key is not one of ours, or has ended. The same words for all reasons."""

    code = "api_key_invalid"
    stored = False


class InvalidCredentials(Refusal):
    """The e-mail address and the password do not belong together. The same words for an unknown address."""

    code = "invalid_credentials"
    stored = False


class SecondFactorRequired(Refusal):
    """The password is right, and a code of the second factor is needed as well."""

    code = "second_factor_required"
    stored = False


class SecondFactorInvalid(Refusal):
    """The code of the second factor is wrong, or was used before."""

    code = "second_factor_invalid"
    stored = False


class SecondFactorMissing(Refusal):
    """An operator must have a second factor, and has none: enrol one first."""

    code = "second_factor_missing"
    stored = False


class SecondFactorExists(Refusal):
    """The user has a second factor, which has to be disabled before another one is enrolled."""

    code = "second_factor_exists"
    stored = False


class TokenMissing(Refusal):
    """A bearer token is needed, and none came."""

    code = "token_missing"
    stored = False


class TokenInvalid(Refusal):
    """The token is not one of ours, or is damaged."""

    code = "token_invalid"
    stored = False


class TokenExpired(Refusal):
    """The token was ours, and its time is over."""

    code = "token_expired"
    stored = False


class TokenRevoked(Refusal):
    """The session was ended: logged out, password changed, or a refresh token used twice."""

    code = "token_revoked"
    stored = False


class RoleForbidden(Refusal):
    """Users of this role may not ask this."""

    code = "role_forbidden"
    stored = False


class ScopeMissing(Refusal):
    """The API key does not have the scope that this needs: `required_scope`, or `None` if no key may ask it."""

    code = "scope_missing"
    stored = False


class RateLimited(Refusal):
    """Too many tries of one caller, or too much that waits; `retry_after_seconds` says when to try again."""

    code = "rate_limited"
    stored = False


class RatesReadOnly(Refusal):
    """Rates come from a file, and are changed there."""

    code = "rates_read_only"
    stored = False


class Overloaded(Refusal):
    """Too many are waiting; nothing was done with this one, and the same key may be sent again."""

    code = "overloaded"
    stored = False
