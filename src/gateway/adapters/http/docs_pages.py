"""The OpenAPI document, its page and the guide. All files are served from this package: they work offline."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.adapters.http.guide import guide_page
from gateway.adapters.http.messages import JSON, Header, Request, Response
from gateway.adapters.http.operations import ANYONE, Handler, Operation
from gateway.adapters.http.root_paths import root_path_of
from gateway.adapters.http.static_content import StaticContent

HTML: Final = b"text/html; charset=utf-8"
STATIC: Final = Path(__file__).parent / "static"
STATIC_FILES: Final = {
    "docs.js": b"text/javascript; charset=utf-8",
    "examples.js": b"text/javascript; charset=utf-8",
    "favicon-32x32.png": b"image/png",
    "guide.css": b"text/css; charset=utf-8",
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "swagger-ui.css": b"text/css; charset=utf-8",
}
HOST: Final = re.compile(rb"[A-Za-z0-9.:\[\]_-]{1,255}")

PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gateway API</title>
<link rel="icon" href="{docs}/static/favicon-32x32.png">
<link rel="stylesheet" href="{docs}/static/swagger-ui.css">
<link rel="stylesheet" href="{docs}/static/guide.css">
</head>
<body>
<nav><a href="{docs}/guide">Guide</a> · <a href="{docs}/../openapi.json">openapi.json</a></nav>
<div id="docs"></div>
<script src="{docs}/static/swagger-ui-bundle.js"></script>
<script src="{docs}/static/examples.js"></script>
<script src="{docs}/static/docs.js"></script>
</body>
</html>
"""

HEADERS: Final[list[Header]] = [
    # Swagger UI needs style attributes and data URLs for its icons; everything else comes from our own files.
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"referrer-policy", b"no-referrer"),
]

Contents = Callable[[Request], StaticContent]


def docs_pages(document: dict[str, Any], *, root_path: str) -> list[Operation]:
    """The operations of `/`, `/openapi.json`, and `/docs` with its files. They are not in the OpenAPI document."""
    # A content is made and compressed when it is first asked for, which takes up to 80 ms: in a thread, so that other
    # requests are answered meanwhile, and in one, so that no content is made twice.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="docs")

    @lru_cache(maxsize=8)
    def document_at(server_url: str) -> StaticContent:
        return StaticContent(msgspec.json.encode({**document, "servers": [{"url": server_url}]}), JSON)

    @lru_cache
    def page_below(docs: str) -> StaticContent:
        return StaticContent(PAGE.format(docs=docs).encode(), HTML)

    @lru_cache(maxsize=8)
    def guide_at(server_url: str, docs: str) -> StaticContent:
        return StaticContent(guide_page(docs, server_url).encode(), HTML)

    def guide(request: Request) -> StaticContent:
        return guide_at(server_url(request, root_path), ".." if request.raw_path.endswith(b"/") else ".")

    async def redirect_to_docs(request: Request) -> Response:
        location = b"./docs" if request.raw_path.endswith(b"/") else request.raw_path + b"/docs"
        return Response(status=307, headers=[*HEADERS, (b"location", location)])

    return [
        _operation("/", redirect_to_docs),
        _page("/openapi.json", lambda request: document_at(server_url(request, root_path)), thread),
        # Links are relative: they work below any root path, also below one that a proxy strips.
        _page("/docs", lambda request: page_below("." if request.raw_path.endswith(b"/") else "docs"), thread),
        _page("/docs/guide", guide, thread),
        *(_file(name, content_type, thread) for name, content_type in STATIC_FILES.items()),
    ]


def server_url(request: Request, root_path: str) -> str:
    """The URL of the API as the client sees it; only the path, if the `Host` header is not valid."""
    path = root_path or root_path_of(request)
    host = request.headers.get(b"host", b"")
    return f"{request.scheme}://{host.decode()}{path}" if HOST.fullmatch(host) else path or "/"


def _file(name: str, content_type: bytes, thread: Executor) -> Operation:
    @lru_cache(maxsize=1)
    def content() -> StaticContent:
        return StaticContent((STATIC / name).read_bytes(), content_type)

    return _page(f"/docs/static/{name}", lambda _: content(), thread)


def _page(path: str, content: Contents, thread: Executor) -> Operation:
    async def handle(request: Request) -> Response:
        made = await asyncio.get_running_loop().run_in_executor(thread, content, request)
        return made.response(request, HEADERS)

    return _operation(path, handle)


def _operation(path: str, handler: Handler[None, None]) -> Operation:
    return Operation(method="GET", path=path, name=path, tag="", summary="", handler=handler, roles=ANYONE)
