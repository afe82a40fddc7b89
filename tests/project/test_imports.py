"""What `make lint` cannot say of imports: import-linter knows modules, not what is imported from them."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

SIMULATION = Path(__file__).parents[2] / "src" / "gateway" / "simulation"
MODEL = ("model.py", "model_records.py", "effect.py")


def test_the_simulation_rules_import_no_function_of_the_domain() -> None:
    imported = {
        (node.module, alias.name)
        for source in [*(SIMULATION / name for name in MODEL), *(SIMULATION / "rules").glob("*.py")]
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gateway.domain")
        for alias in node.names
    }
    functions = {
        f"{module}.{name}" for module, name in imported if inspect.isfunction(getattr(import_module(module), name))
    }
    assert imported
    assert functions == {"gateway.domain.immutable.immutable"}
