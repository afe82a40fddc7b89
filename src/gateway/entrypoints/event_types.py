"""`gateway events types`: the types of events as a table, and the page that shows an example of each."""

import json
from typing import Final

import click
from rich.table import Table

from gateway.adapters.http.event_catalog import CATALOG, example_event
from gateway.domain.event_type import EventType
from gateway.entrypoints.output import output

_PAGE: Final = """# Event types

One example of each event, as webhooks, `GET /events` and `GET /events/stream` send it. `data.object` is what `GET` of
the object answered right after the change. New types and new fields may be added at any time: ignore what you do not
know. [docs/webhooks.md](webhooks.md) explains `position` and `sequence`.

`gateway events types --markdown` makes this page.
"""


def show_types(*, markdown: bool) -> None:
    """Show all types, or the page of examples."""
    if markdown:
        click.echo(event_types_markdown(), nl=False)
        return
    table = Table("type", "object", "when", box=None, pad_edge=False)
    for event_type, entry in CATALOG.items():
        table.add_row(event_type.value, entry.example["object"], entry.when.replace("`", ""))
    output().print(table)


def event_types_markdown() -> str:
    """The page, as Markdown."""
    return "\n".join([_PAGE, event_types_table(), *(_section(event_type) for event_type in CATALOG)])


def event_types_table(page: str = "") -> str:
    """The table of all types, with links to the examples of a page."""
    rows: list[str] = []
    for event_type, entry in CATALOG.items():
        link = f"[`{event_type}`]({page}#{event_type.value.replace('.', '')})"
        rows.append(f"| {link} | {entry.example['object'].replace('_', ' ')} | {entry.when} |")
    return "\n".join(["| type | object | |", "|---|---|---|", *rows, ""])


def _section(event_type: EventType) -> str:
    example = json.dumps(example_event(event_type), indent=2)
    return f"## {event_type}\n\n{CATALOG[event_type].when}\n\n```json\n{example}\n```\n"
