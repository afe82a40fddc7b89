"""Refresh tokens: their secrets, how they are written, stored and sealed."""

import hashlib
import hmac
import secrets
from typing import Final

from gateway.application.errors import TokenInvalid
from gateway.domain.checks import check_text
from gateway.domain.limits import REFRESH_TOKEN_LENGTH_MAX

SECRET_BYTES: Final = 32


def new_secret() -> bytes:
    """Draw a secret at random."""
    return secrets.token_bytes(SECRET_BYTES)


def refresh_token_of(secret: bytes) -> str:
    """The refresh token that carries a secret."""
    return f"rt_{secret.hex()}"


def secret_of(refresh_token: str) -> bytes:
    """The secret in a refresh token.

    Raises:
        InvalidInput: It is not a text, or longer than `REFRESH_TOKEN_LENGTH_MAX`.
        TokenInvalid: It does not have the form of a refresh token.
    """
    check_text("refresh_token", refresh_token, REFRESH_TOKEN_LENGTH_MAX)
    prefix, _, digits = refresh_token.partition("_")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""
    if prefix != "rt" or len(secret) != SECRET_BYTES or secret.hex() != digits:
        raise unknown_refresh_token()
    return secret


def unknown_refresh_token() -> TokenInvalid:
    """The refusal of a refresh token that the gateway did not issue."""
    return TokenInvalid("This is not a refresh token of ours.")


def hash_of(secret: bytes) -> bytes:
    """The hash under which a secret is stored."""
    return hashlib.sha256(secret).digest()


def sealed(secret: bytes, *, by: bytes) -> bytes:
    """Encrypt a secret with a one-time pad that only the holder of the secret `by` can make. Sealing twice decrypts."""
    pad = hmac.digest(by, b"gateway refresh successor", "sha256")
    return bytes(left ^ right for left, right in zip(secret, pad, strict=True))
