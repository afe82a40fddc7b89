"""Keys come from settings or files, are plain text, and verify after they were replaced."""

from pathlib import Path

import pytest

from gateway.adapters.jose.keys import generate_pem
from gateway.bootstrap.keys import access_tokens, cursor_keys
from gateway.bootstrap.refusal import StartRefused
from gateway.settings.reader import read_settings
from gateway.settings.values import FIELDS, Settings
from support.pem import public_pem

RANDOM = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
"""As random as a secret must be."""


def test_keys_are_read_from_files_too(tmp_path: Path) -> None:
    pem = generate_pem()
    file = tmp_path / "key.pem"
    file.write_text(pem, encoding="ascii")

    by_file = access_tokens(Settings(token_private_key_file=str(file))).jwks()

    assert by_file == access_tokens(Settings(token_private_key=pem)).jwks()
    # As people write several lines where a variable holds but one.
    assert by_file == access_tokens(Settings(token_private_key=pem.replace("\n", "\\n"))).jwks()


@pytest.mark.parametrize("field", ["token_private_key", "token_secret", "token_previous_public_keys"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"\ufeff{RANDOM}".encode(), "it begins with a byte-order mark"),
        (RANDOM.encode("utf-16"), "it is UTF-16"),
        (RANDOM.encode("utf-16-le"), "it has NUL characters"),
        (b"\xe9" * 40, "it is not UTF-8"),
    ],
)
def test_a_file_of_keys_is_plain_text(tmp_path: Path, field: str, content: bytes, reason: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    pem = {} if field == "token_private_key" else {"GATEWAY_TOKEN_PRIVATE_KEY": generate_pem()}
    algorithm = "HS256" if field == "token_secret" else "ES256"
    settings = read_settings({FIELDS[f"{field}_file"].variable: str(file), "GATEWAY_TOKEN_ALGORITHM": algorithm, **pem})

    with pytest.raises(StartRefused, match=f"^{FIELDS[field].variable}_FILE cannot be read: {reason}"):
        access_tokens(settings)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"PRIVATE_KEY": "x", "PRIVATE_KEY_FILE": "y"}, "not both"),
        ({"PRIVATE_KEY_FILE": "/does/not/exist"}, "GATEWAY_TOKEN_PRIVATE_KEY_FILE cannot be read: No such file"),
        ({"PRIVATE_KEY_FILE": "/dev/null"}, "GATEWAY_TOKEN_PRIVATE_KEY_FILE is empty"),
        ({"PRIVATE_KEY": "x"}, "no unencrypted private key"),
        ({"ALGORITHM": "HS256"}, "is empty"),
        ({"PRIVATE_KEY": generate_pem(), "PREVIOUS_PUBLIC_KEYS": "x"}, "public keys as PEM"),
        ({"ALGORITHM": "HS256", "SECRET": RANDOM, "PREVIOUS_PUBLIC_KEYS": public_pem(generate_pem())}, "algorithms"),
    ],
)
def test_keys_that_will_not_do_are_refused(given: dict[str, str], problem: str) -> None:
    settings = read_settings({f"GATEWAY_TOKEN_{name}": text for name, text in given.items()})

    with pytest.raises(StartRefused, match=problem):
        access_tokens(settings)


def test_keys_that_were_replaced_still_verify() -> None:
    old, older, new = generate_pem(), generate_pem(), generate_pem()

    tokens = access_tokens(
        Settings(token_private_key=new, token_previous_public_keys=public_pem(old) + public_pem(older))
    )

    each_alone = [access_tokens(Settings(token_private_key=pem)).jwks()["keys"] for pem in (new, old, older)]
    assert tokens.jwks()["keys"] == [key for [key] in each_alone]


def test_cursors_of_one_process_are_known_to_all_others(tmp_path: Path) -> None:
    sandbox = Settings(data_dir=str(tmp_path))
    shared = read_settings({"GATEWAY_TOKEN_ALGORITHM": "HS256", "GATEWAY_TOKEN_SECRET": RANDOM})

    for settings in (sandbox, shared):
        assert cursor_keys(settings).verify(b"content", cursor_keys(settings).sign(b"content"))
        assert not cursor_keys(settings).verify(b"another", cursor_keys(settings).sign(b"content"))
    assert not cursor_keys(shared).verify(b"content", cursor_keys(sandbox).sign(b"content"))
    assert not cursor_keys(sandbox).verify(b"content", cursor_keys(shared).sign(b"content"))


def test_cursors_live_as_long_as_tokens_when_keys_are_replaced() -> None:
    old, new = generate_pem(), generate_pem()
    before = cursor_keys(Settings(token_private_key=old))
    ahead = cursor_keys(Settings(token_private_key=old, token_previous_public_keys=public_pem(new)))
    replaced = cursor_keys(Settings(token_private_key=new, token_previous_public_keys=public_pem(old)))
    afterwards = cursor_keys(Settings(token_private_key=new))

    for signing, verifying in ((before, replaced), (ahead, replaced), (replaced, ahead), (replaced, afterwards)):
        assert verifying.verify(b"content", signing.sign(b"content"))
    assert not afterwards.verify(b"content", before.sign(b"content"))
