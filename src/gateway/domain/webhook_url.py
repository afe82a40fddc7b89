"""WebhookUrl: the parts of a receiver's URL, and the syntax that such a URL must have."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Literal, cast

from gateway.domain.errors import InvalidInput, invalid
from gateway.domain.immutable import immutable

Scheme = Literal["http", "https"]

PORT_MAX: Final = 65_535
HOST_LENGTH_MAX: Final = 253  # RFC 1035, 2.3.4: 255 octets with lengths, without them 253 characters.
DEFAULT_PORTS: Final[dict[Scheme, int]] = {"http": 80, "https": 443}

_URL: Final = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://"
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[0-9A-Za-z_.-]+))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    # The characters of RFC 3986 without `#`. All of them are visible ASCII.
    r"(?P<target>(?:[/?][!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]*)?)"
)
_LABEL: Final = re.compile(r"(?!-)[0-9a-z_-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""The last label of a host that resolvers read as an IPv4 address, in any of its spellings: `127.1`, `0x7f000001`."""


@immutable
class WebhookUrl:
    """The parts of a URL.

    Attributes:
        host: A name in lower case without a dot at its end, or an IP address in its shortest spelling, without
            brackets.
        address: The IP address, if the host is one.
        target: Path and query, as they are sent. Never empty.
    """

    scheme: Scheme
    host: str
    address: IPv4Address | IPv6Address | None
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The value of the header `Host`: the port only if it is not the scheme's own."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_webhook_url(url: str) -> WebhookUrl:
    """The parts of a URL. It has `http` or `https`, a host, and neither a user nor a fragment, all in ASCII.

    Characters outside ASCII are percent-encoded, and in host names they are Punycode. An IPv4 address is four decimal
    numbers: resolvers also accept `127.1`, `0x7f000001` and `2130706433`, which are refused. So are the zones of IPv6.

    Raises:
        InvalidInput: It is not such a URL: code `url_invalid` at field `url`.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise _invalid()
    scheme = cast("Scheme", found["scheme"].lower())
    port = DEFAULT_PORTS[scheme] if found["port"] is None else int(found["port"])
    if not 1 <= port <= PORT_MAX:
        raise _invalid()
    host, address = _ipv6(found["ipv6"]) if found["ipv6"] else _name_or_ipv4(found["host"])
    target = found["target"]
    return WebhookUrl(
        scheme=scheme,
        host=host,
        address=address,
        port=port,
        target=target if target.startswith("/") else "/" + target,
    )


def _ipv6(text: str) -> tuple[str, IPv6Address]:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise _invalid() from None
    return str(address), address


def _name_or_ipv4(text: str) -> tuple[str, IPv4Address | None]:
    host = text.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > HOST_LENGTH_MAX or not all(map(_LABEL.fullmatch, labels)):
        raise _invalid()
    if not _NUMBER.fullmatch(labels[-1]):
        return host, None
    try:
        address = IPv4Address(host)
    except AddressValueError:
        raise _invalid() from None
    return host, address


def _invalid() -> InvalidInput:
    detail = (
        "This must be a URL with https:// (in the sandbox also http://) and a host, without a user or a fragment. "
        "Characters outside ASCII are percent-encoded, in host names they are Punycode. "
        "An IPv4 address is four decimal numbers."
    )
    return invalid("url", "url_invalid", detail)
