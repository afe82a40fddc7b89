"""In production, nobody else may read or write the file of a signing key or secret."""

import os
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.adapters.jose.keys import generate_pem
from gateway.bootstrap.keys import access_tokens, cursor_keys
from gateway.bootstrap.refusal import StartRefused
from gateway.settings.reader import read_settings
from gateway.settings.values import Settings

SECRET = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
KEY_FIELD, SECRET_FIELD = "token_private_key_file", "token_secret_file"
BOTH = pytest.mark.parametrize("field", [KEY_FIELD, SECRET_FIELD])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file whose name a shell would not take for one word."""
    return tmp_path / "a key.pem"


def settings(field: str, file: Path, mode: int, environment: str = "production") -> Settings:
    """The settings with such a file, of this mode."""
    file.write_text(generate_pem() if field == KEY_FIELD else SECRET, encoding="ascii")
    os.chown(file, -1, os.getegid())
    file.chmod(mode)
    algorithm = "ES256" if field == KEY_FIELD else "HS256"
    given = {"ENVIRONMENT": environment, "TOKEN_ALGORITHM": algorithm, field.upper(): str(file)}
    return read_settings({f"GATEWAY_{name}": text for name, text in given.items()})


@BOTH
@pytest.mark.parametrize(
    ("mode", "deed"),
    [
        (0o644, "read"),
        (0o444, "read"),
        (0o604, "read"),
        (0o666, "write"),
        (0o660, "write"),
        (0o620, "write"),
        (0o602, "write"),
        (0o777, "write"),
    ],
    ids=lambda given: f"{given:o}" if isinstance(given, int) else "",
)
def test_a_file_that_others_may_use_is_refused_in_production(file: Path, field: str, mode: int, deed: str) -> None:
    given = settings(field, file, mode)
    says = (
        f"GATEWAY_{field.upper()}: the file has mode {mode:04o}, so that others may {deed} it. Production needs a "
        f"private file: `chmod 600 {shlex.quote(str(file))}`."
    )

    for start in (access_tokens, cursor_keys):
        with pytest.raises(StartRefused) as refused:
            start(given)
        assert str(refused.value).startswith(says)
    file.chmod(0o600)  # As it says.
    access_tokens(given)


@BOTH
@pytest.mark.parametrize("mode", [0o600, 0o400], ids=oct)
def test_a_private_file_is_taken_in_production(
    file: Path, field: str, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    access_tokens(settings(field, file, mode))
    assert caplog.records == []


@BOTH
def test_a_group_of_the_process_may_read_and_that_is_logged(
    file: Path, field: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(field, file, 0o640)

    access_tokens(given)
    assert [record.message for record in caplog.records] == ["signing_key_open_to_its_group"]

    monkeypatch.setattr(os, "getegid", lambda: file.stat().st_gid + 1)
    monkeypatch.setattr(os, "getgroups", list)
    with pytest.raises(StartRefused, match="mode 0640, so that others may read it"):
        access_tokens(given)


def test_the_file_of_another_user_is_to_be_given_to_this_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings(KEY_FIELD, file, 0o644)
    monkeypatch.setattr(os, "geteuid", lambda: 10_001)

    with pytest.raises(StartRefused, match=r"`chown 10001 '.*a key\.pem' && chmod 600 '.*a key\.pem'`"):
        access_tokens(given)


class ReadOnlyMount(NamedTuple):
    """What tells a read-only mount."""

    f_flag: int = os.ST_RDONLY


@BOTH
def test_on_a_read_only_mount_everybody_may_read_and_nobody_write(
    file: Path, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fstatvfs", lambda _: ReadOnlyMount())  # As `/run/secrets` of a container.

    for mode in (0o444, 0o644):
        access_tokens(settings(field, file, mode))
    with pytest.raises(StartRefused, match="mode 0666, so that others may write it"):
        access_tokens(settings(field, file, 0o666))


def test_a_pipe_has_no_mode_that_counts() -> None:
    pem, (reading, writing) = generate_pem(), os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w", encoding="ascii") as to_write:
        to_write.write(pem)
        to_write.close()
        given = Settings(environment="production", token_private_key_file=f"/dev/fd/{reading}")
        assert access_tokens(given).jwks() == access_tokens(Settings(token_private_key=pem)).jwks()
    nothing = Settings(environment="production", token_private_key_file=os.devnull)
    with pytest.raises(StartRefused, match="GATEWAY_TOKEN_PRIVATE_KEY_FILE is empty"):
        access_tokens(nothing)


@BOTH
def test_the_sandbox_takes_what_it_took(file: Path, field: str) -> None:
    for mode in (0o644, 0o660, 0o666):
        access_tokens(settings(field, file, mode, "sandbox"))
