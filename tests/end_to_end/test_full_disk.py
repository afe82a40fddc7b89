"""SQLite on a disk that is full: payments are refused, none is lost, and they go on as soon as there is room."""

import resource
from pathlib import Path

import httpx

from support.load import Load, code_of, keys, open_shop
from support.servers import Installation

PAYMENTS = 100


async def test_on_a_full_disk_payments_are_refused_and_go_on_when_there_is_room(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    async with gateway.serving() as server, server.client() as http:
        shop = await open_shop(http)
        load, asked = Load(shop), keys(PAYMENTS)
        largest = max(file.stat().st_size for file in (tmp_path / "data").iterdir())
        # Without room no file of the server grows any more. Writing within what is there still works.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
        await load.send(asked, server.url, at_once=10)
        refused = [key for key, answer in load.answers.items() if answer.status_code != httpx.codes.CREATED]
        assert refused
        assert {(load.answers[key].status_code, code_of(load.answers[key])) for key in refused} == {
            (503, "storage_unavailable")
        }
        assert all(int(load.answers[key].headers["retry-after"]) >= 1 for key in refused)

        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        again = Load(shop)
        await again.send(asked, server.url, at_once=10)
        assert again.statuses() == {201: PAYMENTS}
        assert load.paid().items() <= again.paid().items()
        await shop.check(http, again.paid().values())
    await gateway.verify()
