"""SendingRules: the URLs and addresses that webhooks may be sent to."""

from collections.abc import Sequence
from typing import Final

from gateway.adapters.webhooks.addresses import Address, is_public_unicast, unwrapped
from gateway.domain.immutable import immutable
from gateway.domain.webhook_url import WebhookUrl

PORTS_DEFAULT: Final = frozenset({443, 8443})


class DestinationRefused(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """Webhooks may not be sent there. The message is a sentence for the owner of the endpoint."""


@immutable
class SendingRules:
    """Where webhooks may be sent to.

    Attributes:
        plain_http: Whether `http://` is allowed.
        ports: The allowed ports; `None` allows any.
        allowed_addresses: Addresses that are allowed although they are not public, on any port. They are compared
            exactly: `127.0.0.1` does not allow `127.0.0.2`.
    """

    plain_http: bool = False
    ports: frozenset[int] | None = PORTS_DEFAULT
    allowed_addresses: frozenset[Address] = frozenset()

    def check_scheme(self, url: WebhookUrl) -> None:
        """Refuse `http://` where it is not allowed.

        Raises:
            DestinationRefused: It is not.
        """
        if url.scheme != "https" and not self.plain_http:
            raise DestinationRefused("Webhooks are sent to https:// only.")

    def checked(self, url: WebhookUrl, addresses: Sequence[Address]) -> tuple[Address, ...]:
        """The addresses to connect to: all addresses of the host, if each of them is allowed.

        One address that is not allowed refuses the host: a name with a public and a private address is a mistake or an
        attack, and which address a connection would take is left to chance.

        Raises:
            DestinationRefused: An address or the port is not allowed.
        """
        found = tuple(dict.fromkeys(map(unwrapped, addresses)))
        exempt = self.allowed_addresses
        if not all(address in exempt or is_public_unicast(address) for address in found):
            raise DestinationRefused("The host has an address that webhooks may not be sent to.")
        if self.ports is not None and url.port not in self.ports and not exempt.issuperset(found):
            allowed = ", ".join(map(str, sorted(self.ports)))
            raise DestinationRefused(f"Webhooks may not be sent to this port. Allowed: {allowed}.")
        return found
