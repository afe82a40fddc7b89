"""Layers wrap all paths; Litestar's own layers, which would not, are refused at the start."""

import gzip
from typing import Any

import pytest
from litestar import Litestar, asgi
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.config.csrf import CSRFConfig
from litestar.middleware.compression import CompressionMiddleware
from litestar.types import ASGIApp

from gateway.adapters.http import HttpLimits, create_app
from support.api_client import CURSOR_KEYS, open_world
from support.asgi import ask

PATHS = ["/payments", "/payments/pay_1", "/docs", "/openapi.json", "/health/live", "/nowhere"]


def noting(name: bytes) -> Any:
    """A layer that leaves its name in every answer."""

    def layer(app: ASGIApp) -> ASGIApp:
        async def handle(scope: Any, receive: Any, send: Any) -> None:
            async def send_noted(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message["headers"], (b"x-layer", name)]}
                await send(message)

            await app(scope, receive, send_noted)

        return handle

    return layer


def layers_of(messages: list[Any]) -> list[bytes]:
    return [value for name, value in messages[0]["headers"] if name == b"x-layer"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("root_path", ["", "/gateway"])
async def test_a_layer_reaches_every_path(path: str, root_path: str) -> None:
    async with open_world(root_path=root_path, layers=[noting(b"outer"), noting(b"inner")]) as world:
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            answer = await ask(world.app, method, root_path + path)
            assert layers_of(answer.messages) == [b"inner", b"outer"]


async def test_litestars_compression_reaches_every_path_as_a_layer() -> None:
    config = CompressionConfig(backend="gzip", minimum_size=1)
    async with open_world(layers=[lambda app: CompressionMiddleware(app, config)]) as world:
        for path in PATHS:
            plain = await ask(world.app, "GET", path, headers=[(b"request-id", b"request-1")])
            answer = await ask(
                world.app, "GET", path, headers=[(b"accept-encoding", b"gzip"), (b"request-id", b"request-1")]
            )
            assert answer.headers[b"content-encoding"] == b"gzip"
            assert gzip.decompress(answer.body) == plain.body


async def test_litestars_compression_of_an_application_around_the_gateway_compresses_nothing_twice() -> None:
    config = CompressionConfig(backend="gzip", minimum_size=1)
    async with open_world() as world:
        mounted: Any = world.app
        outer = Litestar(
            [asgi("/", is_mount=True, copy_scope=True)(mounted)], compression_config=config, openapi_config=None
        )
        for path in PATHS:
            plain = await ask(outer, "GET", path, headers=[(b"request-id", b"request-1")])
            answer = await ask(
                outer, "GET", path, headers=[(b"accept-encoding", b"gzip"), (b"request-id", b"request-1")]
            )
            assert gzip.decompress(answer.body) == plain.body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cors_config", CORSConfig(allow_origins=["https://shop.example"])),
        ("compression_config", CompressionConfig(backend="gzip")),
        ("allowed_hosts", ["gateway.example"]),
        ("csrf_config", CSRFConfig(secret="x" * 32)),
        ("middleware", [lambda app: app]),
        ("guards", [lambda _connection, _handler: None]),
        ("before_request", lambda _request: None),
        ("after_request", lambda response: response),
        ("after_response", lambda _request: None),
    ],
)
async def test_a_layer_of_litestars_own_is_refused_when_the_application_starts(name: str, value: object) -> None:
    def opener() -> Any:
        raise AssertionError("The gateway is opened.")

    app: Litestar = create_app(opener, cursor_keys=CURSOR_KEYS, sandbox=True, limits=HttpLimits())
    setattr(app, name, value)
    refusal = pytest.RaisesExc(RuntimeError, match=rf"^{name} would not reach all paths")
    with pytest.RaisesGroup(refusal):  # Litestar starts what belongs to it in a group of tasks.
        async with app.lifespan():
            raise AssertionError("It has started.")
