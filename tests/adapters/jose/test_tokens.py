"""Tokens keep what every issuer promises, and close what python-jose leaves open."""

import base64
import hashlib
import hmac
import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import jose.backends  # type: ignore[import-untyped]  # python-jose ships no types.
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from jose import jwt  # As above.

from gateway.adapters.jose.access_tokens import JoseAccessTokens
from gateway.adapters.jose.keys import (
    KeyRefused,
    SigningKey,
    generate_pem,
    signing_key_from_pem,
    signing_key_from_secret,
    verifying_key_from_pem,
)
from gateway.application.errors import TokenExpired, TokenInvalid
from gateway.application.ports.tokens import AccessTokens
from gateway.contracts.tokens import NOW, SECOND, AccessTokensContract

ISSUER = "https://gateway.example"
AUDIENCE = "gateway"
PEM = generate_pem()
KEY = signing_key_from_pem(PEM)
OTHER_KEY = signing_key_from_pem(generate_pem())
SECRET = secrets.token_urlsafe(32)
IAT = int(NOW.timestamp())
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.verifying.key_id}
CLAIMS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "usr_1",
    "role": "customer",
    "jti": "tok_1",
    "iat": IAT,
    "exp": IAT + 900,
}


def port(signing_key: SigningKey = KEY, **settings: Any) -> JoseAccessTokens:
    return JoseAccessTokens(**{"issuer": ISSUER, "audience": AUDIENCE, "signing_key": signing_key, **settings})


def encode(part: Mapping[str, Any] | str | bytes) -> str:
    text = json.dumps(part) if isinstance(part, Mapping) else part
    octets = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def forge(
    header: Mapping[str, Any] | str | bytes = HEADER,
    claims: Mapping[str, Any] | str | bytes = CLAIMS,
    key: SigningKey = KEY,
) -> str:
    """Sign, with a good key, what our own issuer would never sign."""
    signed = f"{encode(header)}.{encode(claims)}"
    return f"{signed}.{encode(key.signer.sign(signed.encode()))}"


def without(claims: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in claims.items() if other != name}


class TestES256Tokens(AccessTokensContract):
    @pytest.fixture
    def access_tokens(self) -> AccessTokens:
        return port()

    @pytest.fixture
    def strangers_tokens(self) -> AccessTokens:
        return port(OTHER_KEY)


class TestHS256Tokens(AccessTokensContract):
    @pytest.fixture
    def access_tokens(self) -> AccessTokens:
        return port(signing_key_from_secret(SECRET))

    @pytest.fixture
    def strangers_tokens(self) -> AccessTokens:
        return port(signing_key_from_secret(secrets.token_urlsafe(32)))


class TestTokensWhichAreNeverRemembered(AccessTokensContract):
    @pytest.fixture
    def access_tokens(self) -> AccessTokens:
        return port(cached_max=0)

    @pytest.fixture
    def strangers_tokens(self) -> AccessTokens:
        return port(OTHER_KEY, cached_max=0)


def test_what_the_tests_forge_is_good_before_it_is_spoilt() -> None:
    assert port().verify(forge(), now=NOW).subject == "usr_1"


def test_a_token_is_an_at_jwt_with_exactly_these_claims() -> None:
    token = port().issue(subject="usr_1", role="customer", token_id="tok_1", now=NOW)
    assert jwt.get_unverified_header(token) == HEADER
    assert jwt.get_unverified_claims(token) == CLAIMS


def test_anyone_can_verify_a_token_with_the_key_set() -> None:
    token = port().issue(subject="usr_1", role="customer", token_id="tok_1", now=NOW)
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, port().jwks(), ["ES256"], options, audience=AUDIENCE, issuer=ISSUER)
    assert claims["sub"] == "usr_1"


