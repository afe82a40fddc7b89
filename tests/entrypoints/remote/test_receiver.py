"""The listener's socket."""

import click
import pytest

from gateway.entrypoints.remote.receiver import listening


def test_a_port_is_taken_as_soon_as_the_socket_exists() -> None:
    with (
        listening(0) as first,
        pytest.raises(click.ClickException, match="Choose another one"),
        listening(first.getsockname()[1]),
    ):
        pass
