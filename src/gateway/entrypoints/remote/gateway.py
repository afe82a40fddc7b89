"""A running gateway, as commands see it: requests, refusals as sentences, and whether it is a sandbox."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import click
import httpx

from gateway.entrypoints.remote import DEFAULT_URL
from gateway.entrypoints.remote.urls import http_url
from gateway.settings.database_url import without_password
from gateway.settings.loopback import is_loopback

Json = dict[str, Any]

TIMEOUT_SECONDS: Final = 10.0


class NoAnswer(click.ClickException):
    """Nothing answers at the URL, or what answers is no gateway."""


class Refused(click.ClickException):
    """The gateway refused a request.

    Attributes:
        status: Of the response.
        code: Of the refusal, such as `invalid_credentials`.
        problem: The problem details.
    """

    def __init__(self, request: str, status: int, problem: Json) -> None:
        self.status = status
        self.problem = problem
        self.code: str = problem.get("code", "")
        errors: list[Json] = problem.get("errors", [])
        details = [f"{error.get('pointer', '')} {error.get('detail', '')}".strip() for error in errors]
        detail = " ".join(details) or problem.get("detail", "no reason is given")
        super().__init__(f"{request} was answered {status} {self.code}: {detail}")


class RemoteGateway:
    """Sends requests to a running gateway."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    @property
    def url(self) -> str:
        """Its URL, without a slash at the end."""
        return without_password(str(self.client.base_url)).rstrip("/")

    async def ask(self, method: str, path: str, body: Json | None = None, *, token: str = "", key: str = "") -> Json:
        """Send a request and return the JSON of its response; an empty object, if it has none.

        Args:
            method: Of HTTP. A POST has an idempotency key of its own unless one is given.
            path: Below the URL, with its query.
            body: Sent as JSON.
            token: An access token.
            key: The idempotency key.

        Raises:
            NoAnswer: Nothing answers, or what answers is no gateway.
            Refused: The status is not 2xx.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if method == "POST":
            headers["Idempotency-Key"] = key or secrets.token_hex(16)
        try:
            response = await self.client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise self.no_answer(error) from error
        return self.content(f"{method} {path.partition('?')[0]}", response)

    def content(self, request: str, response: httpx.Response) -> Json:
        """The JSON of a response that was read.

        Raises:
            NoAnswer: It does not come from a gateway.
            Refused: The status is not 2xx.
        """
        try:
            content: Any = response.json() if response.content else {}
        except ValueError:
            content = None
        if not isinstance(content, dict) or "request-id" not in response.headers:
            raise NoAnswer(f"What answers at {self.url} is no gateway.")
        found = cast("Json", content)
        if not response.is_success:
            raise Refused(request, response.status_code, found)
        return found

    def no_answer(self, error: httpx.HTTPError) -> NoAnswer:
        """The sentence for a request that could not be sent, or was not answered."""
        reason = str(error) or ("no answer in time" if isinstance(error, httpx.TimeoutException) else "cut off")
        return NoAnswer(f"No gateway answers at {self.url}: {reason}. `gateway serve` starts a sandbox.")

    async def must_be_sandbox(self) -> None:
        """Check that made-up users and money do no harm there.

        Raises:
            ClickException: No gateway answers there, or it is not a sandbox.
        """
        environment = (await self.ask("GET", "/health/live")).get("environment", "of a version without a name for it")
        if environment != "sandbox":
            raise click.ClickException(
                f"The gateway at {self.url} is no sandbox: its environment is {environment}. "
                "This command makes up users and money."
            )


@asynccontextmanager
async def open_remote(url: str) -> AsyncGenerator[RemoteGateway]:
    """A gateway at a URL, which is not asked anything yet.

    Raises:
        UsageError: The URL is none of HTTP.
    """
    parsed = http_url(url, "a gateway", example=DEFAULT_URL)
    async with http_client(parsed, base_url=parsed, timeout=TIMEOUT_SECONDS) as client:
        yield RemoteGateway(client)


def http_client(url: httpx.URL, **options: Any) -> httpx.AsyncClient:
    """A client for a URL. A URL of this machine is asked without a proxy.

    Raises:
        ClickException: The environment names a proxy or certificates that cannot be used.
    """
    try:
        return httpx.AsyncClient(trust_env=not is_loopback(url.host), **options)
    except (ImportError, OSError, ValueError) as error:
        names = "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE or SSL_CERT_DIR"
        raise click.ClickException(f"{names} cannot be used: {error}") from error
