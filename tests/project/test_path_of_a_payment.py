"""docs/architecture.md walks through the files of one payment: as many, and in the order, as a request reaches them."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

import gateway
from gateway.adapters.http.endpoint import Endpoint
from gateway.adapters.sql import open_sql_storage
from support.api_client import created, fresh_key, open_world
from support.lane_requests import CUSTOMERS, MERCHANTS, framed, payment_body
from support.lane_servers import open_lane_server, token_of

PACKAGE = Path(gateway.__file__).parent
PAGE = PACKAGE.parents[1] / "docs" / "architecture.md"
FILES_MAX = 9
"""How many files one reads to follow a payment."""
STEP = re.compile(r"^\d+\. `([\w/]+\.py)`", re.MULTILINE)


@contextmanager
def visited() -> Iterator[list[str]]:
    """The files of the package in which a function begins, in the order of their first one."""
    files: dict[str, None] = {}

    def see(frame: FrameType, event: str, _argument: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(str(PACKAGE)):
            files[Path(file).relative_to(PACKAGE).as_posix()] = None

    found: list[str] = []
    sys.setprofile(see)
    try:
        yield found
    finally:
        sys.setprofile(None)
        found.extend(files)


async def test_a_payment_reaches_the_files_of_the_page_in_their_order(postgres_url: str) -> None:
    steps = STEP.findall(PAGE.read_text())
    async with open_sql_storage(postgres_url) as storage, open_world(storage=storage) as world:
        customer, merchant = await world.customer(balance=100), await world.merchant()
        body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}
        created(await customer.api.post("/payments", body, key=fresh_key()))
        with visited() as files:
            created(await customer.api.post("/payments", body, key=fresh_key()))
    assert set(steps) <= set(files)
    assert steps == sorted(steps, key=files.index)
    assert len(steps) <= FILES_MAX


async def test_a_payment_in_the_lane_reaches_the_files_behind_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    page = PAGE.read_text()
    lane = ["entrypoints/connection/lane_protocol.py", "adapters/http/lane.py"]
    assert all(f"`{file}`" in page for file in lane)
    first, *steps = [file for file in STEP.findall(page) if not file.startswith("adapters/sql/")]
    assert first == "adapters/http/endpoint.py"
    token, body = token_of(CUSTOMERS[0]), payment_body(MERCHANTS[0])
    async with open_lane_server(payment_lane=True) as server:
        await server.answers(framed(token, b"first", body))
        monkeypatch.delattr(Endpoint, "__call__")
        with visited() as files:
            assert (await server.answers(framed(token, b"second", body))).startswith(b"HTTP/1.1 201 ")
    reached = [file for file in files if file in {*lane, *steps}]
    assert reached == [*lane, *steps]
