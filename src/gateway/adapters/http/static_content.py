"""Static content: compressed once, with entity tags for conditional requests."""

import gzip
import hashlib
from typing import Final

from gateway.adapters.http.messages import Header, Request, Response

CACHE_CONTROL: Final = b"no-cache"
"""Clients may cache it, and must revalidate it: the response is then 304, without the content."""


class StaticContent:
    """One file or page. Each encoding has an entity tag of its own (RFC 9110, section 8.8.3)."""

    def __init__(self, plain: bytes, content_type: bytes) -> None:
        tag = hashlib.sha256(plain).hexdigest()[:32]
        self._content_type = content_type
        self._plain = plain
        self._plain_tag = f'"{tag}"'.encode()
        compressed = gzip.compress(plain, mtime=0)
        self._compressed = compressed if len(compressed) < len(plain) else None
        self._compressed_tag = f'"{tag}-gzip"'.encode()

    def response(self, request: Request, headers: list[Header]) -> Response:
        """The response: without the content if the client has it, in gzip if the client accepts it."""
        compressed = self._compressed if accepts_gzip(request.headers.get(b"accept-encoding", b"")) else None
        tag = self._plain_tag if compressed is None else self._compressed_tag
        response = Response(status=200, cache_control=CACHE_CONTROL, headers=[*headers, (b"etag", tag)])
        if self._compressed is not None:
            response.headers.append((b"vary", b"accept-encoding"))
        if matches_tag(request.headers.get(b"if-none-match", b""), tag):
            response.status = 304
            return response
        response.content_type = self._content_type
        response.body = self._plain
        if compressed is not None:
            response.body = compressed
            response.content_encoding = b"gzip"
        return response


def accepts_gzip(accept_encoding: bytes) -> bool:
    """Whether a client accepts gzip (RFC 9110, section 12.5.3): by name or as `*`, with a weight above 0."""
    weights: dict[bytes, bytes] = {}
    for part in accept_encoding.lower().split(b","):
        name, _, parameter = part.partition(b";")
        weights[name.strip()] = parameter.replace(b" ", b"").removeprefix(b"q=")
    weight = weights.get(b"gzip", weights.get(b"*", b"0"))
    return weight == b"" or weight.strip(b"0.") != b""


def matches_tag(if_none_match: bytes, tag: bytes) -> bool:
    """Whether a client has the content with this tag. Weak tags match too: proxies that compress weaken tags."""
    tags = {each.strip().removeprefix(b"W/") for each in if_none_match.split(b",")}
    return tag in tags or b"*" in tags
