"""The definitions of continuous integration: each host runs `.ci/run` on every supported Python and Postgres."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PYTHONS = ["3.11", "3.13", "3.14"]
POSTGRES = ["15", "18"]
YAML_FILES = [
    ".github/dependabot.yml",
    ".github/workflows/ci.yml",
    ".gitlab-ci.yml",
    ".pre-commit-config.yaml",
    "compose.yaml",
]


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def load(path: str) -> Any:
    return yaml.safe_load(text(path))


def recipe(target: str) -> list[str]:
    """The commands of a target of the Makefile."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text("Makefile"), re.MULTILINE)
    assert found, f"the Makefile has no target {target}"
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in found[1].splitlines()]


@pytest.mark.parametrize("path", YAML_FILES)
def test_the_file_is_valid_yaml(path: str) -> None:
    assert isinstance(load(path), dict)


def test_github_runs_everything_on_each_python_and_postgres() -> None:
    job = load(".github/workflows/ci.yml")["jobs"]["run"]
    assert job["strategy"]["matrix"] == {"python": PYTHONS, "postgres": POSTGRES}
    assert job["steps"][-1] == {"run": ".ci/run"}
    assert job["services"]["postgres"]["image"] == "postgres:${{ matrix.postgres }}-bookworm"
    assert "@127.0.0.1:5432/" in job["env"]["GATEWAY_TEST_POSTGRES_URL"]


def test_gitlab_runs_everything_on_each_python_and_postgres() -> None:
    job = load(".gitlab-ci.yml")["run"]
    assert job["parallel"]["matrix"] == [{"PYTHON_VERSION": PYTHONS, "POSTGRES_VERSION": POSTGRES}]
    assert job["script"] == [".ci/run"]
    [service] = job["services"]
    assert service["name"] == "postgres:${POSTGRES_VERSION}-bookworm"
    assert f"@{service['alias']}:5432/" in job["variables"]["GATEWAY_TEST_POSTGRES_URL"]


def test_the_oldest_python_is_the_one_that_the_package_requires() -> None:
    assert tomllib.loads(text("pyproject.toml"))["project"]["requires-python"] == f">={PYTHONS[0]}"


def test_the_image_has_a_python_that_is_tested() -> None:
    [version] = re.findall(r"^FROM python:(\d+\.\d+)-slim-\w+@", text("Dockerfile"), re.MULTILINE)
    assert version in PYTHONS


def test_actions_are_pinned_to_a_full_version() -> None:
    workflows = [load(f".github/workflows/{name}.yml") for name in ("ci", "simulation")]
    used = [step["uses"] for each in workflows for step in each["jobs"]["run"]["steps"] if "uses" in step]
    assert len(used) >= len(workflows)
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", action)] == []


def test_ci_runs_only_targets_that_exist() -> None:
    targets = re.findall(r"^ *make ([a-z-]+)", text(".ci/run"), re.MULTILINE)
    assert {"lint", "test", "clients", "simulate"} <= set(targets)
    for target in targets:
        assert recipe(target)


def test_every_test_runs_in_ci_with_coverage_or_without() -> None:
    assert "make test ||" in text(".ci/run")
    makefile = text("Makefile")
    parts = r"\$\(END_TO_END_HALVES\) test-rest coverage test-on-databases test-simulation"
    assert re.search(rf"^\t\$\(MAKE\) .* {parts}$", makefile, re.MULTILINE)
    assert "\t$(BIN)/pytest $(END_TO_END_TESTS)/test_[$*]*.py $(ARGS)\n" in makefile
    [halves] = re.findall(r"^END_TO_END_HALVES := (.*)$", makefile, re.MULTILINE)
    patterns = [f"test_[{half.removeprefix('test-end-to-end-')}]*.py" for half in halves.split()]
    for file in (ROOT / "tests/end_to_end").rglob("test_*.py"):
        assert [file.match(f"tests/end_to_end/{pattern}") for pattern in patterns].count(True) == 1, file
    assert any('-m pytest $(COVERAGE_TESTS) -k "not ($(ON_DATABASES))"' in line for line in recipe("coverage"))
    assert any('/pytest $(COVERAGE_TESTS) -k "$(ON_DATABASES)"' in line for line in recipe("test-on-databases"))
    assert any("/pytest $(END_TO_END_TESTS)" in line for line in recipe("test-end-to-end"))
    assert any("/pytest $(SIMULATION_TESTS)" in line for line in recipe("test-simulation"))
    left_out = "$(addprefix --ignore=,$(COVERAGE_TESTS) $(END_TO_END_TESTS) $(SIMULATION_TESTS))"
    assert any(left_out in line for line in recipe("test-rest"))


def test_the_hooks_before_a_commit_are_checks_of_lint() -> None:
    [repository] = load(".pre-commit-config.yaml")["repos"]
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert entries
    assert set(entries) <= set(recipe("lint"))
