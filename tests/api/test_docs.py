"""The docs pages: complete without any other server, below any root path."""

import asyncio
import re
import threading
from collections import Counter
from pathlib import Path
from urllib.parse import urljoin

import pytest

from gateway.adapters.http import docs_pages
from gateway.adapters.http.docs_pages import KEPT_MAX, MAKING_MAX, STATIC, STATIC_FILES
from support.api_client import PAGES, World, ok, open_world, refused
from support.asgi import RawAnswer, ask
from support.references import References


@pytest.mark.parametrize("root_path", ["", "/gateway", "/a/b"])
@pytest.mark.parametrize("page_path", ["/docs", "/docs/"])
async def test_the_page_loads_its_own_files_and_nothing_else(root_path: str, page_path: str) -> None:
    async with open_world(root_path=root_path) as world:
        page = await world.anyone.get(page_path)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        references = References(page.text)
        assert len(references.loaded) == len(STATIC_FILES)
        assert not references.inline
        for reference in references.loaded:
            path = urljoin(f"{root_path}{page_path}", reference)
            assert path.startswith(f"{root_path}/docs/static/")
            loaded = await world.anyone.get(path.removeprefix(root_path))
            name = reference.rpartition("/")[2]
            assert loaded.status_code == 200
            assert loaded.content == (STATIC / name).read_bytes() != b""
            assert loaded.headers["content-type"].encode() == STATIC_FILES[name]


