"""Root paths: behind proxies that strip them and that do not, and mounted in other applications."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from litestar import Litestar, asgi, get

from support.api_client import created, fresh_key, ok, open_world
from support.asgi import ask
from support.references import References

App = Callable[..., Any]
"""An ASGI application; each framework types it in its own way."""


def strips(app: App, root: str) -> App:
    """A proxy that strips the path, of which nothing is left."""

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        path, raw_path = scope["path"].removeprefix(root), scope["raw_path"].removeprefix(root.encode())
        await app({**scope, "path": path, "raw_path": raw_path}, receive, send)

    return handle


def keeps(app: App, root: str) -> App:
    """A proxy that hands the whole path on."""
    del root
    return app


def server_is_told(app: App, root: str) -> App:
    """A proxy that strips the path, and a server that is told so: `uvicorn --root-path` puts it back in front."""

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": root}, receive, send)

    return handle


def mounted_with_the_whole_path(app: App, root: str) -> App:
    """A mount as ASGI describes it, and Starlette and FastAPI do it: the path stays, and the root path grows."""

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "app_root_path": "", "root_path": scope["root_path"] + root}, receive, send)

    return handle


def mounted_with_the_rest(app: App, root: str) -> App:
    """A mount as it was before: the path is the rest; servers that know no raw path give none."""

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        rest = scope["path"].removeprefix(root) or "/"
        await app({**scope, "path": rest, "root_path": root}, receive, send)

    return handle


def mounted_with_the_rest_of_both(app: App, root: str) -> App:
    """The same by a server that takes the root path off the raw path too."""

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        path, raw_path = scope["path"].removeprefix(root) or "/", scope["raw_path"].removeprefix(root.encode()) or b"/"
        await app({**scope, "path": path, "raw_path": raw_path, "root_path": root}, receive, send)

    return handle


def mounted_in_litestar(app: App, root: str) -> App:
    """A mount in another Litestar, which tells no root path at all."""
    return Litestar([asgi(root, is_mount=True, copy_scope=True)(app)], openapi_config=None, logging_config=None)


MOUNTS = [mounted_with_the_whole_path, mounted_with_the_rest, mounted_with_the_rest_of_both, mounted_in_litestar]
WAYS = [strips, keeps, server_is_told, *MOUNTS]
KNOWS_ITS_ROOT = {server_is_told, *MOUNTS}
"""Deployments in which the root path is known without a setting."""


def placements() -> list[Any]:
    """Each way, with the setting and without; a proxy that keeps the path cannot be told from a wrong path without."""
    return [
        pytest.param(way, setting, id=f"{way.__name__}-{'set' if setting else 'unset'}")
        for way in WAYS
        for setting in (True, False)
        if setting or way is not keeps
    ]


@pytest.mark.parametrize("root", ["/gateway", "/a/b", "/payments", "/pay", "/docs"])
@pytest.mark.parametrize(("way", "is_set"), placements())
async def test_everything_works_below_a_root_path(way: Callable[[App, str], App], root: str, *, is_set: bool) -> None:
    async with open_world() as people, open_world(root_path=root if is_set else "", like=people) as world:
        customer, merchant = await people.customer(balance=100), await people.merchant()
        body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}
        headers = {"authorization": f"Bearer {customer.api.token}", "idempotency-key": fresh_key()}
        transport = httpx.ASGITransport(way(world.app, root))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
            paid = created(await http.post(f"{root}/payments", json=body, headers=headers))
            assert ok(await http.get(f"{root}/payments/{paid['id']}", headers=headers))["id"] == paid["id"]
            assert ok(await http.get(f"{root}/payments/", headers=headers))["data"][0]["id"] == paid["id"]
            ok(await http.get(f"{root}/rates", headers=headers))
            assert (await http.get(f"{root}/no/where/at/all")).status_code == 404
            servers = ok(await http.get(f"{root}/openapi.json"))["servers"]
            assert servers == [{"url": f"http://gateway.test{root if is_set or way in KNOWS_ITS_ROOT else ''}"}]
            for page in (f"{root}/docs", f"{root}/docs/", f"{root}/docs/guide", f"{root}/docs/guide/"):
                await everything_is_there(http, page)
            if root not in {"/payments", "/docs"}:  # These are paths of the gateway's own, which win.
                home = await http.get(f"{root}/")
                assert urljoin(f"{root}/", home.headers["location"]) == f"{root}/docs"


async def everything_is_there(http: httpx.AsyncClient, page: str) -> None:
    """What the page refers to is there, and the starting script finds the document beside the page."""
    shown = await http.get(page)
    assert shown.status_code == 200
    references = References(shown.text)
    paths = [urljoin(page, reference) for reference in (*references.loaded, *references.links)]
    assert len(paths) > 2
    for path in paths:
        assert (await http.get(path)).status_code == 200, path
    for script in (path for path in paths if path.endswith("/docs.js")):
        assert (await http.get(urljoin(script, "../../openapi.json"))).json()["openapi"]


async def test_with_a_root_path_what_is_registered_beside_the_operations_is_below_it_too() -> None:
    @get("/beside", sync_to_thread=False)
    def beside() -> str:
        return "here"

    async with open_world(root_path="/gateway") as world:
        world.app.register(beside)
        for path in ("/gateway/beside", "/beside"):
            assert (await ask(world.app, "GET", path)).body == b"here"
        for path in ("/gateways/health/live", "/gateway-/docs", "/gateway-"):
            answer = await ask(world.app, "GET", path)
            assert (answer.status, answer.json["code"]) == (404, "not_found")
        for path in ("/gateway", "/gateway/"):
            answer = await ask(world.app, "GET", path)
            assert urljoin(path, answer.headers[b"location"].decode()) == "/gateway/docs"


@pytest.mark.parametrize("root_path", ["", "/gateway"])
async def test_payments_go_past_the_router_below_a_root_path_too(
    root_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(root_path=root_path) as world:
        looked_for = list[str]()
        monkeypatch.setattr(type(world.app.asgi_router), "__call__", lambda *_: looked_for.append("asked"))
        for path in ("/payments", "/health/live", "/docs"):
            answer = await ask(world.app, "GET", f"{root_path}{path}")
            assert answer.status in {200, 401}
        assert looked_for == []


async def test_the_document_names_the_path_as_it_was_asked_for_and_no_other_server() -> None:
    async with open_world() as world:
        for path in ("//openapi.json", "///openapi.json", "/openapi.json/"):
            answer = await ask(world.app, "GET", path)
            assert answer.json["servers"] == [{"url": "/"}]
