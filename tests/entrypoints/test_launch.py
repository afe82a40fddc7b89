"""How the command starts."""

import gc

import pytest

from gateway.entrypoints import cli
from gateway.entrypoints.launch import OBJECTS_PER_COLLECTION, launch


def test_a_start_spends_no_time_on_garbage_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []
    monkeypatch.setattr(cli, "main", lambda **_: found.append(gc.get_threshold()[0]))
    before = gc.get_threshold()
    try:
        launch()
    finally:
        gc.set_threshold(*before)
    assert found == [OBJECTS_PER_COLLECTION]
