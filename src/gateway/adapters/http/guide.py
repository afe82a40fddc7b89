"""The API guide, docs/api.md, as a page beside the reference."""

import re
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
"""A link to another file of the repository, which is not served."""


EXAMPLE_URL: Final = "http://127.0.0.1:8000"
"""Where the gateway is in the guide's examples."""


def guide_page(docs: str, server_url: str) -> str:
    """The guide as HTML, with examples that work as pasted.

    Args:
        docs: Where the docs are, from where the page is: `.` or `..`.
        server_url: Where the gateway is for the reader; if only a path is known, the examples stay as they are.
    """
    source = INSTALLED if INSTALLED.exists() else IN_THE_REPOSITORY
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    text = source.read_text(encoding="utf-8")
    if "://" in server_url:
        text = text.replace(EXAMPLE_URL, server_url)
    rendered = markdown.render(text)
    return PAGE.format(docs=docs, guide=_REPOSITORY_LINK.sub(r"\1", rendered))
