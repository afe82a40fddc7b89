"""The OpenAPI document and the page that shows it, served from this package: they work offline."""

from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

STATIC: Final = Path(__file__).parent / "static"
STATIC_FILES: Final = {
    "docs.js": "text/javascript",
    "favicon-32x32.png": "image/png",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
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

HEADERS: Final = {
    # Swagger UI puts style attributes on its elements and draws its icons from data URLs; all else is our own files.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def pages_for_people(document: dict[str, Any], *, root_path: str) -> list[HTTPRouteHandler]:
    """`/openapi.json`, `/docs` and the files it needs."""
    content = msgspec.json.format(msgspec.json.encode(document), indent=2)
    page = PAGE.format(root=root_path)

    @get("/openapi.json", sync_to_thread=False)
    def openapi_json() -> Response[bytes]:
        return Response(content, media_type=MediaType.JSON, headers=HEADERS)

    @get("/docs", sync_to_thread=False)
    def docs() -> Response[str]:
        return Response(page, media_type=MediaType.HTML, headers=HEADERS)

    return [openapi_json, docs, *(_static_file(name, media_type) for name, media_type in STATIC_FILES.items())]


def _static_file(name: str, media_type: str) -> HTTPRouteHandler:
    # Not Litestar's static router: it is a mount, and the endpoint's mount at "/" would swallow it.
    content = (STATIC / name).read_bytes()

    @get(f"/docs/static/{name}", sync_to_thread=False)
    def static_file() -> Response[bytes]:
        return Response(content, media_type=media_type, headers=HEADERS)

    return static_file
