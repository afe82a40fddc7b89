"""The bound on connections leaves descriptors for everything else that a server opens."""

import pytest

from gateway.bootstrap.refusal import StartRefused
from gateway.entrypoints.connection.descriptors import CONNECTIONS_DEFAULT, connections_max
from gateway.settings.values import Settings

ALONE = Settings(worker_in_serve="false", database_pool_size=8, database_access_pool_size=2, write_connections=2)
OTHERS = 128 + 32 + 8 + 2 + 2 + 1
"""Descriptors of the process, reserved connections, each pool of the database, and a connection for what is blocked."""


def test_the_default_is_bounded_by_the_descriptors() -> None:
    assert connections_max(ALONE, 100_000) == CONNECTIONS_DEFAULT == 4096
    assert connections_max(ALONE, 1_024) == 1_024 - OTHERS


def test_each_connection_of_the_server_to_others_has_a_descriptor() -> None:
    room = connections_max(ALONE, 1_024)
    for more in ({"database_pool_size": 9}, {"database_access_pool_size": 3}, {"write_connections": 3}):
        settings = Settings(**{"worker_in_serve": "false", **more})  # type: ignore[arg-type]  # of each its own type.
        assert connections_max(settings, 1_024) == room - 1
    working = Settings(worker_in_serve="true", webhook_connections=4, webhook_requests_max=100)
    assert connections_max(working, 1_024) == room - 104


def test_a_bound_with_too_few_descriptors_is_refused_with_the_number_that_it_needs() -> None:
    fitting = Settings(worker_in_serve="false", connections_max=1_024 - OTHERS)
    assert connections_max(fitting, 1_024) == 1_024 - OTHERS
    with pytest.raises(StartRefused, match=r"needs 1024 descriptors, and this process may have 1023"):
        connections_max(fitting, 1_023)
