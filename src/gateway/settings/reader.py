"""The reader: settings from environment variables and flags, and where each value comes from."""

import difflib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from gateway.settings.field import PREFIX, SettingsRefused
from gateway.settings.values import FIELDS, Settings

TEST_PREFIX: Final = "GATEWAY_TEST_"
"""The prefix of variables of this project's tests, which are not settings."""

TOKEN_VARIABLE: Final = "GATEWAY_TOKEN"  # noqa: S105 - its name.
"""An access token for the commands that ask a running gateway. It is not a setting."""

_FIELDS_BY_NAME: Final = {field.name.upper(): field for field in FIELDS.values()}


class Source(StrEnum):
    """Where the value of a setting comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    FLAG = "flag"


class Shown(NamedTuple):
    """A setting as people may see it: without secrets."""

    name: str
    value: str
    source: Source


def read_settings(environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Settings:
    """Read the settings, once and strictly.

    Args:
        environ: Variables by name; those without the prefix `GATEWAY_` are not settings.
        flags: Values by the name of their field: `{"port": "8001"}`. They override variables.

    Raises:
        SettingsRefused: A value has the wrong type, is out of bounds or does not have its form; or a name is unknown.
    """
    texts = _from_environ(environ) | {name.upper(): text for name, text in (flags or {}).items()}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, text in texts.items():
        field = _FIELDS_BY_NAME.get(name)
        if field is None:
            problems.append(_unknown(name))
            continue
        try:
            values[field.name] = field.parse(text)
        except SettingsRefused as refused:
            problems.append(str(refused))
    if problems:
        raise SettingsRefused("\n".join(problems))
    return Settings(**values)


def show_settings(
    settings: Settings, environ: Mapping[str, str], flags: Mapping[str, str] | None = None
) -> Iterator[Shown]:
    """Each setting with its source. Secrets are hidden, also the password in the database's URL."""
    from_environ = _from_environ(environ)
    for name, field in FIELDS.items():
        if name in (flags or {}):
            source = Source.FLAG
        elif name.upper() in from_environ:
            source = Source.ENVIRONMENT
        else:
            source = Source.DEFAULT
        value = settings.url if name == "database_url" else getattr(settings, name)
        yield Shown(field.variable, field.shown(value), source)


def _from_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The gateway's own variables, by their name without the prefix: a field's name in capitals."""
    return {
        name.removeprefix(PREFIX): text
        for name, text in environ.items()
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name != TOKEN_VARIABLE
    }


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), FIELDS, n=1)
    advice = f"Did you mean {FIELDS[near[0]].variable}?" if near else "`gateway settings` lists them all."
    return f"{PREFIX}{name} is no setting. {advice}"
