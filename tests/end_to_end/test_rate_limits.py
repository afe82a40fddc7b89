"""Rate limits over HTTP: two servers on one Postgres share the limit of a user."""

import asyncio
import time
from pathlib import Path

import pytest

from support.load import sign_up
from support.postgres import PostgresServer, temporary_database
from support.servers import Installation

LIMIT = 240
ENVIRON = (
    ("GATEWAY_RATE_LIMIT_REQUESTS", str(LIMIT)),
    ("GATEWAY_RATE_LIMIT_PROCESSES_MAX", "2"),
    ("GATEWAY_LOG_LEVEL", "warning"),
)

pytestmark = pytest.mark.timeout(180)


async def test_two_servers_let_a_fifth_more_than_the_limit_through_at_most(
    postgres_server: PostgresServer, migrated_template: str, tmp_path: Path
) -> None:
    async with temporary_database(postgres_server, template=migrated_template) as database:
        gateway = Installation(tmp_path, postgres_server.url(database), ENVIRON)
        async with gateway.serving() as first, gateway.serving() as second, first.client() as a, second.client() as b:
            customer = await sign_up(a, "customer")
            began = time.monotonic()
            statuses: list[int] = []
            for _ in range(20):
                answers = await asyncio.gather(
                    *(http.get("/users/me", headers=customer.headers) for http in (a, b) for _ in range(10))
                )
                statuses += [answer.status_code for answer in answers]
            seconds = time.monotonic() - began
    assert set(statuses) == {200, 429}
    assert statuses.count(200) <= 1.2 * (LIMIT + seconds * LIMIT / 60)
    assert statuses.count(200) >= 0.9 * LIMIT
