"""A gateway that is newer than its clients: it answers with a status and a code that their document does not name.

Codes and statuses are added without a new version of the API, so a client must read what it does not know.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from litestar import Litestar, Request, Response, route
from litestar.enums import MediaType

from support.servers import free_port, until

WORDS_OF_TOMORROW = {
    b'"status":"captured"': b'"status":"a_status_of_tomorrow"',
    b'"code":"payment_not_found"': b'"code":"a_code_of_tomorrow"',
}
START_SECONDS_MAX = 10.0


@asynccontextmanager
async def newer_gateway(url: str) -> AsyncGenerator[str]:
    """The URL of a server that hands requests on to the gateway at `url`, and changes words of its answers."""
    async with httpx.AsyncClient(base_url=url) as gateway:

        @route("/{path:path}", http_method=["GET", "POST"])
        async def hand_on(path: str, request: Request[Any, Any, Any]) -> Response[bytes]:
            headers = {name: value for name, value in request.headers.items() if name not in {"host", "content-length"}}
            answer = await gateway.request(
                request.method, path, params=request.query_params, headers=headers, content=await request.body()
            )
            body = answer.content
            for word, later in WORDS_OF_TOMORROW.items():
                body = body.replace(word, later)
            return Response(
                body,
                status_code=answer.status_code,
                media_type=answer.headers.get("content-type", MediaType.JSON),
            )

        port = free_port()
        config = uvicorn.Config(Litestar([hand_on], openapi_config=None), port=port, log_level="error")
        server = uvicorn.Server(config)
        async with serving(server):
            yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def serving(server: uvicorn.Server) -> AsyncGenerator[None]:
    """Serve in this event loop until the block ends."""
    running = asyncio.create_task(server.serve())

    async def has_started() -> bool:
        return server.started

    try:
        await until(has_started, START_SECONDS_MAX)
        yield
    finally:
        server.should_exit = True
        await running
