"""Content that does not change while the gateway runs: compressed once, and not sent again to those who have it."""

import gzip
import hashlib
from typing import Final

from gateway.adapters.http.messages import Header, Request, Response

CACHE_CONTROL: Final = b"no-cache"
"""It may be kept, and is asked for again each time: the answer is then 304, without the content."""


class StaticContent:
    """One file or page. Each of its encodings has an entity tag of its own (RFC 9110, section 8.8.3)."""

    def __init__(self, plain: bytes, content_type: bytes) -> None:
        tag = hashlib.sha256(plain).hexdigest()[:32]
        self._content_type = content_type
        self._plain = plain
        self._plain_tag = f'"{tag}"'.encode()
        compressed = gzip.compress(plain, mtime=0)
        self._compressed = compressed if len(compressed) < len(plain) else None
        self._compressed_tag = f'"{tag}-gzip"'.encode()

    def reply(self, request: Request, headers: list[Header]) -> Response:
        """What is sent of it: nothing to a client that has it, gzip to one that takes it."""
        compressed = self._compressed if takes_gzip(request.headers.get(b"accept-encoding", b"")) else None
        tag = self._plain_tag if compressed is None else self._compressed_tag
        reply = Response(status=200, cache_control=CACHE_CONTROL, headers=[*headers, (b"etag", tag)])
        if self._compressed is not None:
            reply.headers.append((b"vary", b"accept-encoding"))
        if has_it(request.headers.get(b"if-none-match", b""), tag):
            reply.status = 304
            return reply
        reply.content_type = self._content_type
        reply.body = self._plain
        if compressed is not None:
            reply.body = compressed
            reply.content_encoding = b"gzip"
        return reply


def takes_gzip(accept_encoding: bytes) -> bool:
    """Whether a client takes gzip (RFC 9110, section 12.5.3): it names it, or all, and not with a weight of 0."""
    weights: dict[bytes, bytes] = {}
    for part in accept_encoding.lower().split(b","):
        name, _, parameter = part.partition(b";")
        weights[name.strip()] = parameter.replace(b" ", b"").removeprefix(b"q=")
    weight = weights.get(b"gzip", weights.get(b"*", b"0"))
    return weight == b"" or weight.strip(b"0.") != b""


def has_it(if_none_match: bytes, tag: bytes) -> bool:
    """Whether a client has what has this tag. Proxies that compress make a tag weak; the content is the same."""
    tags = {each.strip().removeprefix(b"W/") for each in if_none_match.split(b",")}
    return tag in tags or b"*" in tags
