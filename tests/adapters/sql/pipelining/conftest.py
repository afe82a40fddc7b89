"""Fixtures: two processes on one database, the people who pay, and what Postgres sees of them."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.adapters.sql import SqlLimits, open_sql_storage
from gateway.adapters.sql.engine import audit_engine
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.verification.verify import verify
from support.pipelining import PATIENT, People, Process, populated


@pytest.fixture
async def here(postgres_url: str) -> AsyncIterator[Process]:
    """Where the tests look at. In the end the books must be in order."""
    async with open_sql_storage(postgres_url, PATIENT) as storage:
        yield Process(storage)
        async with storage.audit() as audit:
            assert (await verify(audit)).named == []


@pytest.fixture
async def elsewhere(postgres_url: str) -> AsyncIterator[Process]:
    """Another process, which locks whatever it loads."""
    async with open_sql_storage(postgres_url, replace(PATIENT, optimistic=False)) as storage:
        yield Process(storage)


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[DatabaseTransaction]:
    """A connection on which Postgres tells what the others do."""
    engine = audit_engine(postgres_url, SqlLimits())
    async with DatabaseTransaction(engine) as transaction:
        yield transaction
    await engine.dispose()


@pytest.fixture
async def people(here: Process) -> People:
    """All of their accounts are remembered here, and there are connections for three batches, so that none is slow."""
    found = await populated(here)
    async with here.storage.unit_of_work(), here.storage.unit_of_work(), here.storage.unit_of_work():
        pass
    here.decided = 0
    return found