async def test_browsers_are_told_to_load_nothing_from_elsewhere(world: World) -> None:
    for path in ("/docs", "/openapi.json", "/docs/static/docs.js"):
        answer = await world.anyone.get(path)
        policy = dict(
            directive.strip().partition(" ")[::2] for directive in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert not any("http" in value or "*" in value for value in policy.values())
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_the_starting_script_asks_for_the_document_of_this_gateway_only(world: World) -> None:
    script = (await world.anyone.get("/docs/static/docs.js")).text
    assert re.findall(r"fetch\((.*)\)", script) == ["`${root}/openapi.json`"]
    assert 'root = new URL("../..", document.currentScript.src)' in script
    assert "validatorUrl: null" in script
    assert not re.search(r"https?://", script)
    assert ok(await world.anyone.get("/openapi.json"))["openapi"]


async def test_the_guide_is_served_beside_the_reference(world: World) -> None:
    guide = await world.anyone.get("/docs/guide")
    assert "<h1>API guide</h1>" in guide.text
    assert "<table>" in guide.text
    assert "<pre><code" in guide.text
    assert "G=http://gateway.test J=" in guide.text
    assert not References(guide.text).inline
    assert {"./../docs", "./../openapi.json"} <= set(References(guide.text).links)


@pytest.mark.parametrize("root_path", ["", "/gateway"])
async def test_production_serves_the_document_and_no_page(root_path: str) -> None:
    async with open_world(sandbox=False, root_path=root_path) as world:
        for path in sorted(PAGES - {"/openapi.json"}):
            for method in ("GET", "HEAD"):
                answer = await world.anyone.http.request(method, f"{root_path}{path}")
                assert answer.status_code == 404, (method, path)
        assert refused(await world.anyone.http.get(f"{root_path}/docs"), 404, "not_found")
        assert ok(await world.anyone.get("/openapi.json"))["openapi"]


@pytest.mark.parametrize("sandbox", [True, False])
async def test_pages_are_served_where_they_are_set(*, sandbox: bool) -> None:
    async with open_world(sandbox=sandbox, docs=True) as with_pages, open_world(sandbox=sandbox, docs=False) as without:
        for path in sorted(PAGES - {"/", "/openapi.json"}):
            assert (await with_pages.anyone.http.get(path)).status_code == 200
            assert (await without.anyone.http.get(path)).status_code == 404


async def test_the_root_leads_to_the_docs(world: World) -> None:
    answer = await world.anyone.get("/")
    assert (answer.status_code, urljoin("/", answer.headers["location"])) == (307, "/docs")


@pytest.mark.parametrize("path", ["//", ""])
async def test_a_root_that_no_server_should_hand_over_leads_nowhere_else(world: World, path: str) -> None:
    answer = await ask(world.app, "GET", path)
    location = urljoin(f"http://gateway.test{path}", answer.headers[b"location"].decode())
    assert (answer.status, location.replace("test//", "test/")) == (307, "http://gateway.test/docs")


@pytest.mark.parametrize("path", sorted(PAGES - {"/"}))
async def test_what_a_client_has_is_not_sent_again(world: World, path: str) -> None:
    first = await world.anyone.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for has_it in (tag, f'"other", W/{tag}', "*"):
        again = await world.anyone.send("GET", path, headers={"if-none-match": has_it})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = await world.anyone.send("GET", path, headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/guide", "/docs/static/swagger-ui-bundle.js"])
async def test_pages_are_compressed_for_those_who_take_it(world: World, path: str) -> None:
    plain = await world.anyone.send("GET", path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "accept-encoding"
    for accepted in ("gzip", "br;q=1.0, GZIP;q=0.5", "*"):
        packed = await world.anyone.send("GET", path, headers={"accept-encoding": accepted})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == plain.content  # httpx has unpacked it.
        assert int(packed.headers["content-length"]) < len(plain.content)
        assert packed.headers["etag"] != plain.headers["etag"]
    for accepted in ("gzip;q=0", "gzip;q=0.000, *", "br", ""):
        refused = await world.anyone.send("GET", path, headers={"accept-encoding": accepted})
        assert "content-encoding" not in refused.headers, accepted


async def test_a_host_that_can_be_none_does_not_get_into_the_document(world: World) -> None:
    answer = await world.anyone.send("GET", "/openapi.json", headers={"host": 'evil"/@'})
    assert ok(answer)["servers"] == [{"url": "/"}]


async def test_a_page_with_a_slash_behind_it_and_head_work_too(world: World) -> None:
    for path in ("/docs", "/docs/", "/docs/guide", "/openapi.json", "/docs/static/swagger-ui.css"):
        shown = await world.anyone.get(path)
        if path not in {"/docs", "/docs/guide"}:  # What these load is named from where they are.
            assert (await world.anyone.get(f"{path.rstrip('/')}/")).content == shown.content
        head = await world.anyone.send("HEAD", path, headers={"accept-encoding": "identity"})
        assert (head.content, head.headers["content-length"]) == (b"", str(len(shown.content)))


def test_all_that_is_served_has_its_license_beside_it() -> None:
    assert Path(docs_pages.__file__).parent / "static" == STATIC
    assert {path.name for path in STATIC.iterdir()} == {
        *STATIC_FILES,
        "LICENSE",
        "NOTICE",
        "README.md",
        "swagger-ui-bundle.js.LICENSE.txt",
    }


async def test_other_requests_are_answered_while_a_page_is_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    others_are_answered = threading.Event()

    def slow_page(*_: str) -> str:
        assert others_are_answered.wait(timeout=20)
        return "made"

    monkeypatch.setattr(docs_pages, "guide_page", slow_page)
    guide = asyncio.create_task(world.anyone.get("/docs/guide"))
    await asyncio.sleep(0)
    ok(await world.anyone.get("/health/live"))
    others_are_answered.set()
    assert (await guide).text == "made"


async def test_guides_for_many_hosts_hold_up_neither_files_nor_each_other(world: World) -> None:
    """Each host sees its own URL in the guide, which is made for it: few are made at once."""

    async def guide_at(number: int) -> RawAnswer:
        return await ask(world.app, "GET", "/docs/guide", headers=[(b"host", f"shop-{number}.example".encode())])

    answers = await asyncio.gather(*(guide_at(number) for number in range(100)))
    assert Counter(answer.status for answer in answers) == {200: MAKING_MAX, 503: 100 - MAKING_MAX}
    assert all(b"http://shop-" in answer.body for answer in answers if answer.status == 200)
    ok_again = await guide_at(99)
    assert ok_again.status == 200
    assert b"G=http://shop-99.example J=" in ok_again.body
    assert b"127.0.0.1:8000" not in ok_again.body


async def test_the_path_in_the_guide_is_text() -> None:
    async with open_world(root_path="/a&b") as world:
        guide = (await world.anyone.get("/docs/guide")).text
    assert "G=http://gateway.test/a&amp;b J=" in guide


async def test_a_page_is_made_once_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def page(_: str, server_url: str) -> str:
        made.append(server_url)
        return server_url

    monkeypatch.setattr(docs_pages, "guide_page", page)
    hosts = [f"{number}.example" for number in range(KEPT_MAX + 1)]
    async with open_world() as world:
        for host in [hosts[0], hosts[0], *hosts, hosts[0], hosts[-1]]:
            answer = await ask(world.app, "GET", "/docs/guide", headers=[(b"host", host.encode())])
            assert answer.body.decode() == f"http://{host}"
    assert made == [f"http://{host}" for host in [*hosts, hosts[0]]]
