"""Requests to change the protocol of a connection, as Java's client and `curl --http2` make them: they are ignored.

httptools ends a request that has `Upgrade` behind its headers, and takes its body for the next request. So the headers
are parsed once more without `Upgrade` (RFC 9110, 7.8: a server may ignore it), and what follows belongs to them.
"""

from collections.abc import Iterable

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.adapters.http.messages import Header

CONNECT = b"CONNECT"
"""What follows this method is not HTTP, whatever the headers say."""


def head_without_upgrade(parser: httptools.HttpRequestParser, url: bytes, headers: Iterable[Header]) -> bytes:
    """The request line and the headers that a parser has found, without the wish for another protocol."""
    lines = [b"%b %b HTTP/%b" % (parser.get_method(), url, parser.get_http_version().encode())]
    for name, value in headers:
        if name == b"connection":
            options = [option for option in value.split(b",") if option.strip(b" \t").lower() != b"upgrade"]
            lines.append(b"connection: " + b",".join(options))
        elif name != b"upgrade":
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])


def new_parser(protocol: HttpToolsProtocol) -> httptools.HttpRequestParser:
    """A parser as uvicorn makes it: data behind a request with `Connection: close` is no error."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser
