"""The page of settings, `docs/settings.md`."""

from typing import Final

from gateway.settings.values import FIELDS

_PAGE: Final = """# Settings

Every setting is an environment variable, read once at the start. An unknown name that begins with `GATEWAY_` is
refused, and so is a value of the wrong type or out of bounds. `gateway settings` shows all values and their sources;
secrets stay hidden. Commands that read settings take each setting except secrets as a flag too. Flags override
variables: `GATEWAY_DATA_DIR` is `--data-dir`.

Kubernetes gives every container variables named after its Services. The variables of a Service called `gateway` would
be taken for settings: give the Service another name, or set `enableServiceLinks: false`.

`GATEWAY_TOKEN` is no setting: it is an access token or an API key for `gateway events tail`, `gateway webhooks listen`
and `gateway trigger`.

`gateway settings --markdown` makes this page.
"""


def settings_markdown() -> str:
    """The page, as Markdown."""
    rows = [
        f"| `{field.variable}` | {field.takes} | {field.default_in_words} | {field.description} |"
        for field in FIELDS.values()
    ]
    return "\n".join([_PAGE, "| variable | value | default | |", "|---|---|---|---|", *rows, ""])
