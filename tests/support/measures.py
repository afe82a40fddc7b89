"""Measures of the code base: `make measures` prints them, a test holds some of them."""

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gateway"
NOT_COUNTED = ("contracts", "migrations")
"""Folders whose files may be long: a contract is one list of promises, a migration is never read again."""


def module_imports() -> dict[str, set[str]]:
    """What each module imports, also for its types alone."""
    graph = grimp.build_graph("gateway", cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def package_imports(imports: Mapping[str, Iterable[str]], below: str) -> dict[str, set[str]]:
    """What each package (or module) right below a package imports of the others."""
    prefix = f"{below}."
    found: dict[str, set[str]] = {}
    for module, targets in imports.items():
        if module.startswith(prefix):
            name = module.removeprefix(prefix).split(".")[0]
            others = {target.removeprefix(prefix).split(".")[0] for target in targets if target.startswith(prefix)}
            found.setdefault(name, set()).update(others - {name})
    return found


def circle(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """A circle of imports; empty if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def longest_files(count: int) -> list[tuple[int, str]]:
    """The longest files, with their numbers of lines."""
    files = [path for path in SOURCE.rglob("*.py") if not set(path.parts) & set(NOT_COUNTED)]
    lines = [(len(path.read_text(encoding="utf-8").splitlines()), str(path.relative_to(SOURCE))) for path in files]
    return sorted(lines, reverse=True)[:count]


def most_complex_functions(count: int) -> list[tuple[int, str]]:
    """The functions with the highest cyclomatic complexity, as ruff's C901 counts it."""
    command = ["-m", "ruff", "check", "--isolated", "--select=C901", "--config=lint.mccabe.max-complexity=1"]
    output = ["--output-format=concise", "--exit-zero", str(SOURCE)]
    done = subprocess.run([sys.executable, *command, *output], capture_output=True, text=True, check=True)
    found = re.findall(r"^(\S+?\.py):\d+:\d+: C901 `(.+?)` is too complex \((\d+) > 1\)", done.stdout, re.MULTILINE)
    functions = [(int(number), f"{Path(file).name}: {name}") for file, name, number in found]
    return sorted(functions, reverse=True)[:count]


def files_of_a_payment() -> list[str]:
    """The files that docs/architecture.md names on the way of one payment."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return re.findall(r"^\d+\. `(\S+?\.py)`", page, re.MULTILINE)


def table() -> str:
    """All measures as Markdown."""
    imports = module_imports()
    packages = package_imports(imports, "gateway.application")
    lines, file = longest_files(1)[0]
    complexity, function = most_complex_functions(1)[0]
    rows = [
        ("circle of imports among modules (grimp)", " → ".join(circle(imports)) or "none"),
        ("circle of imports among the packages of `application` (grimp)", " → ".join(circle(packages)) or "none"),
        ("packages of `application`, and imports among them", f"{len(packages)}, {sum(map(len, packages.values()))}"),
        ("longest file without contracts and migrations", f"{lines} lines: `{file}`"),
        ("most complex function (ruff C901)", f"{complexity}: `{function}`"),
        ("files on the way of one payment (docs/architecture.md)", str(len(files_of_a_payment()))),
    ]
    return "\n".join(["| measure | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
