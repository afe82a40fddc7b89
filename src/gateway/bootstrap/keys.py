"""The keys for access tokens and cursors: from the settings, or the sandbox's own."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.adapters.jose.access_tokens import JoseAccessTokens
from gateway.adapters.jose.keys import (
    KeyRefused,
    SigningKey,
    VerifyingKey,
    generate_pem,
    keep_signing_key,
    signing_key_from_pem,
    signing_key_from_secret,
    verifying_key_from_pem,
)
from gateway.adapters.jose.signatures import JoseSignatures
from gateway.application.plain_text import NotPlainText, plain_text
from gateway.application.ports.tokens import AccessTokens
from gateway.bootstrap.folders import make_folder
from gateway.bootstrap.on_demand import PROCESS_LIFETIME_SECONDS
from gateway.bootstrap.private_files import read_private
from gateway.bootstrap.refusal import StartRefused
from gateway.settings.values import Settings

_PUBLIC_KEY: Final = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----\s*", re.DOTALL)


def access_tokens(settings: Settings) -> AccessTokens:
    """The issuer and verifier of access tokens.

    Raises:
        StartRefused: A key is missing or cannot be used.
    """
    try:
        return JoseAccessTokens(
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            signing_key=_signing_key(settings),
            verifying_keys=_previous_keys(settings),
            lifetime_seconds=settings.token_lifetime_seconds,
            leeway_seconds=settings.token_leeway_seconds,
        )
    except KeyRefused as refused:
        raise StartRefused(str(refused)) from refused


def tokens_of_this_process() -> AccessTokens:
    """Tokens by a key that ends with this process."""
    signing_key = signing_key_from_pem(generate_pem())
    return JoseAccessTokens(
        issuer="gateway", audience="gateway", signing_key=signing_key, lifetime_seconds=PROCESS_LIFETIME_SECONDS
    )


def process_cursor_keys() -> JoseSignatures:
    """Keys of cursors that end with this process."""
    return JoseSignatures(signing_key_from_pem(generate_pem()))


def cursor_keys(settings: Settings) -> JoseSignatures:
    """The keys that sign and verify the cursors of lists: the same keys as for access tokens.

    Raises:
        StartRefused: A key is missing or cannot be used.
    """
    try:
        return JoseSignatures(_signing_key(settings), _previous_keys(settings))
    except KeyRefused as refused:
        raise StartRefused(str(refused)) from refused


def _signing_key(settings: Settings) -> SigningKey:
    if settings.token_algorithm == "HS256":  # noqa: S105 - the name of an algorithm.
        return signing_key_from_secret(_private_text(settings, "token_secret").strip())
    pem = _private_text(settings, "token_private_key")
    if pem.strip():
        return signing_key_from_pem(pem)
    if settings.token_private_key_file:
        raise KeyRefused("GATEWAY_TOKEN_PRIVATE_KEY_FILE is empty.")
    if settings.environment == "production":
        raise KeyRefused(
            "Production needs a signing key of its own. Make one with "
            "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out signing-key.pem`, "
            "and set GATEWAY_TOKEN_PRIVATE_KEY_FILE=signing-key.pem."
        )
    make_folder(Path(settings.data_dir))
    return keep_signing_key(Path(settings.data_dir))


def _previous_keys(settings: Settings) -> list[VerifyingKey]:
    pems = _text(settings, "token_previous_public_keys", _read)
    if _PUBLIC_KEY.sub("", pems).strip():
        raise KeyRefused("GATEWAY_TOKEN_PREVIOUS_PUBLIC_KEYS takes public keys as PEM, and nothing else.")
    return [verifying_key_from_pem(pem) for pem in _PUBLIC_KEY.findall(pems)]


def _private_text(settings: Settings, field: str) -> str:
    """The value of a secret setting. In production, its file has to be private."""
    return _text(settings, field, read_private if settings.environment == "production" else _read)


def _text(settings: Settings, field: str, read: Callable[[Path, str], bytes]) -> str:
    """The value of a setting that may be in a file. `read` gets the file and the name of the setting that names it."""
    text: str = getattr(settings, field)
    file: str = getattr(settings, f"{field}_file")
    name = f"GATEWAY_{field.upper()}"
    if text and file:
        raise KeyRefused(f"Set {name} or {name}_FILE, not both.")
    if not file:
        # People write \n where a variable cannot hold several lines.
        return text.replace("\\n", "\n")
    try:
        return plain_text(read(Path(file), f"{name}_FILE"))
    except (OSError, NotPlainText) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise KeyRefused(f"{name}_FILE cannot be read: {reason}.") from error


def _read(path: Path, _variable: str) -> bytes:
    return path.read_bytes()
