"""Flags that are settings: declared once, in the table of settings."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from gateway.settings import Settings, choices, default_in_words, description, flag_fields, read_settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_LINK: Final = re.compile(r" \(\[[^]]*\]\([^)]*\)\)")
"""A link of the page of settings, in brackets."""

Flags = Mapping[str, str | None]
"""What was given on the command line, by the name of the setting; `None` for nothing."""


def settings_flags(*fields: str) -> Callable[[Decorated], Decorated]:
    """Give a command a flag for each setting that is no secret: everybody on the machine sees a command's flags.

    Args:
        fields: Those that `--help` shows. The others are taken too.
    """

    def decorate(command: Decorated) -> Decorated:
        for field in reversed([*fields, *(each for each in flag_fields() if each not in fields)]):
            flag = f"--{field.replace('_', '-')}"
            default = default_in_words(field).strip("`") or "empty"
            words = f"{_LINK.sub('', description(field)).replace('`', '')}  [default: {default}]"
            metavar = "|".join(choices(field)) or "VALUE"
            command = click.option(flag, field, metavar=metavar, help=words, hidden=field not in fields)(command)
        return command

    return decorate


def given(flags: Flags) -> dict[str, str]:
    """Those that were given."""
    return {field: text for field, text in flags.items() if text is not None}


def settings_with(flags: Flags) -> Settings:
    """The settings of the environment, with flags in their place where given.

    Raises:
        SettingsRefused: They are not as they must be.
    """
    return read_settings(os.environ, given(flags))
