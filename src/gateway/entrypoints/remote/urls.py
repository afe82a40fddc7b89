"""URLs that commands are given. What is shown of them has no password."""

from typing import Final

import click
import httpx

from gateway.settings.database_url import without_password

PORT_MAX: Final = 65_535


def http_url(text: str, what: str, *, example: str) -> httpx.URL:
    """The URL in a text.

    Args:
        text: What was typed.
        what: What the URL should be one of: `HTTP`.
        example: A right one.

    Raises:
        UsageError: It has no `http` or `https`, no host, or a port that does not exist.
    """
    shown = without_password(text)
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise click.UsageError(f"{shown} is no URL: {error}.") from error
    if url.scheme in {"http", "https"} and url.host and (url.port is None or 0 < url.port <= PORT_MAX):
        return url
    raise click.UsageError(f"{shown} is no URL of {what}. An example: {example}")
