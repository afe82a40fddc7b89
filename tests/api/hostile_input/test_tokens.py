"""Hostile tokens: forged, damaged and expired ones."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jose import jws  # type: ignore[import-untyped]  # python-jose ships no types.

from gateway.adapters.jose.keys import generate_pem, signing_key_from_pem
from support.api_client import Json, Person, World, ok, refused


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Forge:
    """Makes tokens as a stranger would, and as we would if we made mistakes."""

    def __init__(self, world: World, customer: Person) -> None:
        assert customer.api.token is not None
        self.good = customer.api.token
        header, claims, self.signature = self.good.split(".")
        self.header: Json = json.loads(base64.urlsafe_b64decode(header + "=="))
        self.claims: Json = json.loads(base64.urlsafe_b64decode(claims + "=="))
        on_demand: Any = world.gateway.tokens
        self._own: Any = vars(vars(on_demand).get("_made") or on_demand)["_signer"]

    def signed(self, claims: Json, header: Json | None = None, *, by: Any = None) -> str:
        """A token that is right but for what is given; `...` leaves a claim or a header out."""
        all_claims = {name: value for name, value in {**self.claims, **claims}.items() if value is not ...}
        headers = {name: value for name, value in {**self.header, **(header or {})}.items() if value is not ...}
        content = f"{base64url(json.dumps(headers).encode())}.{base64url(json.dumps(all_claims).encode())}"
        signature = (by or self._own).sign(content.encode())
        return f"{content}.{base64url(signature)}"

    def broken(self) -> Iterator[tuple[str, str]]:
        header, claims, signature = self.good.split(".")
        now = self.claims["iat"]
        stranger = signing_key_from_pem(generate_pem()).signer
        unsigned = base64url(json.dumps({**self.header, "alg": "none"}).encode())
        yield "empty", ""
        yield "text", "nonsense"
        yield "two segments", f"{header}.{claims}"
        yield "four segments", f"{self.good}.{signature}"
        yield "no signature", f"{header}.{claims}."
        yield "alg none", f"{unsigned}.{claims}."
        yield "alg none with a signature", f"{unsigned}.{claims}.{signature}"
        yield "alg HS256 with the public key", self._confused()
        yield "signed by a stranger", self.signed({}, by=stranger)
        yield (
            "other claims",
            f"{header}.{base64url(json.dumps({**self.claims, 'role': 'operator'}).encode())}.{signature}",
        )
        yield "padding", f"{header}.{claims}.{signature}=="
        yield "trailing junk", f"{header}.{claims}.{signature}*"
        yield "another spelling", f"{header}.{claims}.{signature[:-1]}{_sibling(signature[-1])}"
        yield "not ASCII", self.good + "é"
        yield "white space inside", f"{header} .{claims}.{signature}"
        yield "5 KiB", f"{header}.{'A' * 5000}.{signature}"
        yield "nested", f"{base64url(b'[' * 1000)}.{claims}.{signature}"
        yield "no typ", self.signed({}, {"typ": ...})
        yield "typ JWT", self.signed({}, {"typ": "JWT"})
        yield "no kid", self.signed({}, {"kid": ...})
        yield "another kid", self.signed({}, {"kid": "other"})
        yield "kid of another type", self.signed({}, {"kid": ["x"]})
        yield "crit", self.signed({}, {"crit": ["exp"]})
        yield "a jku", self.signed({}, {"jku": "https://evil.example/keys"})
        for claim in ("iss", "aud", "sub", "iat", "exp", "jti", "role"):
            yield f"no {claim}", self.signed({claim: ...})
            yield f"{claim} null", self.signed({claim: None})
            yield f"{claim} a list", self.signed({claim: [self.claims[claim]]})
        for claim in ("iat", "exp", "nbf"):
            yield f"{claim} a float", self.signed({claim: now + 60.5})
            yield f"{claim} text", self.signed({claim: str(now + 60)})
            yield f"{claim} infinite", self.signed({claim: float("inf")})
            yield f"{claim} true", self.signed({claim: True})
            yield f"{claim} huge", self.signed({claim: 10**30})
        yield "of another issuer", self.signed({"iss": "somebody"})
        yield "for somebody else", self.signed({"aud": "somebody"})
        yield "for several", self.signed({"aud": ["gateway", "somebody"]})
        yield "from the future", self.signed({"iat": now + 60, "exp": now + 600})
        yield "not valid yet", self.signed({"nbf": now + 60})
        yield "living for a year", self.signed({"exp": now + 365 * 86_400})
        yield "ending before it began", self.signed({"exp": now - 1, "iat": now})

    def _confused(self) -> str:
        key = json.dumps(dict(self.header)).encode()
        token: str = jws.sign(self.claims, key, headers={"typ": "at+jwt", "kid": self.header["kid"]}, algorithm="HS256")
        return token


def _sibling(character: str) -> str:
    """A character of base64 that differs in the lowest bit, which the last one of a signature does not use."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) ^ 1]


async def test_a_broken_token_is_invalid_however_it_is_broken(world: World, customer: Person) -> None:
    forge = Forge(world, customer)
    ok(await world.anyone.with_token(forge.signed({"jti": "ses_x.1"})).get("/payments"))
    for what, token in forge.broken():
        answer = await world.anyone.send("GET", "/users/me", headers={"authorization": f"Bearer {token}".encode()})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid"), what


async def test_an_expired_token_of_ours_says_that_it_has_expired(world: World, customer: Person) -> None:
    forge = Forge(world, customer)
    now = forge.claims["iat"]
    api = world.anyone.with_token(forge.signed({"iat": now - 100, "exp": now}))
    refused(await api.get("/users/me"), 401, "token_expired")


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer", "BEARER", "Bearer  ", ""])
async def test_the_scheme_is_bearer_in_any_case(quiet_world: World, quiet_customer: Person, scheme: str) -> None:
    credentials = f"{scheme} {quiet_customer.api.token}".strip()
    answer = await quiet_world.anyone.send("GET", "/users/me", headers={"authorization": credentials})
    if scheme.strip().lower() == "bearer":
        ok(answer)
    else:
        refused(answer, 401, "token_invalid")
