"""The OpenAPI document and the page that shows it, served from this package: they work offline."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.adapters.http.exchange import JSON, Asked, Header, Reply
from gateway.adapters.http.operations import ANYONE, Operation
from gateway.adapters.http.root_paths import root_path_of

STATIC: Final = Path(__file__).parent / "static"
STATIC_FILES: Final = {
    "docs.js": b"text/javascript; charset=utf-8",
    "favicon-32x32.png": b"image/png",
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "swagger-ui.css": b"text/css; charset=utf-8",
}

PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gateway API</title>
<link rel="icon" href="{static}/favicon-32x32.png">
<link rel="stylesheet" href="{static}/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="{static}/swagger-ui-bundle.js"></script>
<script src="{static}/docs.js"></script>
</body>
</html>
"""

HEADERS: Final[list[Header]] = [
    # Swagger UI puts style attributes on its elements and draws its icons from data URLs; all else is our own files.
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"referrer-policy", b"no-referrer"),
]


def pages_for_people(document: dict[str, Any], *, root_path: str) -> list[Operation]:
    """`/openapi.json`, `/docs` and the files it needs. They are not in the document themselves."""

    @lru_cache(maxsize=8)
    def document_below(path: str) -> bytes:
        placed = {**document, "servers": [{"url": path}]} if path else document
        return msgspec.json.format(msgspec.json.encode(placed), indent=2)

    return [
        _page("/openapi.json", lambda asked: document_below(root_path or root_path_of(asked)), JSON),
        _page("/docs", page_for, b"text/html; charset=utf-8"),
        *(_file(name, content_type) for name, content_type in STATIC_FILES.items()),
    ]


def page_for(asked: Asked) -> bytes:
    """The page, with paths that begin where it is: it works below any root path, also below one that a proxy strips."""
    return PAGE.format(static="static" if asked.raw_path.endswith(b"/") else "docs/static").encode()


def _file(name: str, content_type: bytes) -> Operation:
    content = (STATIC / name).read_bytes()
    return _page(f"/docs/static/{name}", lambda _: content, content_type)


def _page(path: str, content: Callable[[Asked], bytes], content_type: bytes) -> Operation:
    async def handle(asked: Asked) -> Reply:
        return Reply(status=200, body=content(asked), content_type=content_type, headers=list(HEADERS))

    return Operation(method="GET", path=path, name=path, tag="", summary="", handler=handle, roles=ANYONE)
