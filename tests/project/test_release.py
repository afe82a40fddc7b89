"""A release: what `make release` refuses, and that the wheel works where nothing else is installed."""

import json
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import gateway

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
IDENTITY = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Repository:
    """A repository with one commit that may be released as 1.2.3."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".ci").mkdir()
        shutil.copy(ROOT / ".ci" / "release", folder / ".ci")
        (folder / "pyproject.toml").write_text('[project]\nname = "gateway"\nversion = "1.2.3"\n')
        (folder / "CHANGELOG.md").write_text(
            "# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-01-31\n\n### Added\n\n- All.\n"
        )
        self.git("init", "--quiet")
        self.commit()

    def git(self, *command: str) -> None:
        run("git", *IDENTITY, *command, cwd=self.folder)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A change")

    def refusal(self, version: str = "1.2.3") -> str:
        """What `.ci/release` says; an empty text if it agrees."""
        command = [str(self.folder / ".ci" / "release"), version]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode == 0) == (done.stderr == "")
        return done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_commit_whose_version_and_changelog_fit_may_be_released(repository: Repository) -> None:
    assert repository.refusal() == ""


@pytest.mark.parametrize("version", ["", "1.2", "v1.2.3", "1.2.3rc1"])
def test_a_version_has_three_numbers(repository: Repository, version: str) -> None:
    assert "say which version" in repository.refusal(version)


def test_the_version_is_the_one_of_the_package(repository: Repository) -> None:
    assert "pyproject.toml has another version" in repository.refusal("1.2.4")


@pytest.mark.parametrize("heading", ["## 1.2.3", "## 1.2.2 - 2026-01-31", "## 1x2x3 - 2026-01-31"])
def test_the_changelog_has_a_dated_section(repository: Repository, heading: str) -> None:
    (repository.folder / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n\n- All.\n")
    repository.commit()
    assert "no section" in repository.refusal()


def test_nothing_is_left_under_unreleased(repository: Repository) -> None:
    changelog = repository.folder / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## Unreleased\n", "## Unreleased\n\n- One more.\n"))
    repository.commit()
    assert "under Unreleased" in repository.refusal()


def test_everything_is_committed(repository: Repository) -> None:
    (repository.folder / "new.py").touch()
    assert "not committed" in repository.refusal()


def test_a_version_is_released_once(repository: Repository) -> None:
    repository.git("tag", "v1.2.3")
    assert "the tag v1.2.3 exists" in repository.refusal()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(*PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_has_the_package_its_types_and_its_guide_and_nothing_else(wheel: Path) -> None:
    assert wheel.name == f"gateway-{VERSION}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"gateway/py.typed", "gateway/adapters/http/static/guide.md"} <= names
    assert {name.split("/")[0] for name in names} == {"gateway", f"gateway-{VERSION}.dist-info"}
    in_the_source = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == in_the_source


@pytest.mark.timeout(300)
def test_the_wheel_works_where_nothing_else_is_installed(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment)
    python = environment / "bin" / "python"
    install: list[str | Path] = [*PIP, "--python", python, "install", "--quiet", "-c", ROOT / "constraints.txt"]
    run(*install, wheel, cwd=tmp_path)
    assert run(python, ROOT / "examples" / "first_payment.py", cwd=tmp_path) == "captured\n"
    needs_server = {"GatewayApp", "asgi"}
    script = f"import gateway; [getattr(gateway, name) for name in {{*gateway.__all__}} - {needs_server}]"
    run(python, "-c", script, cwd=tmp_path)

    run(*install, f"{wheel}[server]", cwd=tmp_path)
    assert VERSION in run(environment / "bin" / "gateway", "--version", cwd=tmp_path)
    script = "import gateway, json; print(json.dumps([name for name in gateway.__all__ if getattr(gateway, name)]))"
    assert json.loads(run(python, "-c", script, cwd=tmp_path)) == gateway.__all__
    guide = (
        "import gateway.entrypoints.api; from gateway.adapters.http.guide import INSTALLED; print(INSTALLED.exists())"
    )
    assert run(python, "-c", guide, cwd=tmp_path) == "True\n"