BAD_HEADERS: dict[str, Mapping[str, Any] | str | bytes] = {
    "alg none": {**HEADER, "alg": "none"},
    "alg of another kind": {**HEADER, "alg": "HS256"},
    "alg in lower case": {**HEADER, "alg": "es256"},
    "alg a list": {**HEADER, "alg": ["ES256"]},
    "alg null": {**HEADER, "alg": None},
    "no alg": without(HEADER, "alg"),
    "typ JWT": {**HEADER, "typ": "JWT"},
    "typ of a refresh token": {**HEADER, "typ": "rt+jwt"},
    "typ null": {**HEADER, "typ": None},
    "no typ": without(HEADER, "typ"),
    "unknown kid": {**HEADER, "kid": "unknown"},
    "another key's kid": {**HEADER, "kid": OTHER_KEY.verifying.key_id},
    "kid empty": {**HEADER, "kid": ""},
    "kid a path": {**HEADER, "kid": "../../dev/null"},
    "kid a number": {**HEADER, "kid": 0},
    "kid a list": {**HEADER, "kid": []},
    "no kid": without(HEADER, "kid"),
    "crit": {**HEADER, "crit": ["exp"]},
    "crit empty": {**HEADER, "crit": []},
    "jwk": {**HEADER, "jwk": OTHER_KEY.verifying.public_jwk},
    "jku": {**HEADER, "jku": "https://attacker.example/jwks.json"},
    "x5u": {**HEADER, "x5u": "https://attacker.example/chain.pem"},
    "b64": {**HEADER, "b64": False},
    "cty": {**HEADER, "cty": "JWT"},
    "a list": "[]",
    "a text": '"ES256"',
    "null": "null",
    "two values": json.dumps(HEADER) + json.dumps(HEADER),
    "not JSON": "ES256",
    "not UTF-8": b'{"alg":"ES256","typ":"at+jwt","kid":"\xff"}',
    "nested too deep": "[" * 2900,
    "nested too deep in a member": '{"alg":' + "[" * 2900,
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_a_header_that_is_not_exactly_ours_makes_a_token_invalid(header: Mapping[str, Any] | str | bytes) -> None:
    with pytest.raises(TokenInvalid):
        port(verifying_keys=[OTHER_KEY.verifying]).verify(forge(header=header), now=NOW)


NOT_TEXT: list[Any] = [None, True, 0, 1.5, [], {}, ""]
NOT_A_TIME: list[Any] = [None, True, False, "", str(IAT + 900), float(IAT), IAT + 0.5, [], [IAT], {}, float("nan")]
BAD_CLAIMS: dict[str, Mapping[str, Any] | str | bytes] = {
    **{f"no {name}": without(CLAIMS, name) for name in CLAIMS},
    **{
        f"{name} {value!r}": {**CLAIMS, name: value}
        for name in ("sub", "jti", "role", "iss", "aud")
        for value in NOT_TEXT
    },
    **{f"{name} {value!r}": {**CLAIMS, name: value} for name in ("exp", "iat") for value in NOT_A_TIME},
    **{f"nbf {value!r}": {**CLAIMS, "nbf": value} for value in NOT_A_TIME if value is not None},
    "exp Infinity": {**CLAIMS, "exp": float("inf")},
    "exp -Infinity": {**CLAIMS, "exp": float("-inf")},
    "exp 1e400": json.dumps(CLAIMS).replace(str(IAT + 900), "1e400"),
    "exp of 400 digits": {**CLAIMS, "exp": int("9" * 400)},
    "both times of 400 digits": {**CLAIMS, "exp": 10**400 + 1, "iat": 10**400},
    "both times before the calendar": {**CLAIMS, "exp": -(10**15) + 1, "iat": -(10**15)},
    "iat in the future": {**CLAIMS, "iat": IAT + 31, "exp": IAT + 931},
    "nbf in the future": {**CLAIMS, "nbf": IAT + 31},
    "a life longer than the maximum": {**CLAIMS, "exp": IAT + 3601},
    "a life of a thousand years": {**CLAIMS, "exp": IAT + 31_556_952_000},
    "a life of no time": {**CLAIMS, "exp": IAT},
    "an end before its beginning": {**CLAIMS, "exp": IAT - 1},
    "another issuer": {**CLAIMS, "iss": "https://other.example"},
    "an issuer with a slash": {**CLAIMS, "iss": ISSUER + "/"},
    "a list of issuers": {**CLAIMS, "iss": [ISSUER]},
    "another audience": {**CLAIMS, "aud": "ledger"},
    "an audience in capitals": {**CLAIMS, "aud": AUDIENCE.upper()},
    "a list of audiences": {**CLAIMS, "aud": [AUDIENCE]},
    "a list": "[]",
    "null": "null",
    "a text": '"usr_1"',
    "nothing in it": "{}",
    "not JSON": "usr_1",
    "not UTF-8": json.dumps(CLAIMS).encode().replace(b"usr_1", b"usr_\xff"),
    "two values": json.dumps(CLAIMS) * 2,
    "nested too deep": "[" * 2800,
    "nested too deep in a member": json.dumps(CLAIMS)[:-1] + ',"x":' + "[" * 2500,
}


@pytest.mark.parametrize("claims", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
def test_claims_that_are_not_exactly_ours_make_a_token_invalid(claims: Mapping[str, Any] | str | bytes) -> None:
    with pytest.raises(TokenInvalid):
        port().verify(forge(claims=claims), now=NOW)


def test_a_token_that_has_expired_and_is_wrong_besides_is_invalid() -> None:
    late = NOW + timedelta(days=1)
    with pytest.raises(TokenExpired):
        port().verify(forge(), now=late)
    for spoilt in (
        forge(key=OTHER_KEY),
        forge(header={**HEADER, "typ": "JWT"}),
        forge(claims={**CLAIMS, "aud": "ledger"}),
        forge(claims={**CLAIMS, "iss": "https://other.example"}),
        forge(claims={**CLAIMS, "exp": IAT + 3601}),
        forge(claims=without(CLAIMS, "sub")),
    ):
        with pytest.raises(TokenInvalid):
            port().verify(spoilt, now=late)


def test_clocks_of_two_processes_may_differ_by_the_leeway() -> None:
    access_tokens = port(leeway_seconds=5)
    early = forge(claims={**CLAIMS, "nbf": IAT})
    assert access_tokens.verify(early, now=NOW - 5 * SECOND).subject == "usr_1"
    with pytest.raises(TokenInvalid):
        access_tokens.verify(early, now=NOW - 5 * SECOND - timedelta(microseconds=1))
    with pytest.raises(TokenInvalid):
        port(leeway_seconds=0).verify(early, now=NOW - timedelta(microseconds=1))


def test_a_verifier_whose_clock_is_ten_seconds_behind_takes_fresh_tokens() -> None:
    fresh = port().issue(subject="usr_1", role="customer", token_id="tok_1", now=NOW)
    behind = port()
    for _ in range(2):  # The second time, it is in the cache.
        assert behind.verify(fresh, now=NOW - 10 * SECOND).subject == "usr_1"
    # Within the leeway only, also if it is in the cache.
    with pytest.raises(TokenInvalid):
        behind.verify(fresh, now=NOW - 31 * SECOND)


def test_the_leeway_does_not_count_for_the_longest_life() -> None:
    with pytest.raises(TokenInvalid):
        port(leeway_seconds=30).verify(forge(claims={**CLAIMS, "exp": IAT + 3601}), now=NOW)


def test_the_leeway_lengthens_no_life() -> None:
    with pytest.raises(TokenExpired):
        port(leeway_seconds=60).verify(forge(), now=NOW + 900 * SECOND)


def test_a_life_may_be_as_long_as_the_maximum() -> None:
    token = forge(claims={**CLAIMS, "exp": IAT + 3600})
    assert port(lifetime_seconds_max=3600).verify(token, now=NOW + 3599 * SECOND).subject == "usr_1"
    with pytest.raises(TokenInvalid):
        port(lifetime_seconds_max=3599).verify(token, now=NOW)


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    public = load_pem_private_key(PEM.encode(), None).public_key()
    signed = f"{encode({**HEADER, 'alg': 'HS256'})}.{encode(CLAIMS)}"
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(KEY.verifying.public_jwk).encode(),
        b"",
    ):
        signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
        with pytest.raises(TokenInvalid):
            port().verify(f"{signed}.{encode(signature)}", now=NOW)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "ES256", "HS256"])
