"""docs/architecture.md walks through the files of one payment: as many, and in the order, as a request reaches them."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import gateway
from gateway.adapters.sql import open_sql_storage
from support.api_client import created, fresh_key, open_world

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
