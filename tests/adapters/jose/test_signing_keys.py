"""Signing keys are strong, kept private, and one for all processes that start together."""

import base64
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.adapters.jose.keys import (
    KeyRefused,
    generate_pem,
    is_open_to_others,
    keep_signing_key,
    signing_key_from_pem,
    signing_key_from_secret,
    verifying_key_from_pem,
)
from support.pem import public_pem
from support.processes import PIPE, started

KEEP_A_KEY = """
import sys
from pathlib import Path
from gateway.adapters.jose.keys import keep_signing_key
print("ready", flush=True)
sys.stdin.readline()
print(keep_signing_key(Path(sys.argv[1])).verifying.key_id)
"""


def private_pem(key: PrivateKeyTypes) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_a_key_is_named_by_its_thumbprint() -> None:
    # The key of RFC 7517, appendix A.2.
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(base64.urlsafe_b64decode("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4=")),
        int.from_bytes(base64.urlsafe_b64decode("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM=")),
        ec.SECP256R1(),
    )
    secret = int.from_bytes(base64.urlsafe_b64decode("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE="))
    key = signing_key_from_pem(private_pem(ec.EllipticCurvePrivateNumbers(secret, numbers).private_key())).verifying
    assert key.key_id == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"
    assert key.public_jwk == {
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "alg": "ES256",
        "use": "sig",
        "kid": "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
    }


def test_every_generated_key_is_another() -> None:
    assert (
        signing_key_from_pem(generate_pem()).verifying.key_id != signing_key_from_pem(generate_pem()).verifying.key_id
    )


def test_a_public_key_is_named_as_its_private_key() -> None:
    pem = generate_pem()
    verifying, signing = verifying_key_from_pem(public_pem(pem)), signing_key_from_pem(pem)
    assert (verifying.key_id, verifying.public_jwk) == (signing.verifying.key_id, signing.verifying.public_jwk)


def test_keys_and_secrets_do_not_show_when_printed() -> None:
    secret = secrets.token_urlsafe(32)
    pem = generate_pem()
    for shown in (repr(signing_key_from_secret(secret)), repr(signing_key_from_pem(pem))):
        assert secret not in shown
        assert pem.splitlines()[1] not in shown
        assert "signer" not in shown


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "secret",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        generate_pem()[:-40],
        public_pem(generate_pem()),
        private_pem(ec.generate_private_key(ec.SECP384R1())),
        private_pem(ec.generate_private_key(ec.SECP256K1())),
        private_pem(ed25519.Ed25519PrivateKey.generate()),
        private_pem(rsa.generate_private_key(65537, 2048)),
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass"))
        .decode(),
    ],
    ids=["empty", "word", "rubbish", "cut", "public", "P-384", "secp256k1", "Ed25519", "RSA", "encrypted"],
)
def test_only_an_open_private_key_on_p256_may_sign(pem: str) -> None:
    with pytest.raises(KeyRefused):
        signing_key_from_pem(pem)


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "secret",
        generate_pem(),
        public_pem(private_pem(ec.generate_private_key(ec.SECP384R1()))),
        public_pem(private_pem(rsa.generate_private_key(65537, 2048))),
    ],
    ids=["empty", "word", "private", "P-384", "RSA"],
)
def test_only_a_public_key_on_p256_may_verify(pem: str) -> None:
    with pytest.raises(KeyRefused):
        verifying_key_from_pem(pem)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "secret",
        "changeme",
        "x" * 31,
        "é" * 15,
        " " * 64,
        "a" * 64,
        "changeme" * 8,
        "ChangeMe-ChangeMe-ChangeMe-ChangeMe",
        "your-256-bit-secret-your-256-bit-secret",
        "super-secret-jwt-signing-key-please-change-this",
        "please_change_this_secret_key_before_production",
        "01234567890123456789012345678901",
        "0123456789abcdef0123456789abcdef",
        generate_pem(),
    ],
)
def test_a_secret_that_could_be_guessed_is_refused_with_advice(secret: str) -> None:
    with pytest.raises(KeyRefused, match=r"Draw one with: openssl rand -base64 32|Give it as the signing key"):
        signing_key_from_secret(secret)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: secrets.token_hex(32),
        lambda: secrets.token_urlsafe(32),
        lambda: base64.b64encode(secrets.token_bytes(32)).decode(),
        lambda: secrets.token_bytes(48).decode("utf-8", "surrogateescape"),
    ],
    ids=["hex", "base64url", "base64", "bytes of the environment"],
)
def test_a_secret_drawn_at_random_is_taken(draw: Callable[[], str]) -> None:
    secret = draw()
    key = signing_key_from_secret(secret).verifying
    assert key.algorithm == "HS256"
    assert key.public_jwk is None
    assert key.key_id == signing_key_from_secret(secret).verifying.key_id
    assert key.key_id != signing_key_from_secret(secret + "x").verifying.key_id


