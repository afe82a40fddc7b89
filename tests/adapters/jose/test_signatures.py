"""What clients carry back is ours by the keys of tokens, and never stands for a token."""

import secrets

import pytest

from gateway.adapters.jose.keys import SigningKey, generate_pem, signing_key_from_pem, signing_key_from_secret
from gateway.adapters.jose.signatures import JoseSignatures


@pytest.fixture(params=["ES256", "HS256"])
def key(request: pytest.FixtureRequest) -> SigningKey:
    if request.param == "ES256":
        return signing_key_from_pem(generate_pem())
    return signing_key_from_secret(secrets.token_urlsafe(32))


def test_what_is_signed_is_no_token_and_no_token_is_signed_so(key: SigningKey) -> None:
    signatures = JoseSignatures(key)
    token = b"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1c3JfMSJ9"

    assert signatures.verify(token, signatures.sign(token))
    assert not key.verifying.verifier.verify(token, signatures.sign(token))
    assert not signatures.verify(token, key.signer.sign(token))


@pytest.mark.parametrize("signature", [b"", b"\0" * 32, b"\0" * 64, b"x" * 255])
def test_any_bytes_may_be_no_signature(key: SigningKey, signature: bytes) -> None:
    assert not JoseSignatures(key).verify(b"content", signature)
