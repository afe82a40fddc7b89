"""A head that is read as a repetition is one that the parser would have accepted, and read as the same fields."""

import httptools
import pytest

from gateway.adapters.http.messages import Header
from gateway.entrypoints.connection.repeated_head import RepeatedHead, repeated_head
from support.lane_requests import framed

LINE = b"POST /payments HTTP/1.1"
BODY = b'{"amount": 5}'
SENT = framed(b"ab.c", b"key-1", BODY, more=[b"Connection: keep-alive", b"Accept: a b"])
HEAD_BYTES = len(SENT) - len(BODY)


class Parsed:
    """A request as the parser reads it."""

    def __init__(self, data: bytes) -> None:
        self.url = b""
        self.headers: list[Header] = []
        self.body = b""
        self.complete = 0
        self.keeps_alive = False
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(data)
        self.version = self._parser.get_http_version()
        self.method = self._parser.get_method()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.keeps_alive = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


def learned(data: bytes = SENT) -> RepeatedHead:
    parsed = Parsed(data)
    head = repeated_head(data, LINE, [name for name, _ in parsed.headers], parsed.body)
    assert head is not None
    return head


def assert_as_parsed(head: RepeatedHead, data: bytes) -> bool:
    """Whether it is read. If it is, the parser reads the same."""
    read = head.read(data)
    if read is None:
        return False
    parsed = Parsed(data)
    assert (parsed.headers, parsed.body) == read, data
    assert (parsed.method, parsed.url, parsed.version) == (b"POST", b"/payments", "1.1"), data
    assert (parsed.complete, parsed.keeps_alive) == (1, True), data
    return True


def test_each_byte_of_a_head_may_be_another_one() -> None:
    """All 256 of them, in all places: what is read then is what the parser reads, and many are not read."""
    head = learned()
    count = sum(
        assert_as_parsed(head, SENT[:at] + bytes([byte]) + SENT[at + 1 :])
        for at in range(HEAD_BYTES)
        for byte in range(256)
    )
    values = sum(
        len(line.partition(b": ")[2]) for line in SENT.split(b"\r\n") if not line.startswith((b"Conn", b"Content-L"))
    )
    assert 0.9 * 95 * values < count < 95 * values + HEAD_BYTES


@pytest.mark.parametrize("byte", [b" ", b"\t", b"\r", b"\n", b"\r\n", b":", b"\0", b"\x7f", b"\x80", b"0", b"-"])
def test_bytes_may_come_in_or_be_missing_anywhere(byte: bytes) -> None:
    head = learned()
    for at in range(HEAD_BYTES + 1):
        assert_as_parsed(head, SENT[:at] + byte + SENT[at:])
        assert_as_parsed(head, SENT[:at] + SENT[at + 1 :])
        assert_as_parsed(head, SENT[:at] + byte + SENT[at + 2 :])


def test_values_may_be_others_but_those_that_the_parser_acts_upon() -> None:
    head = learned()
    assert head.read(framed(b"x" * 900, b"k" * 255, BODY * 9, more=[b"Connection: keep-alive", b"Accept: */*"]))
    for other in (
        framed(b"ab.c", b"key-1", BODY, more=[b"Connection: close", b"Accept: a b"]),
        framed(b"ab.c", b"key-1", BODY, more=[b"Accept: a b", b"Connection: keep-alive"]),
        framed(b"ab.c", b"key-1", BODY, more=[b"Connection: keep-alive"]),
        framed(b"ab.c", b"key-1", BODY, more=[b"connection: keep-alive", b"Accept: a b"]),
        framed(
            b"ab.c", b"key-1", BODY, line=b"POST /payments HTTP/1.0", more=[b"Connection: keep-alive", b"Accept: a"]
        ),
        SENT + SENT,
        SENT[:-1],
        SENT + b" ",
    ):
        assert head.read(other) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(SENT + SENT, id="two requests"),
        pytest.param(b"\r\n" + SENT, id="an empty line before it"),
        pytest.param(SENT.replace(b"Accept: ", b"Accept:"), id="no space"),
        pytest.param(SENT.replace(b"Accept: ", b"Accept:\t"), id="a tab"),
    ],
)
def test_nothing_is_learned_from_an_unusual_way_to_write_a_request(data: bytes) -> None:
    parsed = Parsed(SENT)
    assert repeated_head(data, LINE, [name for name, _ in parsed.headers], BODY) is None


def test_connections_with_the_same_fields_share_a_pattern() -> None:
    other = framed(b"other", b"key-2", BODY * 2, more=[b"Connection: keep-alive", b"Accept: c"])
    assert learned() is learned(other)
    assert learned() is not learned(other.replace(b"Accept", b"accept"))
