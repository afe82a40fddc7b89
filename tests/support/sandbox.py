"""A sandbox that several tests share."""

from dataclasses import dataclass

import httpx

from support.servers import Installation, Server


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that runs, with an operator who has the password of all people in tests.

    Attributes:
        http: A client without a token.
        operator_email: The address of the operator.
    """

    gateway: Installation
    server: Server
    http: httpx.AsyncClient
    operator_email: str

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.url
