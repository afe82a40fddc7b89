"""Tokens and passwords of your own, proved by the contracts.

Run it with `pytest examples/own_tokens.py` after `pip install gateway[contracts]`.

The tokens are JSON with an HMAC, in base64url; the passwords are hashed with scrypt. Both are of the standard library
alone, and the gateway needs no key file.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway import Role, in_memory_gateway
from gateway.contracts.passwords import PasswordHasherContract
from gateway.contracts.tokens import AccessTokensContract
from gateway.ports import AccessClaims, PasswordCheck
from gateway.refusals import TokenExpired, TokenInvalid

LIFETIME_SECONDS = 600
TOKEN_LENGTH_MAX = 2_048


class SealedTokens:
    """The port `AccessTokens`."""

    lifetime_seconds = LIFETIME_SECONDS

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, *, subject: str, role: str, token_id: str, now: datetime) -> str:
        """A token: what it says, and a seal."""
        content = json.dumps([subject, role, token_id, int(now.timestamp())]).encode()
        return f"{_text(content)}.{_text(self._seal(content))}"

    def verify(self, token: str, *, now: datetime) -> AccessClaims:
        """What a token says, if the seal is ours and it is valid now."""
        content = self._content(token)
        subject, role, token_id, issued = json.loads(content)
        issued_at = datetime.fromtimestamp(issued, UTC)
        claims = AccessClaims(
            subject=subject,
            role=role,
            token_id=token_id,
            issued_at=issued_at,
            expires_at=issued_at + timedelta(seconds=LIFETIME_SECONDS),
        )
        if now < issued_at:
            raise TokenInvalid("The token is not valid yet.")
        if now >= claims.expires_at:
            raise TokenExpired("The token has expired.")
        return claims

    def jwks(self) -> Mapping[str, Any]:
        """Nobody else can verify a shared secret."""
        return {"keys": []}

    def _content(self, token: str) -> bytes:
        parts = token.split(".") if len(token) <= TOKEN_LENGTH_MAX and token.isascii() else []
        try:
            content, seal = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
        except ValueError as error:
            raise TokenInvalid("This is no token.") from error
        # Base64 has several spellings of the same bytes: only one is a token.
        if token != f"{_text(content)}.{_text(seal)}" or not hmac.compare_digest(seal, self._seal(content)):
            raise TokenInvalid("This is no token of ours.")
        return content

    def _seal(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")


class ScryptHasher:
    """The port `PasswordHasher`. A real one also bounds how many passwords wait for a thread."""

    def __init__(self, cost: int = 2**14) -> None:
        self._cost = cost

    async def hash(self, password: str) -> str:
        """Salt and hash, in base64url."""
        salt = secrets.token_bytes(16)
        return f"scrypt.{_text(salt)}.{_text(await self._hashed(password, salt))}"

    async def verify(self, password_hash: str | None, password: str) -> PasswordCheck:
        """Compare with a stored hash. An unknown user costs as much as a wrong password."""
        try:
            name, *texts = (password_hash or "").split(".")
            salt, stored = (base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in texts)
        except ValueError:
            name, salt, stored = "", b"", b""
        hashed = await self._hashed(password, salt)
        return PasswordCheck(matches=name == "scrypt" and hmac.compare_digest(stored, hashed), outdated=False)

    async def _hashed(self, password: str, salt: bytes) -> bytes:
        normal = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
        # To scrypt, a password and the same with NUL behind it are one: the contract found that.
        digest = hashlib.sha512(normal).digest()
        return await asyncio.to_thread(hashlib.scrypt, digest, salt=salt, n=self._cost, r=8, p=1)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


# The tests: the contracts with their fixtures, and a gateway that has both.


class TestTokens(AccessTokensContract):
    """The contract of access tokens."""

    @pytest.fixture
    def access_tokens(self) -> SealedTokens:
        """The tokens to prove."""
        return SealedTokens(b"k" * 32)

    @pytest.fixture
    def strangers_tokens(self) -> SealedTokens:
        """Tokens with another key."""
        return SealedTokens(b"s" * 32)


class TestPasswords(PasswordHasherContract):
    """The contract of password hashers."""

    @pytest.fixture
    def passwords(self) -> ScryptHasher:
        """The hasher to prove, at little cost."""
        return ScryptHasher(cost=2)


async def test_a_user_logs_in_with_them() -> None:
    """Both are given by keyword."""
    tokens, passwords = SealedTokens(secrets.token_bytes(32)), ScryptHasher(cost=2)
    email, password = "ada@example.com", secrets.token_urlsafe()
    async with in_memory_gateway(tokens=tokens, passwords=passwords) as gateway:
        await gateway.access.register(email=email, password=password, role=Role.CUSTOMER)
        signed_in = await gateway.access.log_in(email=email, password=password, address="192.0.2.1")
        assert (await gateway.access.authenticate(signed_in.access_token)).role is Role.CUSTOMER
