"""The pages for people: complete without any other server, below any root path."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gateway.adapters.http import pages_for_people
from gateway.adapters.http.pages_for_people import STATIC, STATIC_FILES
from support.api_client import World, ok, open_world


class References(HTMLParser):
    """Everything that a page loads or links to, and whether it has scripts or styles of its own."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset"}]
        self.inline += [name for name in attributes if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in attributes):
            self.inline.append(tag)


@pytest.mark.parametrize("root_path", ["", "/gateway", "/a/b"])
async def test_the_page_loads_its_own_files_and_nothing_else(root_path: str) -> None:
    async with open_world(root_path=root_path) as world:
        page = await world.anyone.get("/docs")
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        references = References(page.text)
        assert len(references.found) == len(STATIC_FILES)
        assert not references.inline
        assert f'data-root="{root_path}"' in page.text
        for reference in references.found:
            assert reference.startswith(f"{root_path}/docs/static/")
            loaded = await world.anyone.get(reference.removeprefix(root_path))
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
    assert re.search(r"url: `\$\{root\}/openapi\.json`", script)
    assert "validatorUrl: null" in script
    assert not re.search(r"https?://", script)
    assert ok(await world.anyone.get("/openapi.json"))["openapi"]


async def test_a_page_with_a_slash_behind_it_and_head_work_too(world: World) -> None:
    for path in ("/docs", "/openapi.json", "/docs/static/swagger-ui.css"):
        shown = await world.anyone.get(path)
        assert (await world.anyone.get(f"{path}/")).content == shown.content
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
