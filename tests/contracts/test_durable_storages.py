"""The databases keep what was committed, and two gateways may have one at once. What differs in a history is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.adapters.memory import memory_storage
from gateway.adapters.sql import migrate, open_sql_storage
from gateway.contracts.cancellation import CancellationContract
from gateway.contracts.durability import DurabilityContract, SharedStorageContract
from gateway.contracts.history import OpenStorage, assert_same, opening, play


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else f"sqlite:///{tmp_path}/a.db"


@pytest.fixture
async def reopen_storage(database_url: str) -> OpenStorage:
    """Opens the same database each time."""
    await migrate(database_url)
    return lambda: open_sql_storage(database_url)


class TestDurability(DurabilityContract):
    pass


class TestSharing(SharedStorageContract):
    pass


class TestCancellation(CancellationContract):
    pass


async def test_the_first_step_that_differs_is_named() -> None:
    history = opening()
    right = await play(memory_storage(), history, batch_size=3)
    assert_same(right, right, history)
    answers = [*right.bodies]
    answers[6] = (answers[6][0].replace(b"100", b"101"), False)
    answers[8] = (b"{}", True)
    with pytest.raises(AssertionError, match=r"^Step 7 of 10 differs, .*MakeDeposit.*101.*in memory answered .*100"):
        assert_same(replace(right, bodies=answers), right, history)
    wrong = replace(right, accounts=[*right.accounts[:-1]])
    last = len(right.accounts)
    with pytest.raises(AssertionError, match=rf"^After the same answers, number {last} of accounts is None"):
        assert_same(wrong, right, history)
