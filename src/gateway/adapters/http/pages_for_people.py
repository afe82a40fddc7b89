"""The OpenAPI document and the page that shows it, served from this package: they work offline."""

from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.adapters.http.exchange import JSON, Asked, Header, Reply
from gateway.adapters.http.operations import ANYONE, Operation

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
<link rel="icon" href="{root}/docs/static/favicon-32x32.png">
<link rel="stylesheet" href="{root}/docs/static/swagger-ui.css">
</head>
<body data-root="{root}">
<div id="docs"></div>
<script src="{root}/docs/static/swagger-ui-bundle.js"></script>
<script src="{root}/docs/static/docs.js"></script>
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
    content = msgspec.json.format(msgspec.json.encode(document), indent=2)
    page = PAGE.format(root=root_path).encode()
    return [
        _page("/openapi.json", content, JSON),
        _page("/docs", page, b"text/html; charset=utf-8"),
        *(
            _page(f"/docs/static/{name}", (STATIC / name).read_bytes(), content_type)
            for name, content_type in STATIC_FILES.items()
        ),
    ]


def _page(path: str, content: bytes, content_type: bytes) -> Operation:
    async def handle(_: Asked) -> Reply:
        return Reply(status=200, body=content, content_type=content_type, headers=list(HEADERS))

    return Operation(method="GET", path=path, name=path, tag="", summary="", handler=handle, roles=ANYONE)
