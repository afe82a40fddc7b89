"""A record of the audit log names the user whom it concerns, or a merchant would miss it in its own part."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

OF_NOBODY = {"quotes.py": "rates concern everybody", "audit_queries.py": "the log is the gateway's"}
"""Where records concern no single user, with the reason."""


def notes() -> Iterator[tuple[str, set[str | None]]]:
    """File and arguments of each note that the application makes."""
    for path in sorted((ROOT / "src/gateway/application").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "AuditNote":
                yield path.name, {keyword.arg for keyword in node.keywords}


def test_every_note_says_whom_it_concerns() -> None:
    found = list(notes())
    assert len(found) > len(OF_NOBODY)
    assert {name for name, arguments in found if "owner_id" not in arguments} == set(OF_NOBODY)
