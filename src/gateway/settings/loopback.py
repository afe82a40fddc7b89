"""Which hosts are this machine alone."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host is the loopback interface, which only programs of this machine reach."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
