"""The examples do what they say."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_gateway_is_embedded_in_a_service(tmp_path: Path) -> None:
    done = run(tmp_path, str(EXAMPLES / "embed_in_a_service.py"))

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "10.50 USD captured",
        "500.00 USD refused: insufficient_funds",
        "8950 minor units are left",
    ]
    assert list(tmp_path.iterdir()) == []


def test_adapters_are_swapped_in_somebody_elses_tests(tmp_path: Path) -> None:
    example = EXAMPLES / "swap_adapters_in_tests.py"
    plain = ("-p", "no:asyncio", "-p", "no:cacheprovider", "-c", os.devnull)  # None of this project's own set-up.
    done = run(tmp_path, "-m", "pytest", "-q", *plain, str(example))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_every_example_is_run_by_some_test() -> None:
    tests = Path(__file__).parents[1]
    names = "".join(path.read_text(encoding="utf-8") for path in tests.rglob("test_*.py"))

    assert [path.stem for path in EXAMPLES.glob("*.py") if path.stem not in names] == []
