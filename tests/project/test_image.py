"""The image and compose.yaml: what they are built from, what runs as whom, and with which rights and limits."""

import importlib.metadata
import json
import re
import stat
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gateway.adapters.jose.keys import signing_key_from_pem
from gateway.adapters.sql.roles import SERVE, WORKER
from gateway.settings.reader import read_settings
from support.image import ROOT, dotenv, image_variables, instructions, last_stage, services

IMAGE_PYTHON = "3.14"
DIGEST = r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}"
PIN = re.compile(r"([\w.-]+)==([\w.]+) \\((?:\n    --hash=sha256:[0-9a-f]{64} \\)*\n    --hash=sha256:[0-9a-f]{64})\n")
CONFINED = [name for name in services() if name != "postgres"]


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def pins(path: str) -> dict[str, str]:
    """The versions of a file of hashes, which has nothing else in it: no host, no path, no version without a hash."""
    pinned = re.sub(r"\A(#.*\n)+", "", text(path))
    assert PIN.sub("", pinned) == ""
    return {canonicalize_name(match[1]): match[2] for match in PIN.finditer(pinned)}


def constraints() -> dict[str, str]:
    lines = [line for line in text("constraints.txt").splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def needed(requirements: list[str], extra: str = "") -> Iterator[str]:
    """The names of what is needed for these requirements on the image's Python."""
    version = {"python_version": IMAGE_PYTHON, "python_full_version": f"{IMAGE_PYTHON}.0", "sys_platform": "linux"}
    environment: dict[str, str] = {**default_environment(), **version}  # type: ignore[dict-item]  # texts, all of them.
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate(environment | {"extra": extra}):
            yield canonicalize_name(requirement.name)
            for inner in requirement.extras or {""}:
                yield from needed(importlib.metadata.requires(requirement.name) or [], inner)


def test_the_image_installs_what_the_project_needs_and_nothing_else() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *extras["nats"], *extras["server"]]

    assert set(pins("requirements/image.txt")) == set(needed(requirements))


@pytest.mark.parametrize("path", ["requirements/image.txt", "requirements/build.txt"])
def test_the_versions_with_hashes_are_the_versions_that_are_tested(path: str) -> None:
    tested = constraints()
    pinned = pins(path)

    assert {name: version for name, version in pinned.items() if tested.get(name, version) != version} == {}
    if path.endswith("image.txt"):
        assert pinned.keys() <= tested.keys()


def test_the_image_is_built_with_the_build_system_of_the_project() -> None:
    asked = [line for line in text("requirements/build.in").splitlines() if not line.startswith("#")]
    pinned = pins("requirements/build.txt")

    assert set(tomllib.loads(text("pyproject.toml"))["build-system"]["requires"]) < set(asked)
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pinned[requirement.name])


def test_the_versions_are_those_for_the_python_of_the_image() -> None:
    assert f"FROM python:{IMAGE_PYTHON}-slim-" in text("Dockerfile")
    assert f"--python-version {IMAGE_PYTHON} " in text("Makefile")


def test_every_package_is_installed_with_its_hash_or_without_an_index() -> None:
    commands = [command for line in instructions() if line.startswith("RUN ") for command in line[4:].split(" && ")]
    installing = [command for command in commands if "/pip " in command]

    assert len(installing) == 4
    for command in installing:
        assert "--require-hashes" in command or "--no-index" in command
        assert (
            "/pip wheel " not in command or "--no-build-isolation" in command
        )  # Or pip would fetch what builds a wheel.


def test_the_images_below_are_pinned_by_digest() -> None:
    below = [line.split()[1] for line in instructions() if line.startswith("FROM ")]
    stages = [line.split()[3] for line in instructions() if re.match(r"FROM \S+ AS ", line)]
    pinned = [image for image in below if image not in stages]
    pinned += [service["image"] for service in services().values() if "build" not in service]

    assert len(pinned) == 2
    assert [image for image in pinned if not re.fullmatch(DIGEST, image)] == []


def test_the_image_runs_as_a_user_without_a_shell_in_between() -> None:
    last = dict(line.split(" ", 1) for line in last_stage())

    assert last["USER"] == "10001:10001"
    assert json.loads(last["ENTRYPOINT"]) == ["gateway"]


def test_the_image_is_for_production_unless_told() -> None:
    assert read_settings(image_variables()).environment == "production"


def test_all_that_the_image_copies_is_sent_to_the_engine() -> None:
    copied = [line.split()[1:-1] for line in instructions() if line.startswith("COPY ") and "--from" not in line]
    sent = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}

    flat = {path for paths in copied for path in paths}
    assert {path if path != "requirements" else "requirements/image.txt" for path in flat} <= sent
    assert [path for path in sent if not (ROOT / path).exists()] == []
    assert text(".dockerignore").splitlines()[1] == "*"


@pytest.mark.parametrize("name", services())
def test_each_service_is_confined_and_bounded(name: str) -> None:
    service = services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert any(str(mount).split(":")[0] == "/tmp" for mount in service["tmpfs"])  # noqa: S108 - a mount.
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["cpus"] > 0
    assert service["pids_limit"] > 0
    assert [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")] == []


def test_server_and_worker_are_services_of_their_own_and_not_the_owner_of_the_tables(tmp_path: Path) -> None:
    secrets = drawn_secrets(tmp_path)
    users: dict[str, Any] = {}
    for name in CONFINED:
        service = services(secrets)[name]
        settings = read_settings(image_variables() | service["environment"])
        users[service["command"][0]] = re.search(r"//(\w+):", settings.url)
        assert settings.environment == "production"

    assert {command: user and user[1] for command, user in users.items()} == {
        "migrate": "gateway",
        "serve": "serve",
        "worker": "worker",
    }
    assert services()["migrate"]["command"] == ["migrate", "--roles"]
    logins = text("deploy/logins.sql")
    assert f"CREATE ROLE serve LOGIN PASSWORD :'serve_password' IN ROLE {SERVE};" in logins
    assert f"CREATE ROLE worker LOGIN PASSWORD :'worker_password' IN ROLE {WORKER};" in logins


def test_the_drawn_secrets_are_for_their_owner_alone_and_are_not_drawn_twice(tmp_path: Path) -> None:
    secrets = drawn_secrets(tmp_path)

    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    signing_key_from_pem(secrets["TOKEN_PRIVATE_KEY"].replace("\\n", "\n"))
    assert len(set(secrets.values())) == len(secrets)
    asked = set(re.findall(r"\$\{(\w+):\?", text("compose.yaml")))
    assert asked == secrets.keys()
    again = subprocess.run([ROOT / ".ci" / "compose-secrets", tmp_path], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert ".env exists" in again.stderr
    assert dotenv(tmp_path / ".env") == secrets


def drawn_secrets(folder: Path) -> dict[str, str]:
    subprocess.run([ROOT / ".ci" / "compose-secrets", folder], check=True, capture_output=True)
    return dotenv(folder / ".env")
