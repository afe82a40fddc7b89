"""Requests for payments, usual and unusual ones, as bytes of connections, for two servers that must answer alike."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, Final

import httptools

from gateway.contracts.records import user_id
from gateway.entrypoints.connection.limits import ConnectionLimits

CUSTOMERS: Final = (1, 2, 3, 4)
MERCHANTS: Final = (5, 6)
FROZEN: Final = 7
"""A customer whose account is frozen."""
OPERATOR: Final = 8
TOKENS: Final = ("expired", "revoked", "forged", "garbage", "late")
"""Tokens that are not valid: `late` was until a moment ago, and was used."""

USUAL_SHARE: Final = 0.5
PIECES_MAX: Final = 5

BODIES: Final[tuple[bytes, ...]] = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b"{",
    b'{"amount": 1',
    b"\xff\xfe",
    b'{"amount": 1, "amount": 2, "currency": "USD"}',
    b'{"amount": 1e2, "currency": "USD", "merchant_id": "x"}',
    b'{"a": ' + b"[" * 2_000,
)
CHANGES: Final[tuple[tuple[str, Any], ...]] = (
    ("amount", 0),
    ("amount", -1),
    ("amount", 1.5),
    ("amount", True),
    ("amount", "5"),
    ("amount", 10**12),
    ("amount", 10**30),
    ("amount", 999_999_999_999),
    ("amount", None),
    ("currency", "usd"),
    ("currency", "XYZ"),
    ("currency", "EUR"),
    ("currency", 5),
    ("merchant_id", None),
    ("merchant_id", user_id(1)),
    ("merchant_id", user_id(99)),
    ("merchant_id", "no id"),
    ("customer_id", user_id(2)),
    ("capture", "manual"),
    ("capture", "never"),
    ("expires_in_seconds", 60),
    ("expires_in_seconds", 59),
    ("reference", "order-1"),
    ("reference", "order-2"),
    ("reference", ""),
    ("reference", "x" * 65),
    ("description", "Zwei Kaffee, bitte: ☕"),
    ("description", "\x00"),
    ("description", "4111 1111 1111 1111"),
    ("description", "x" * 501),
    ("metadata", {"order": "1"}),
    ("metadata", {str(number): "x" for number in range(51)}),
    ("metadata", {"a": 1}),
    ("quote_id", "quo_00000000000000000000000001"),
    ("surprise", 1),
    ("padding", "x" * 17_000),
    ("padding", "x" * 70_000),
)
KEYS: Final[tuple[bytes | None, ...]] = (
    None,
    b"",
    b" ",
    b"a b",
    b"\xe9",
    b"x" * 255,
    b"x" * 256,
    b"  trimmed \t",
    b"\x7f",
)
TYPES: Final[tuple[bytes | None, ...]] = (
    None,
    b"",
    b"text/plain",
    b"application/json; charset=utf-8",
    b'Application/JSON;charset="UTF-8"',
    b"application/json; charset=latin-1",
    b"application/problem+json",
)
FIELDS: Final[tuple[tuple[bytes, ...], ...]] = (
    (b"Request-Id: my-own-request",),
    (b"Request-Id: short",),
    (b"request-id: my-own-request", b"request-id: my-own-request"),
    (b"Origin: https://shop.example",),
    (b"Origin: https://other.example",),
    (b"Content-Encoding: gzip",),
    (b"Content-Encoding: identity",),
    (b"Accept: */*", b"Accept: text/html"),
    (b"Accept: */*", b"User-Agent: test", b"Traceparent: 00-1-2-01"),
    (b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: https"),
    (b"X-Unknown: 1",),
    (b"Expect: 100-continue",),
    (b"Connection: keep-alive",),
    (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    (b"Authorization: Bearer second",),
    (b"Idempotency-Key: second",),
    (b"Content-Type: text/plain",),
    (b"Last-Event-ID: evt_1",),
    (b"Cookie: a=b",),
    tuple(b"X-Many-%d: 1" % number for number in range(101)),
    (b"X-Large: " + b"x" * 17_000,),
    (b"bad header",),
)
TARGETS: Final = (
    b"/payments/",
    b"//payments",
    b"/payments?",
    b"/payments?limit=1",
    b"/payments?surprise=1",
    b"/payments#here",
    b"/Payments",
    b"/%70ayments",
    b"/payments/batch",
    b"http://gateway.test/payments",
    b"/gateway/payments",
    b"/deposits",
    b"*",
)
METHODS: Final = (b"GET", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"post", b"BREW")
LENGTHS: Final[tuple[Callable[[int], bytes], ...]] = (
    lambda length: b"%d" % (length + 1),
    lambda length: b"%d" % (length + 2),
    lambda length: b"%d" % (length - 1),
    lambda length: b"0%d" % length,
    lambda length: b"+%d" % length,
    lambda length: b" %d " % length,
    lambda length: b"%d,%d" % (length, length),
    lambda length: b"%x" % length,
    lambda length: b"%d\xb2" % length,
    lambda _: b"",
    lambda _: b"0",
)
"""How the length of a body may be written: with more, with less, and otherwise than with digits."""
LAST: Final[tuple[tuple[bytes, ...], ...]] = ((b"Connection: close",), (b"Connection: close", b"Accept: */*"))


@dataclass(frozen=True, slots=True)
class Burst:
    """What is sent before responses are awaited, in pieces: so many requests in a row."""

    pieces: Sequence[bytes]
    requests: int


@dataclass(slots=True)
class RandomRequests:
    """Makes connections with requests, at random.

    Args:
        random: Chooses.
        tokens: By user, and by name those that are not valid.
    """

    random: Random
    tokens: dict[int | str, bytes]
    _number: int = 0
    _sent: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)

    def connection(self) -> list[Burst]:
        """The requests of one connection."""
        random = self.random
        return [self._burst() for _ in range(random.choice((1, 1, 2, 4)))]

    def repeating(self) -> list[Burst]:
        """The requests of a connection that has sent usual ones: others like them, and one whose head is changed."""
        random = self.random
        user = random.choice(CUSTOMERS)
        more = random.choice(((), (b"X-Request-ID: 1",), (b"Connection: keep-alive", b"Accept: */*")))
        sent = [self._repeated(user, more) for _ in range(random.choice((3, 4)))]
        *usual, last = [Burst([request], 1) for request in sent]
        head, end, body = last.pieces[0].partition(b"\r\n\r\n")
        if random.random() < 0.4:
            lines = head.split(b"\r\n")
            length = next(at for at, line in enumerate(lines) if line.startswith(b"Content-Length"))
            form = random.choice(LENGTHS)
            lines[length] = b"Content-Length: " + form(len(body))
            # What a longer length asks for comes later.
            return [*usual, Burst([b"\r\n".join(lines) + end + body, b"  "], 1)]
        at = random.randrange(len(head))
        changed = random.choice((
            head[:at] + bytes([random.randrange(256)]) + head[at + 1 :],
            head[:at] + random.choice((b" ", b"\t", b"\r", b"\n", b"\r\n", b":", b"\0", b"\x80")) + head[at:],
            head[:at] + head[at + 1 :],
        ))  # fmt: skip
        if b"\r\n\r\n" in changed or not is_answered_in_turn(changed + end + body):
            # The connection refuses it, and reads no more; or no answer follows what follows.
            return [*usual, Burst([changed + end + body], 0)]
        return [*usual, Burst([changed + end + body], 1)]

    def _repeated(self, user: int, more: Sequence[bytes]) -> bytes:
        self._number += 1
        fields = {"merchant_id": user_id(MERCHANTS[0]), "amount": self.random.randrange(1, 300), "currency": "USD"}
        return framed(self.tokens[user], b"key-%d" % self._number, json.dumps(fields).encode(), more=more)

    def _burst(self) -> Burst:
        random = self.random
        requests = [self.request() for _ in range(random.choice((1, 1, 1, 2, 3)))]
        if not all(map(is_answered_in_turn, requests)):
            # Behind another request, its refusal depends on whether the other one has its response by then.
            requests = requests[:1]
        content = b"".join(requests)
        cuts: list[int] = []
        if random.random() < 0.3:
            cuts = sorted(random.randrange(len(content)) for _ in range(random.randrange(1, PIECES_MAX)))
        pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
        return Burst([piece for piece in pieces if piece], len(requests))

    def request(self) -> bytes:
        """One request."""
        random = self.random
        self._number += 1
        user = random.choice((*CUSTOMERS, *CUSTOMERS, *CUSTOMERS, *MERCHANTS, FROZEN))
        token, key = self.tokens[user], b"key-%d" % self._number
        fields: dict[str, Any] = {"amount": random.randrange(1, 300), "currency": "USD"}
        if user not in MERCHANTS:
            fields["merchant_id"] = user_id(random.choice(MERCHANTS))
        body = json.dumps(fields).encode()
        if random.random() < USUAL_SHARE:
            self._sent.append((token, key, body))
            return framed(token, key, body)
        return random.choice((
            self._other_body, self._other_body, self._other_token, self._other_key, self._again, self._other_fields,
            self._other_fields, self._other_type, self._other_target, self._chunked, self._other_version,
        ))(token, key, fields)  # fmt: skip

    def _other_body(self, token: bytes, key: bytes, fields: dict[str, Any]) -> bytes:
        random = self.random
        if random.random() < 0.25:
            return framed(token, key, random.choice(BODIES))
        fields |= dict(random.choices(CHANGES, k=random.choice((1, 1, 1, 2))))
        body = json.dumps(fields, ensure_ascii=random.random() < 0.5).encode()
        self._sent.append((token, key, body))
        return framed(token, key, body)

    def _other_token(self, _token: bytes, key: bytes, fields: dict[str, Any]) -> bytes:
        random = self.random
        body = json.dumps(fields).encode()
        name = random.choice((*TOKENS, OPERATOR, "none", "basic", "lower", "spaces", "empty"))
        if name in self.tokens:
            return framed(self.tokens[name], key, body)
        token = self.tokens[CUSTOMERS[0]]
        scheme = {"basic": b"Basic " + token, "lower": b"bearer " + token, "spaces": b"Bearer   " + token + b"  "}
        return framed(token, key, body, authorization=scheme.get(str(name), b"" if name == "empty" else None))

    def _other_key(self, token: bytes, _key: bytes, fields: dict[str, Any]) -> bytes:
        return framed(token, self.random.choice(KEYS), json.dumps(fields).encode())

    def _again(self, token: bytes, key: bytes, fields: dict[str, Any]) -> bytes:
        """A key that was sent before: with the same request, or with another one, or by another user."""
        random = self.random
        if not self._sent:
            return framed(token, key, json.dumps(fields).encode())
        earlier_token, earlier_key, earlier_body = random.choice(self._sent[-50:])
        match random.randrange(4):
            case 0:
                return framed(earlier_token, earlier_key, json.dumps(fields).encode())
            case 1:
                return framed(token, earlier_key, earlier_body)
            case _:
                return framed(earlier_token, earlier_key, earlier_body)

    def _other_fields(self, token: bytes, key: bytes, fields: dict[str, Any]) -> bytes:
        random = self.random
        more = random.choice(LAST if random.random() < 0.1 else FIELDS)
        return framed(token, key, json.dumps(fields).encode(), more=more)

    def _other_type(self, token: bytes, key: bytes, fields: dict[str, Any]) -> bytes:
        return framed(token, key, json.dumps(fields).encode(), content_type=self.random.choice(TYPES))

    def _other_target(self, token: bytes, key: bytes, fields: dict[str, Any]) -> bytes:
        random = self.random
        body = json.dumps(fields).encode()
        if random.random() < 0.7:
            return framed(token, key, body, line=b"POST %b HTTP/1.1" % random.choice(TARGETS))
        return framed(token, key, body, line=b"%b /payments HTTP/1.1" % random.choice(METHODS))

    def _chunked(self, token: bytes, key: bytes, fields: dict[str, Any]) -> bytes:
        body = json.dumps(fields).encode()
        half = len(body) // 2
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]))
        trailer = self.random.choice((b"", b"Expect: 100-continue\r\n", b"Idempotency-Key: other\r\n"))
        end = b"0\r\n%b\r\n" % trailer
        return framed(token, key, chunks + end, length=b"Transfer-Encoding: chunked")

    def _other_version(self, token: bytes, key: bytes, fields: dict[str, Any]) -> bytes:
        version = self.random.choice((b"1.0", b"1.0", b"2.0", b"0.9"))
        more = self.random.choice(((), (b"Connection: keep-alive",)))
        return framed(token, key, json.dumps(fields).encode(), line=b"POST /payments HTTP/" + version, more=more)


def payment_body(merchant: int) -> bytes:
    """A usual body: a payment of 5 cents to a merchant."""
    return b'{"merchant_id": "%b", "amount": 5, "currency": "USD"}' % user_id(merchant).encode()


class _Head:
    """The callbacks of a parser."""

    def __init__(self) -> None:
        self.headers = 0

    def on_header(self, _name: bytes, _value: bytes) -> None:
        """Count it."""
        self.headers += 1


def is_answered_in_turn(request: bytes) -> bool:
    """Whether the application answers it: a connection refuses malformed and large heads as they come.

    So it does with other versions.
    """
    head = _Head()
    parser = httptools.HttpRequestParser(head)
    try:
        parser.feed_data(request)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        return False
    if parser.get_http_version() not in {"1.0", "1.1"}:
        return False
    limits = ConnectionLimits()
    return head.headers <= limits.headers_max and request.index(b"\r\n\r\n") < limits.head_bytes_max - 1_000


def corpus(tokens: Mapping[int | str, bytes]) -> list[bytes]:
    """Each thing that may be unusual about a request, alone in one."""
    numbers = count(1)
    token, usual = tokens[CUSTOMERS[0]], {"amount": 5, "currency": "USD", "merchant_id": user_id(MERCHANTS[0])}
    body = json.dumps(usual).encode()

    def a_key() -> bytes:
        return b"corpus-%d" % next(numbers)

    changed = [usual | {name: value} for name, value in CHANGES]
    return [
        *(framed(other, a_key(), body) for other in tokens.values()),
        *(framed(tokens[merchant], a_key(), b'{"amount": 5, "currency": "USD"}') for merchant in MERCHANTS),
        *(framed(token, a_key(), other) for other in BODIES),
        *(framed(token, a_key(), json.dumps(fields).encode()) for fields in changed),
        *(framed(token, a_key(), json.dumps(fields, ensure_ascii=False).encode()) for fields in changed),
        *(framed(token, key, body) for key in KEYS),
        *(framed(token, a_key(), body, content_type=content_type) for content_type in TYPES),
        *(framed(token, a_key(), body, more=more) for more in (*FIELDS, *LAST)),
        *(framed(token, a_key(), body, line=b"POST %b HTTP/1.1" % target) for target in TARGETS),
        *(framed(token, a_key(), body, line=b"%b /payments HTTP/1.1" % method) for method in METHODS),
    ]


def framed(
    token: bytes,
    key: bytes | None,
    body: bytes,
    *,
    line: bytes = b"POST /payments HTTP/1.1",
    content_type: bytes | None = b"application/json",
    authorization: bytes | None = b"Bearer",
    length: bytes | None = None,
    more: Sequence[bytes] = (),
) -> bytes:
    """A request as it goes over the wire. `authorization` is the value of the header, unless it is `Bearer`."""
    if authorization == b"Bearer":
        authorization = b"Bearer " + token
    fields = [
        b"Host: gateway.test",
        *([] if authorization is None else [b"Authorization: " + authorization]),
        *([] if content_type is None else [b"Content-Type: " + content_type]),
        *([] if key is None else [b"Idempotency-Key: " + key]),
        b"Content-Length: %d" % len(body) if length is None else length,
        *more,
    ]
    return b"\r\n".join([line, *fields, b"", b""]) + body
