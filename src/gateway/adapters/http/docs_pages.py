"""The OpenAPI document, its page and the guide. All files are served from this package: they work offline."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.adapters.http.guide import guide_page
from gateway.adapters.http.messages import JSON, Header, Request, Response
from gateway.adapters.http.operations import Handler, Operation
from gateway.adapters.http.root_paths import root_path_of
from gateway.adapters.http.static_content import StaticContent
from gateway.application.errors import Overloaded

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

MAKING_MAX: Final = 8
"""The contents of one kind that are made, or wait to be."""
KEPT_MAX: Final = 16
"""The contents of one kind that are kept: one for each URL of the gateway, or each file."""

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


class Pages:
    """Contents of one kind. Each is made in a thread when it is first asked for, and kept.

    Making one takes up to 80 ms, in which other requests are answered; many hosts do not make many at once.

    Args:
        thread: Where they are made.
        make: Makes the content of a key.
    """

    def __init__(self, thread: Executor, make: Callable[..., StaticContent]) -> None:
        self._thread = thread
        self._make = make
        self._made: dict[tuple[str, ...], asyncio.Future[StaticContent]] = {}

    async def at(self, *key: str) -> StaticContent:
        """The content of a key.

        Raises:
            Overloaded: Too many are being made.
        """
        made = self._made.get(key)
        if made is None:
            finished = [each for each, content in self._made.items() if content.done()]
            if len(self._made) - len(finished) >= MAKING_MAX:
                raise Overloaded("Too many pages of the documentation are being made.")
            if len(self._made) >= KEPT_MAX:
                del self._made[finished[0]]
            made = self._made[key] = asyncio.get_running_loop().run_in_executor(self._thread, self._make, *key)
        return await asyncio.shield(made)


def docs_pages(document: dict[str, Any], *, root_path: str) -> list[Operation]:
    """The operations of `/`, `/openapi.json`, and `/docs` with its files. They are not in the OpenAPI document."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="docs")

    def document_at(server_url: str) -> StaticContent:
        return StaticContent(msgspec.json.encode({**document, "servers": [{"url": server_url}]}), JSON)

    def page_below(docs: str) -> StaticContent:
        return StaticContent(PAGE.format(docs=docs).encode(), HTML)

    def guide_at(server_url: str, docs: str) -> StaticContent:
        return StaticContent(guide_page(docs, server_url).encode(), HTML)

    def file_named(name: str) -> StaticContent:
        return StaticContent((STATIC / name).read_bytes(), STATIC_FILES[name])

    documents, pages, guides, files = (Pages(thread, make) for make in (document_at, page_below, guide_at, file_named))

    async def redirect_to_docs(request: Request) -> Response:
        location = b"./docs" if request.raw_path.endswith(b"/") else request.raw_path + b"/docs"
        return Response(status=307, headers=[*HEADERS, (b"location", location)])

    # Links are relative: they work below any root path, also below one that a proxy strips.
    def page(request: Request) -> Awaitable[StaticContent]:
        return pages.at("." if request.raw_path.endswith(b"/") else "docs")

    def guide(request: Request) -> Awaitable[StaticContent]:
        return guides.at(server_url(request, root_path), ".." if request.raw_path.endswith(b"/") else ".")

    def file(name: str) -> Operation:
        return _page(f"/docs/static/{name}", lambda _: files.at(name))

    return [
        _operation("/", redirect_to_docs),
        _page("/openapi.json", lambda request: documents.at(server_url(request, root_path))),
        _page("/docs", page),
        _page("/docs/guide", guide),
        *map(file, STATIC_FILES),
    ]


def server_url(request: Request, root_path: str) -> str:
    """The URL of the API as the client sees it; only the path, if the `Host` header is not valid."""
    path = root_path or root_path_of(request)
    host = request.headers.get(b"host", b"")
    return f"{request.scheme}://{host.decode()}{path}" if HOST.fullmatch(host) else path or "/"


def _page(path: str, content: Callable[[Request], Awaitable[StaticContent]]) -> Operation:
    async def handle(request: Request) -> Response:
        return (await content(request)).response(request, HEADERS)

    return _operation(path, handle)


def _operation(path: str, handler: Handler[None, None]) -> Operation:
    return Operation(method="GET", path=path, name=path, tag="", summary="", handler=handler, public=True)
