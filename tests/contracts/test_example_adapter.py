"""The examples of parts of one's own are proved as their reader would prove them."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PUBLIC = {"gateway", "gateway.ports"}


@pytest.mark.parametrize("example", ["prove_your_own_adapter.py", "prove_lmdb_storage.py", "own_tokens.py"])
def test_an_example_proves_itself(example: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"examples/{example}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout


def imported(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def test_a_storage_from_scratch_imports_public_names_alone_and_inherits_no_port() -> None:
    modules = [*(ROOT / "examples" / "lmdb_storage").glob("*.py")]
    assert len(modules) > 10
    for module in modules:
        assert {name for name in imported(module) if name.partition(".")[0] == "gateway"} <= PUBLIC, module
        bases = {
            ast.unparse(base)
            for node in ast.walk(ast.parse(module.read_text()))
            if isinstance(node, ast.ClassDef)
            for base in node.bases
        }
        # `LmdbQueues` is a part of the deliveries, in a module of its own; no base is one of the gateway's.
        assert bases <= {"msgspec.Struct", "Protocol", "Generic[Record]", "LmdbQueues"}, module
