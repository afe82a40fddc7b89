"""The API guide, docs/api.md, as an HTML page."""

import html
import re
from functools import cache
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

INSTALLED: Final = Path(__file__).parent / "static" / "guide.md"
IN_THE_REPOSITORY: Final = Path(__file__).parents[4] / "docs" / "api.md"

PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gateway API guide</title>
<link rel="icon" href="{docs}/static/favicon-32x32.png">
<link rel="stylesheet" href="{docs}/static/guide.css">
</head>
<body>
<nav><a href="{docs}/../docs">Reference</a> · <a href="{docs}/../openapi.json">openapi.json</a></nav>
<main class="guide">
{guide}</main>
</body>
</html>
"""

_REPOSITORY_LINK = re.compile(r'<a href="(?!#|https?:)[^"]*">(.*?)</a>')
"""A link to another file of the repository: those are not served."""


EXAMPLE_URL: Final = "http://127.0.0.1:8000"
"""The URL of the gateway in the examples of docs/api.md."""


def guide_page(docs: str, server_url: str) -> str:
    """The guide as HTML, with the reader's URL of the gateway in its examples.

    Args:
        docs: The relative path from the page to `/docs`: `.` or `..`.
        server_url: The reader's URL. If it is only a path, the examples keep `EXAMPLE_URL`.
    """
    rendered = _rendered()
    if "://" in server_url:
        rendered = rendered.replace(EXAMPLE_URL, html.escape(server_url))
    return PAGE.format(docs=docs, guide=rendered)


@cache
def _rendered() -> str:
    """The guide, with `EXAMPLE_URL` in its examples. Rendering it takes 20 ms."""
    source = INSTALLED if INSTALLED.exists() else IN_THE_REPOSITORY
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return _REPOSITORY_LINK.sub(r"\1", markdown.render(source.read_text(encoding="utf-8")))
