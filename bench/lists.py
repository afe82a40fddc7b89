"""How long pages of lists take: the first ones, and those far behind them."""

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from bench.ledger import VoidRun
from bench.open_loop import percentile
from bench.servers import HOST, Server

LIMIT: Final = 100
DEPTH_MAX: Final = 15
"""Pages that are turned before the last ones count as far behind."""
FAR: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Latencies of a list's pages of 100, in milliseconds; `far` is `None` for a list that is not that long."""

    name: str
    first_p50_ms: float
    first_p99_ms: float
    far_p50_ms: float | None
    far_p99_ms: float | None


def turn_pages(server: Server, name: str, path: str, tokens: Sequence[str]) -> Pages:
    """Turn the pages of a list, as each of these people.

    Raises:
        VoidRun: A page was refused.
    """
    connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
    first: list[float] = []
    far: list[float] = []
    for token in tokens:
        cursor: str | None = ""
        for number in range(DEPTH_MAX):
            start = time.perf_counter()
            page = _get(connection, f"{path}?limit={LIMIT}" + (f"&cursor={quote(cursor)}" if cursor else ""), token)
            taken = time.perf_counter() - start
            if number == 0:
                first.append(taken)
            elif number >= FAR:
                far.append(taken)
            cursor = page["next_cursor"]
            if cursor is None:
                break
    connection.close()
    first.sort()
    far.sort()
    return Pages(
        name=name,
        first_p50_ms=percentile(first, 0.5),
        first_p99_ms=percentile(first, 0.99),
        far_p50_ms=percentile(far, 0.5) if far else None,
        far_p99_ms=percentile(far, 0.99) if far else None,
    )


def _get(connection: http.client.HTTPConnection, path: str, token: str) -> Any:
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    body = response.read()
    if response.status != http.client.OK:
        raise VoidRun(f"GET {path}: {response.status} {body[:200]!r}")
    return json.loads(body)
