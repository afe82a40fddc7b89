"""`gateway settings`: what is in force, and where it comes from."""

import os

import click
from rich.table import Table

from gateway.entrypoints.flags import given, settings_flags, settings_with
from gateway.entrypoints.output import output
from gateway.settings import Source, settings_markdown, show_settings


@click.command("settings")
@click.option("--markdown", is_flag=True, help="Print the page that explains all settings instead.")
@settings_flags("environment", "data_dir", "database_url", "host", "port", "workers", "log_level")
def show(*, markdown: bool, **flags: str | None) -> None:
    """Show every setting and where its value comes from. Secrets stay hidden."""
    if markdown:
        click.echo(settings_markdown(), nl=False)
        return
    settings = settings_with(flags)
    table = Table("setting", "value", "source", box=None, pad_edge=False)
    for shown in show_settings(settings, os.environ, given(flags)):
        table.add_row(shown.name, shown.value, shown.source, style="dim" if shown.source is Source.DEFAULT else "bold")
    output().print(table)
