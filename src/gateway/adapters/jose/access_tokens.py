"""JSON Web Tokens, protected against the known vulnerabilities of python-jose."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Annotated, Any, Final

import jose.backends  # type: ignore[import-untyped]  # python-jose ships no types.
import msgspec
from jose import jws  # As above.
from jose.backends.cryptography_backend import CryptographyECKey  # type: ignore[import-untyped]  # As above.
from jose.utils import base64url_decode, base64url_encode  # type: ignore[import-untyped]  # As above.

from gateway.adapters.jose.keys import KeyRefused, SigningKey, VerifyingKey
from gateway.application.errors import TokenExpired, TokenInvalid
from gateway.application.ports.tokens import AccessClaims

TOKEN_BYTES_MAX: Final = 4096
TOKEN_TYPE: Final = "at+jwt"  # RFC 9068. # noqa: S105 - a media type, no password.

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    alg: str
    typ: str
    kid: str


class _Claims(msgspec.Struct):
    """Strict: msgspec takes no float, boolean or text for an integer, and no infinity at all."""

    exp: int
    iat: int
    iss: str
    aud: str
    sub: _Text
    jti: _Text
    role: _Text
    nbf: int | None = None


_decode_header: Final = msgspec.json.Decoder(_Header).decode
_decode_claims: Final = msgspec.json.Decoder(_Claims).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verified:
    claims: AccessClaims
    valid_from: datetime


class JoseAccessTokens:
    """Signs and verifies access tokens; see the port `AccessTokens`.

    python-jose checks the signature and nothing else: what it would say about claims is too lenient, so they are
    checked here. Verified tokens are cached, since verifying one takes about 0.1 ms. The key of the cache is the whole
    text of the token, and times are compared at each call.

    Args:
        issuer: `iss`, written and required.
        audience: `aud`, written and required; one text, never a list.
        signing_key: Signs what is issued, and verifies it.
        verifying_keys: Verify too: keys which signed before, or will sign next.
        lifetime_seconds: How long what is issued is good for.
        lifetime_seconds_max: A token that was to live longer than this is refused.
        leeway_seconds: How far ahead the clock of another issuing process may be: `iat` and `nbf` may lie so far in the
            future. `exp` may not lie in the past, for a token lives no longer than it says.
        cached_max: How many verified tokens are cached; the oldest leaves first.

    Raises:
        KeyRefused: The keys are for different algorithms, so that one might be used as the other.
        RuntimeError: python-jose would not use `cryptography`, but a package with a known timing leak.
        ValueError: The lifetime is not between 1 second and its maximum.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        signing_key: SigningKey,
        verifying_keys: Sequence[VerifyingKey] = (),
        lifetime_seconds: int = 900,
        lifetime_seconds_max: int = 3600,
        leeway_seconds: int = 30,
        cached_max: int = 10_000,
    ) -> None:
        # CVE-2024-23342 of `ecdsa` will not be fixed.
        if jose.backends.ECKey is not CryptographyECKey:
            raise RuntimeError("python-jose does not use `cryptography`: install python-jose[cryptography].")
        keys = (signing_key.verifying, *verifying_keys)
        if len({key.algorithm for key in keys}) > 1:
            raise KeyRefused("The keys are for different algorithms. Give keys for one algorithm only.")
        if not 1 <= lifetime_seconds <= lifetime_seconds_max:
            raise ValueError(f"lifetime_seconds is {lifetime_seconds}: give 1 to {lifetime_seconds_max}.")
        self._issuer = issuer
        self._audience = audience
        self._algorithm = signing_key.verifying.algorithm
        self._signer = signing_key.signer
        self._signing_header = {"typ": TOKEN_TYPE, "kid": signing_key.verifying.key_id}
        self._keys = {key.key_id: key for key in keys}
        self._lifetime_seconds = lifetime_seconds
        self._lifetime_seconds_max = lifetime_seconds_max
        self._leeway = timedelta(seconds=leeway_seconds)
        self._cache: OrderedDict[str, _Verified] = OrderedDict()
        self._cached_max = cached_max
        self._cache_lock = Lock()

    @property
    def lifetime_seconds(self) -> int:
        """How long a newly issued token is good for, in seconds."""
        return self._lifetime_seconds

    def issue(self, *, subject: str, role: str, token_id: str, now: datetime) -> str:
        """Sign a new token; see the port `AccessTokens`."""
        issued_at = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "role": role,
            "jti": token_id,
            "iat": issued_at,
            "exp": issued_at + self._lifetime_seconds,
        }
        token: str = jws.sign(claims, self._signer, headers=self._signing_header, algorithm=self._algorithm)
        return token

    def verify(self, token: str, *, now: datetime) -> AccessClaims:
        """Return what a token says, or raise what is wrong with it; see the port `AccessTokens`."""
        known = self._cache.get(token)
        if known is not None and known.valid_from <= now < known.claims.expires_at:
            return known.claims
        try:
            verified = self._read(token)
        except TokenInvalid:
            raise
        except Exception as error:
            # A token is a stranger's text: whatever it makes the libraries do, the answer is the same.
            raise TokenInvalid("The token cannot be read.") from error
        if now < verified.valid_from:
            raise TokenInvalid("The token is not valid yet.")
        if now >= verified.claims.expires_at:
            raise TokenExpired("The token has expired.")
        self._keep(token, verified)
        return verified.claims

    def jwks(self) -> Mapping[str, Any]:
        """Return the public keys, the signing one first; see the port `AccessTokens`."""
        return {"keys": [dict(key.public_jwk) for key in self._keys.values() if key.public_jwk is not None]}

    def _read(self, token: str) -> _Verified:
        """Check all that does not depend on the time."""
        if len(token) > TOKEN_BYTES_MAX or not token.isascii():
            raise TokenInvalid("The token is too long, or not ASCII.")
        header_json, _, _ = [_decode_segment(segment) for segment in token.encode("ascii").split(b".")]
        header = _decode_header(header_json)
        if header.alg != self._algorithm or header.typ != TOKEN_TYPE:
            raise TokenInvalid("The token is of another kind.")
        # A token without `exp` or `aud` is no token of ours: `_Claims` requires them, python-jose would not.
        claims = _decode_claims(jws.verify(token, self._keys[header.kid].verifier, [self._algorithm]))
        if claims.iss != self._issuer or claims.aud != self._audience:
            raise TokenInvalid("The token is for someone else.")
        if not 0 < claims.exp - claims.iat <= self._lifetime_seconds_max:
            raise TokenInvalid("The token was to live too long, or not at all.")
        good_from = claims.iat if claims.nbf is None else max(claims.iat, claims.nbf)
        return _Verified(
            claims=AccessClaims(
                subject=claims.sub,
                role=claims.role,
                token_id=claims.jti,
                issued_at=datetime.fromtimestamp(claims.iat, UTC),
                expires_at=datetime.fromtimestamp(claims.exp, UTC),
            ),
            valid_from=datetime.fromtimestamp(good_from, UTC) - self._leeway,
        )

    def _keep(self, token: str, verified: _Verified) -> None:
        with self._cache_lock:
            self._cache[token] = verified
            while len(self._cache) > self._cached_max:
                self._cache.popitem(last=False)


def _decode_segment(segment: bytes) -> bytes:
    """Decode base64url that has one spelling only: no padding, no foreign characters, no stray bits at the end."""
    decoded: bytes = base64url_decode(segment)
    if not decoded or base64url_encode(decoded) != segment:
        raise TokenInvalid("The token is not written canonically.")
    return decoded
