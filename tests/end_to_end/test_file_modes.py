"""The modes of files: a new SQLite file is for its user alone, and so has a key to be in production."""

import os
import stat
from collections.abc import Generator
from pathlib import Path

import pytest

from gateway.adapters.jose.keys import generate_pem
from gateway.bootstrap.wiring import open_gateway
from gateway.settings.values import Settings
from support.read_only import MOUNT, open_folder, run
from support.servers import Installation, free_port

USER_NAMESPACE = () if os.geteuid() == 0 else ("--user", "--map-root-user")
OPERATOR = ("create-operator", "--email", "op@example.com", "--password-stdin")


@pytest.fixture(autouse=True)
def usual_umask() -> Generator[None]:
    """The umask of most systems, for this process and those that it starts."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is not there, in a folder that everybody can enter."""
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    return folder / "x.db"


def modes(file: Path) -> dict[str, int]:
    """The modes of the database and of the files that SQLite keeps beside it."""
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()}


async def test_gateway_serve_makes_private_files(tmp_path: Path, file: Path) -> None:
    async with Installation(tmp_path, f"sqlite:///{file}").serving():
        found = modes(file)

    assert len(found) > 1  # With its journal, or its write-ahead log.
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize("arguments", [("migrate",), OPERATOR], ids=lambda arguments: arguments[0])
async def test_a_command_makes_private_files(tmp_path: Path, file: Path, arguments: tuple[str, ...]) -> None:
    command, *others = arguments
    done = await Installation(tmp_path).run(
        command, "--database-url", f"sqlite:///{file}", *others, stdin="a horse that nobody has stapled\n"
    )

    assert done.exit_code == 0, done
    assert file.name in modes(file)
    assert set(modes(file).values()) == {0o600}


async def test_an_embedding_service_makes_private_files(tmp_path: Path, file: Path) -> None:
    for settings in (Settings(data_dir=str(tmp_path), database_url=str(file)), Settings(data_dir=str(file.parent))):
        async with open_gateway(settings) as gateway:
            await gateway.storage.reader.check()
            assert set(modes(file).values()) == {0o600}
    assert {"x.db", "gateway.sqlite3"} <= modes(file).keys()


async def test_a_file_behind_a_link_is_made_private(tmp_path: Path, file: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(file)

    async with open_gateway(Settings(data_dir=str(tmp_path), database_url=str(link))):
        pass

    assert set(modes(file).values()) == {0o600}


async def test_an_existing_file_keeps_its_mode(tmp_path: Path, file: Path) -> None:
    os.close(os.open(file, os.O_CREAT, 0o640))

    done = await Installation(tmp_path).run("migrate", "--database-url", f"sqlite:///{file}")

    assert done.exit_code == 0, done
    assert set(modes(file).values()) == {0o640}


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [(("migrate", "--dry-run"), 0), (("verify",), 1), (("worker",), 1), (("serve",), 1)],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
async def test_nothing_is_made_where_nothing_is_to_be_made(
    tmp_path: Path, file: Path, arguments: tuple[str, ...], exit_code: int
) -> None:
    production = {
        "GATEWAY_ENVIRONMENT": "production",
        "GATEWAY_ALLOW_SQLITE_IN_PRODUCTION": "true",
        "GATEWAY_TOKEN_PRIVATE_KEY": generate_pem(),
    }

    done = await Installation(tmp_path, f"sqlite:///{file}").run(*arguments, **production)

    assert done.exit_code == exit_code, done
    assert modes(file) == {}


@pytest.mark.parametrize("arguments", [("serve",), OPERATOR], ids=lambda arguments: arguments[0])
async def test_no_command_starts_in_production_with_a_key_that_others_may_read(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    key = tmp_path / "key.pem"
    os.close(os.open(key, os.O_CREAT, 0o644))
    production = {"GATEWAY_ENVIRONMENT": "production", "GATEWAY_TOKEN_PRIVATE_KEY_FILE": str(key)}

    done = await Installation(tmp_path).run(*arguments, stdin="a horse that nobody has stapled\n", **production)

    assert done.exit_code == 1
    assert done.complained.startswith("Error: GATEWAY_TOKEN_PRIVATE_KEY_FILE: the file has mode 0644")
    assert f"`chmod 600 {key}`" in done.complained


def test_a_secret_that_a_container_mounts_read_only_is_taken() -> None:
    with open_folder() as folder:
        key = folder / "token-key.pem"
        key.write_text(generate_pem(), encoding="ascii")
        key.chmod(0o444)

        done = run(
            "serve",
            before=("unshare", *USER_NAMESPACE, "--mount", "sh", "-c", MOUNT, str(folder)),
            GATEWAY_ENVIRONMENT="production",
            GATEWAY_PORT=str(free_port()),
            GATEWAY_TOKEN_PRIVATE_KEY_FILE=str(key),
        )

    assert done.stderr.startswith("Error: Production does not start on SQLite.")
