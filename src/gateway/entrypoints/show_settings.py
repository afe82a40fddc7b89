"""`gateway settings`: what is in force, and where it comes from."""

import os

import click
from rich.table import Table

from gateway.entrypoints.flags import Flags, given, settings_with
from gateway.entrypoints.output import output
from gateway.settings.markdown import settings_markdown
from gateway.settings.reader import Source, show_settings


def show(flags: Flags, *, markdown: bool) -> None:
    """Show what is in force, or the page that explains it."""
    if markdown:
        click.echo(settings_markdown(), nl=False)
        return
    settings = settings_with(flags)
    table = Table("setting", "value", "source", box=None, pad_edge=False)
    for shown in show_settings(settings, os.environ, given(flags)):
        table.add_row(shown.name, shown.value, shown.source, style="dim" if shown.source is Source.DEFAULT else "bold")
    output().print(table)
