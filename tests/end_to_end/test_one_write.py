"""A response leaves the process in one piece: head and body in one write."""

from gateway.entrypoints.one_write import OneWriteTransport


class Recording:
    """A transport that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def close(self) -> None:
        self.told.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.told


def test_a_head_waits_for_its_body() -> None:
    recording = Recording()
    transport = OneWriteTransport(recording)  # type: ignore[arg-type]  # as much of one as is asked for.
    transport.write(b"HTTP/1.1 201 Created\r\n\r\n")
    assert recording.told == []
    transport.write(b"{}")
    transport.write(b"more")
    assert recording.told == [b"HTTP/1.1 201 Created\r\n\r\n{}", b"more"]


def test_what_only_says_to_go_on_does_not_wait() -> None:
    recording = Recording()
    OneWriteTransport(recording).write(b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[arg-type]  # as above.
    assert recording.told == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_a_head_without_a_body_leaves_when_the_connection_closes() -> None:
    recording = Recording()
    transport = OneWriteTransport(recording)  # type: ignore[arg-type]  # as above.
    transport.write(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
    transport.close()
    assert recording.told == [b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "closed"]
    assert transport.is_closing()


def test_a_head_without_a_body_leaves_when_the_response_is_complete() -> None:
    recording = Recording()
    transport = OneWriteTransport(recording)  # type: ignore[arg-type]  # as above.
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    transport.flush()
    transport.flush()
    assert recording.told == [b"HTTP/1.1 200 OK\r\n\r\n"]
