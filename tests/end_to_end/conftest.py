"""A sandbox for tests that only add to it: starting one takes seconds on a busy machine."""

from collections.abc import AsyncGenerator

import pytest

from support.load import PASSWORD
from support.sandbox import Sandbox
from support.servers import Installation

OPERATOR_EMAIL = "op@example.com"


@pytest.fixture(scope="session")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Sandbox]:
    gateway = Installation(tmp_path_factory.mktemp("sandbox"))
    made = await gateway.run("create-operator", "--email", OPERATOR_EMAIL, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert made.exit_code == 0, made.complained
    async with gateway.serving() as server, server.client() as http:
        yield Sandbox(gateway, server, http, OPERATOR_EMAIL)
