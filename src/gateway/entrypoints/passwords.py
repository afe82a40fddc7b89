"""Passwords for commands: from standard input or from a prompt, never from an argument."""

import sys

import click

from gateway.application.plain_text import NotPlainText, plain_text


def read_password(*, from_stdin: bool, is_new: bool) -> str:
    """The first line of standard input, or what a prompt is answered. A new password is asked for twice.

    Raises:
        ClickException: The line is not text.
    """
    if not from_stdin:
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=is_new)
        return password
    try:
        return plain_text(sys.stdin.buffer.readline()).rstrip("\r\n")
    except NotPlainText as refused:
        raise click.ClickException(f"The password cannot be read: {refused}.") from refused