@pytest.mark.parametrize("signature", ["", ".", ".AA", "." + encode(bytes(64)), "." + encode(b"\xff" * 64)])
def test_a_token_nobody_signed_is_invalid(alg: str, signature: str) -> None:
    with pytest.raises(TokenInvalid):
        port().verify(f"{encode({**HEADER, 'alg': alg})}.{encode(CLAIMS)}{signature}", now=NOW)


def test_every_segment_must_be_there_and_be_written_in_its_one_way() -> None:
    header, claims, signature = forge().split(".")
    stray_bit = signature[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[signature[-1]]
    for spoilt in (
        f"{header}.{claims}",
        f"{header}.{claims}.",
        f"{header}..{signature}",
        f".{claims}.{signature}",
        f"{header}.{claims}.{signature}.{signature}",
        f"{header}.{claims}.{signature}==",
        f"{header}.{claims}.{signature}!",
        f"{header}.{claims}.{signature}\n",
        f"{header}.{claims}.{signature[:10]}~{signature[10:]}",
        f"{header}.{claims}.{signature[:10]} {signature[10:]}",
        f"{header}.{claims}.{stray_bit}",
        f"{header}.{claims}.{signature}AAAA",
        f"{header}.{claims}.{signature[:-4]}",
        f"\ufeff{header}.{claims}.{signature}",
        f"{header}.{claims}.{signature}\u200b",
        f"{header}\uff0e{claims}.{signature}",
    ):
        with pytest.raises(TokenInvalid):
            port().verify(spoilt, now=NOW)


def test_a_token_may_be_four_kibibytes_long_and_no_longer() -> None:
    def padded(length: int) -> str:
        return forge(claims={**CLAIMS, "x": "x" * length})

    room = (4096 - len(padded(0))) * 3 // 4
    longest = next(token for token in map(padded, range(room + 3, 0, -1)) if len(token) <= 4096)
    assert len(longest) >= 4095
    assert port().verify(longest, now=NOW).subject == "usr_1"
    with pytest.raises(TokenInvalid):
        port().verify(padded(room + 4), now=NOW)


def test_a_key_that_signed_before_is_still_verified_after_a_rotation() -> None:
    before, after = port(OTHER_KEY), port(KEY, verifying_keys=[OTHER_KEY.verifying])
    token = before.issue(subject="usr_1", role="customer", token_id="tok_1", now=NOW)
    assert after.verify(token, now=NOW).subject == "usr_1"
    assert [key["kid"] for key in after.jwks()["keys"]] == [KEY.verifying.key_id, OTHER_KEY.verifying.key_id]
    new = after.issue(subject="usr_1", role="customer", token_id="tok_2", now=NOW)
    assert jwt.get_unverified_header(new)["kid"] == KEY.verifying.key_id
    with pytest.raises(TokenInvalid):
        before.verify(new, now=NOW)


def test_a_public_key_alone_verifies() -> None:
    public = load_pem_private_key(PEM.encode(), None).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert port(OTHER_KEY, verifying_keys=[verifying_key_from_pem(pem)]).verify(forge(), now=NOW).subject == "usr_1"


def test_a_shared_secret_is_never_shown() -> None:
    assert port(signing_key_from_secret(SECRET)).jwks() == {"keys": []}


def test_keys_of_two_algorithms_are_refused_together() -> None:
    with pytest.raises(KeyRefused):
        port(KEY, verifying_keys=[signing_key_from_secret(SECRET).verifying])


@pytest.mark.parametrize("lifetime_seconds", [-1, 0, 3601])
def test_a_lifetime_outside_its_bounds_is_refused(lifetime_seconds: int) -> None:
    with pytest.raises(ValueError, match="lifetime_seconds"):
        port(lifetime_seconds=lifetime_seconds, lifetime_seconds_max=3600)


@pytest.fixture
def signatures_checked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The signatures that were checked rather than remembered, in order."""
    checked: list[bytes] = []
    verifier = type(KEY.verifying.verifier)
    verify = verifier.verify

    def counted(self: Any, message: bytes, signature: bytes) -> bool:
        checked.append(signature)
        return bool(verify(self, message, signature))

    monkeypatch.setattr(verifier, "verify", counted)
    return checked


def test_a_token_is_verified_once_and_then_remembered(signatures_checked: list[bytes]) -> None:
    access_tokens = port()
    token = forge()
    first = access_tokens.verify(token, now=NOW)
    assert all(access_tokens.verify(token, now=NOW + SECOND) == first for _ in range(100))
    assert len(signatures_checked) == 1


def test_what_was_refused_is_not_remembered(signatures_checked: list[bytes]) -> None:
    access_tokens = port()
    token = forge(key=OTHER_KEY)
    for _ in range(3):
        with pytest.raises((TokenExpired, TokenInvalid)):
            access_tokens.verify(token, now=NOW)
    assert len(signatures_checked) == 3


def test_no_more_tokens_are_remembered_than_allowed_and_the_oldest_goes_first(signatures_checked: list[bytes]) -> None:
    access_tokens = port(cached_max=3)
    tokens = [forge(claims={**CLAIMS, "jti": f"tok_{number}"}) for number in range(4)]
    for token in tokens:
        access_tokens.verify(token, now=NOW)
    signatures_checked.clear()
    for token in tokens[1:]:
        access_tokens.verify(token, now=NOW)
    assert not signatures_checked
    access_tokens.verify(tokens[0], now=NOW)
    assert len(signatures_checked) == 1


def test_the_package_with_the_timing_leak_is_never_loaded() -> None:
    program = "import sys, gateway.adapters.jose.access_tokens; print('ecdsa' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


def test_without_the_cryptography_backend_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jose.backends, "ECKey", object)
    with pytest.raises(RuntimeError, match="cryptography"):
        port()
