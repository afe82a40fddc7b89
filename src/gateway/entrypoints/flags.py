"""Flags of commands for settings: declared once, in `Settings`."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from gateway.settings.reader import read_settings
from gateway.settings.values import FIELDS, Settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_LINK: Final = re.compile(r" \(\[[^]]*\]\([^)]*\)\)")
"""A link of the page of settings, in brackets."""

Flags = Mapping[str, str | None]
"""What was given on the command line, by the name of the setting; `None` for nothing."""


def settings_flags(*fields: str) -> Callable[[Decorated], Decorated]:
    """Give a command a flag for each setting that is no secret: everybody on the machine sees a command's flags.

    Args:
        fields: The settings that `--help` shows. Flags of other settings are accepted too.
    """

    def decorate(command: Decorated) -> Decorated:
        for name in reversed([*fields, *(each for each in _flags() if each not in fields)]):
            field = FIELDS[name]
            flag = f"--{name.replace('_', '-')}"
            default = field.default_in_words.strip("`") or "empty"
            words = f"{_LINK.sub('', field.description).replace('`', '')}  [default: {default}]"
            metavar = "|".join(field.choices) or "VALUE"
            command = click.option(flag, name, metavar=metavar, help=words, hidden=name not in fields)(command)
        return command

    return decorate


def given(flags: Flags) -> dict[str, str]:
    """The settings that were given as flags."""
    return {field: text for field, text in flags.items() if text is not None}


def settings_with(flags: Flags) -> Settings:
    """The settings of the environment, with flags in their place where given.

    Raises:
        SettingsRefused: They are not as they must be.
    """
    return read_settings(os.environ, given(flags))


def _flags() -> list[str]:
    return [name for name, field in FIELDS.items() if not field.form.secret]
