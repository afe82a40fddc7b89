"""`gateway keys scopes`: the authorization table, for a terminal and for docs/access.md."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import click
from rich.table import Table

from gateway.adapters.http.app import all_operations
from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.operations import AnyOperation
from gateway.entrypoints.output import output

COLUMNS: Final = ("operation", "roles", "scope of a key", "whose objects", "members from")


class _NoKeys:
    """Operations are described without keys for cursors."""

    def sign(self, content: bytes) -> bytes:
        """Nothing is signed."""
        raise LookupError(content)

    def verify(self, content: bytes, signature: bytes) -> bool:
        """Nothing is verified."""
        raise LookupError(content, signature)


class Line(NamedTuple):
    """A row, in words."""

    operation: str
    roles: str
    scope: str
    objects: str
    least: str


def show(*, markdown: bool) -> None:
    """Show the table."""
    if markdown:
        click.echo(access_table(), nl=False)
        return
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for line in _lines():
        table.add_row(*line)
    output().print(table)


def access_table() -> str:
    """The table, as Markdown."""
    rows = [
        f"| `{line.operation}` | {line.roles} | {_code(line.scope)} | {line.objects} | {line.least} |"
        for line in _lines()
    ]
    return "\n".join([f"| {' | '.join(COLUMNS)} |", "|---|---|---|---|---|", *rows, ""])


def _lines() -> Iterator[Line]:
    for operation in all_operations(Cursors(_NoKeys()), sandbox=True):
        scope = "" if operation.scope is None else operation.scope.value
        yield Line(
            f"{operation.method} {operation.path}", _roles(operation), scope, _objects(operation), _least(operation)
        )


def _roles(operation: AnyOperation) -> str:
    return ", ".join(sorted(operation.roles)) if operation.roles else "anyone"


def _objects(operation: AnyOperation) -> str:
    return operation.row.objects.value


def _least(operation: AnyOperation) -> str:
    return "" if operation.row.least is None else operation.row.least.value


def _code(scope: str) -> str:
    return f"`{scope}`" if scope else ""
