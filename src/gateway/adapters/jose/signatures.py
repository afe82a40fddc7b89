"""Signatures of what clients carry back to us, by the keys that sign tokens: both live through a change of keys."""

from collections.abc import Sequence
from typing import Final

from gateway.adapters.jose.keys import SigningKey, VerifyingKey

PURPOSE: Final = b"gateway: cursors of lists\n"
"""Begins what is signed. No token does: a token begins with base64url, which has neither colons nor spaces."""


class JoseSignatures:
    """Signs with one key, and verifies with this key, with earlier ones, and with the key that will sign next."""

    def __init__(self, signing_key: SigningKey, verifying_keys: Sequence[VerifyingKey] = ()) -> None:
        self._signer = signing_key.signer
        self._verifiers = [key.verifier for key in (signing_key.verifying, *verifying_keys)]

    def sign(self, content: bytes) -> bytes:
        """Return a signature: 64 bytes by ES256, 32 by HS256."""
        signature: bytes = self._signer.sign(PURPOSE + content)
        return signature

    def verify(self, content: bytes, signature: bytes) -> bool:
        """Whether one of the keys has signed the content."""
        return any(verifier.verify(PURPOSE + content, signature) for verifier in self._verifiers)
