"""The keys that access tokens are signed with: read, judged, made and kept."""

import hashlib
import hmac
import json
import logging
import os
import stat
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from jose.backends.base import Key  # type: ignore[import-untyped]  # python-jose ships no types.
from jose.backends.cryptography_backend import (  # type: ignore[import-untyped]  # As above.
    CryptographyECKey,
    CryptographyHMACKey,
)
from jose.exceptions import JWKError  # type: ignore[import-untyped]  # As above.
from jose.utils import base64url_encode  # type: ignore[import-untyped]  # As above.

from gateway.adapters.jose.guessable import can_be_guessed

logger = logging.getLogger(__name__)

KEY_FILE_NAME: Final = "signing-key.pem"
SECRET_BYTES_MIN: Final = 32


class KeyRefused(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """A key that must not sign or verify tokens; the message says what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    """A key which can tell that a token is ours.

    Attributes:
        key_id: Its `kid`, as tokens name it.
        algorithm: The one algorithm it is for.
        verifier: python-jose's key object, public if there is such a thing.
        public_jwk: The key as JWK (RFC 7517) for everyone to see; `None` for a shared secret.
    """

    key_id: str
    algorithm: Literal["ES256", "HS256"]
    verifier: Key = field(repr=False)
    public_jwk: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key which can make a token ours.

    Attributes:
        verifying: Its counterpart.
        signer: python-jose's key object, private.
    """

    verifying: VerifyingKey
    signer: Key = field(repr=False)


def generate_pem() -> str:
    """Return a new private key for ES256 (curve P-256), as unencrypted PKCS #8 PEM."""
    private = ec.generate_private_key(ec.SECP256R1())
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def signing_key_from_pem(pem: str) -> SigningKey:
    """Read a private key for ES256.

    Raises:
        KeyRefused: It is not an unencrypted private key on the curve P-256 in PEM.
    """
    try:
        private = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyRefused("The signing key is no unencrypted private key in PEM. Give another one.") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise KeyRefused("The signing key is not an elliptic-curve key. Make one on the curve P-256.")
    return SigningKey(verifying=_verifying_key(private.public_key()), signer=CryptographyECKey(private, "ES256"))


def verifying_key_from_pem(pem: str) -> VerifyingKey:
    """Read a public key for ES256, such as the public key of a replaced signing key.

    Raises:
        KeyRefused: It is not a public key on the curve P-256 in PEM.
    """
    try:
        public = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyRefused("The verifying key is no public key in PEM. Give another one.") from error
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise KeyRefused("The verifying key is not an elliptic-curve key. Give one on the curve P-256.")
    return _verifying_key(public)


def signing_key_from_secret(secret: str) -> SigningKey:
    """Take a shared secret for HS256, for when every verifier may also sign.

    Raises:
        KeyRefused: It is missing, short, or made up by a person (`can_be_guessed`).
    """
    if not secret:
        raise KeyRefused("The signing secret is empty. " + _ADVICE)
    key = secret.encode("utf-8", "surrogateescape")  # The environment may hold any bytes.
    if len(key) < SECRET_BYTES_MIN:
        raise KeyRefused(f"The signing secret is shorter than {SECRET_BYTES_MIN} bytes. " + _ADVICE)
    if can_be_guessed(secret):
        raise KeyRefused("The signing secret can be guessed. " + _ADVICE)
    try:
        hmac_key = CryptographyHMACKey(key, "HS256")
    except JWKError as error:
        raise KeyRefused("The signing secret is a key pair. Give it as the signing key instead.") from error
    # Unlike a thumbprint (RFC 7638 §7), this gives nothing to compare guesses with that a token does not give.
    key_id = _base64url(hmac.digest(key, b"key id", "sha256")[:16])
    verifying = VerifyingKey(key_id=key_id, algorithm="HS256", verifier=hmac_key, public_jwk=None)
    return SigningKey(verifying=verifying, signer=hmac_key)


def keep_signing_key(folder: Path) -> SigningKey:
    """Read the signing key kept in a data folder; make it first if there is none.

    Any number of processes may start at once: one of them makes the key, and all of them use it.

    Args:
        folder: The data folder, made with mode 700 when missing; the key is its `signing-key.pem`, mode 600. A group of
            this process may be let in; that is logged.

    Raises:
        KeyRefused: Others can read the file, or it cannot be read, written or understood.
    """
    path = folder / KEY_FILE_NAME
    try:
        if not path.exists():
            _write_new_key(path)
        pem = _read_private_file(path)
    except OSError as error:
        raise KeyRefused(f"{path} cannot be kept: {error.strerror}. Let the gateway read and write it.") from error
    try:
        return signing_key_from_pem(pem)
    except KeyRefused as error:
        raise KeyRefused(f"{path} holds no usable key. Restore it, or delete it to sign everyone out.") from error


_ADVICE: Final = f"Draw one with: openssl rand -base64 {SECRET_BYTES_MIN}"


def _verifying_key(public: ec.EllipticCurvePublicKey) -> VerifyingKey:
    if not isinstance(public.curve, ec.SECP256R1):
        raise KeyRefused(f"The key is on the curve {public.curve.name}. ES256 needs one on P-256 (secp256r1).")
    numbers = public.public_numbers()
    jwk = {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64url(numbers.x.to_bytes(32)),
        "y": _base64url(numbers.y.to_bytes(32)),
    }
    # RFC 7638: the required members and no others, in the order of their names, without spaces.
    key_id = _base64url(hashlib.sha256(json.dumps(jwk, separators=(",", ":")).encode("ascii")).digest())
    return VerifyingKey(
        key_id=key_id,
        algorithm="ES256",
        verifier=CryptographyECKey(public, "ES256"),
        public_jwk={**jwk, "alg": "ES256", "use": "sig", "kid": key_id},
    )


def _base64url(octets: bytes) -> str:
    text: str = base64url_encode(octets).decode("ascii")
    return text


def _write_new_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft_name = tempfile.mkstemp(dir=path.parent, prefix=".signing-key-")  # Mode 600.
    draft = Path(draft_name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(generate_pem())
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all, and never in place of another's: then theirs is the key.
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def _read_private_file(path: Path) -> str:
    with path.open("rb") as file:
        found = os.fstat(file.fileno())  # Of the file that is read, whatever its name means by now.
        if os.name == "posix":
            _look_at_mode(path, found)
        return file.read().decode("ascii", errors="replace")


def _look_at_mode(path: Path, found: os.stat_result) -> None:
    if is_open_to_others(found.st_mode, found.st_gid, {os.getegid(), *os.getgroups()}):
        raise KeyRefused(
            f"{path} is open to others. Delete it if they may have read it (this signs everyone out); otherwise: "
            "chmod 600"
        )
    if found.st_mode & stat.S_IRWXG:
        logger.warning("signing_key_open_to_its_group", extra={"path": str(path), "group": found.st_gid})


def is_open_to_others(mode: int, group: int, own_groups: Collection[int]) -> bool:
    """Whether others than the user and the groups of this process may use a file.

    A container's volume is open to the group of the container (`fsGroup` of Kubernetes makes it so at each start).

    Args:
        mode: The mode of the file.
        group: The id of its group.
        own_groups: The ids of the groups of this process.
    """
    return bool(mode & stat.S_IRWXO or (mode & stat.S_IRWXG and group not in own_groups))
