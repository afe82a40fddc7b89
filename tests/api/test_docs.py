"""The pages for people: complete without any other server, below any root path."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

from gateway.adapters.http import pages_for_people
from gateway.adapters.http.pages_for_people import STATIC, STATIC_FILES
from support.api_client import World, ok, open_world
from support.references import References


@pytest.mark.parametrize("root_path", ["", "/gateway", "/a/b"])
@pytest.mark.parametrize("page_path", ["/docs", "/docs/"])
async def test_the_page_loads_its_own_files_and_nothing_else(root_path: str, page_path: str) -> None:
    async with open_world(root_path=root_path) as world:
        page = await world.anyone.get(page_path)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        references = References(page.text)
        assert len(references.found) == len(STATIC_FILES)
        assert not references.inline
        for reference in references.found:
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


async def test_a_page_with_a_slash_behind_it_and_head_work_too(world: World) -> None:
    for path in ("/docs", "/docs/", "/openapi.json", "/docs/static/swagger-ui.css"):
        shown = await world.anyone.get(path)
        if path != "/docs":  # What it loads is named from where it is.
            assert (await world.anyone.get(f"{path.rstrip('/')}/")).content == shown.content
        head = await world.anyone.send("HEAD", path)
        assert (head.content, head.headers["content-length"]) == (b"", str(len(shown.content)))


def test_all_that_is_served_has_its_license_beside_it() -> None:
    assert Path(pages_for_people.__file__).parent / "static" == STATIC
    assert {path.name for path in STATIC.iterdir()} == {
        *STATIC_FILES,
        "LICENSE",
        "NOTICE",
        "README.md",
        "swagger-ui-bundle.js.LICENSE.txt",
    }