def test_the_first_start_makes_a_key_which_only_its_owner_can_read(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    before = os.umask(0)
    try:
        key = keep_signing_key(folder)
    finally:
        os.umask(before)
    path = folder / "signing-key.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in folder.iterdir()] == ["signing-key.pem"]
    assert key.verifying.key_id == signing_key_from_pem(path.read_text()).verifying.key_id


def test_every_later_start_uses_the_key_of_the_first(tmp_path: Path) -> None:
    first = keep_signing_key(tmp_path)
    assert keep_signing_key(tmp_path).verifying.key_id == first.verifying.key_id


def test_processes_that_start_together_use_one_key(tmp_path: Path) -> None:
    # All have imported what they need and wait, so that one line sets them off at the same moment.
    with ExitStack() as stack:
        command = [sys.executable, "-c", KEEP_A_KEY, str(tmp_path)]
        processes = [stack.enter_context(started(command, env=os.environ, stdin=PIPE)) for _ in range(4)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        key_ids = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert key_ids == {keep_signing_key(tmp_path).verifying.key_id}
    assert [entry.name for entry in tmp_path.iterdir()] == ["signing-key.pem"]


def test_whoever_is_second_to_write_takes_the_winners_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    winner = keep_signing_key(tmp_path)
    # As if the winner had come in between looking for the file and writing it.
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert keep_signing_key(tmp_path).verifying.key_id == winner.verifying.key_id


@pytest.mark.parametrize("mode", [0o640, 0o660, 0o620])
def test_a_key_that_is_open_to_a_group_of_this_process_is_used_and_that_is_logged(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    made = keep_signing_key(tmp_path)
    path = tmp_path / "signing-key.pem"
    os.chown(path, -1, os.getegid())
    path.chmod(mode)

    assert keep_signing_key(tmp_path).verifying.key_id == made.verifying.key_id
    assert [record.message for record in caplog.records] == ["signing_key_open_to_its_group"]


@pytest.mark.parametrize("mode", [0o640, 0o660, 0o620, 0o604, 0o644])
def test_a_key_is_open_to_others_if_a_foreign_group_may_use_it(mode: int) -> None:
    assert is_open_to_others(mode, 1000, {0, 999})
    assert not is_open_to_others(0o600, 1000, {0, 999})
    assert not is_open_to_others(mode & 0o770, 1000, {0, 1000})


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o664, 0o602, 0o777])
def test_a_key_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    keep_signing_key(tmp_path)
    (tmp_path / "signing-key.pem").chmod(mode)
    with pytest.raises(KeyRefused, match="chmod 600"):
        keep_signing_key(tmp_path)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff\xfe\x00"])
def test_a_damaged_key_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing-key.pem"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(KeyRefused, match="Restore it"):
        keep_signing_key(tmp_path)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_refused_with_its_reason(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    with pytest.raises(KeyRefused, match="cannot be kept"):
        keep_signing_key(occupied)
