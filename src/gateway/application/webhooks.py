"""Webhooks: the endpoints to which events are sent."""

import base64
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from gateway.application.access.caller import Caller, check_caller
from gateway.application.commands.change_webhook_endpoint import ChangeWebhookEndpoint
from gateway.application.commands.create_webhook_endpoint import CreateWebhookEndpoint
from gateway.application.commands.delete_webhook_endpoint import DeleteWebhookEndpoint
from gateway.application.commands.rotate_webhook_secret import RotateWebhookSecret
from gateway.application.commands.send_test_event import SendTestEvent, SentTestEvent
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.errors import RoleForbidden
from gateway.application.ports.events import EventFeed
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.application.ports.webhook_sender import WebhookSender
from gateway.application.queries import Page, check_page, page_of
from gateway.domain.checks import check_id
from gateway.domain.errors import FieldError, InvalidInput
from gateway.domain.limits import LIST_LIMIT_DEFAULT
from gateway.domain.user import SYSTEM, Role, UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint
from gateway.domain.webhook_errors import WebhookEndpointNotFound
from gateway.domain.webhook_fields import SECRET_PREFIX

SECRET_BYTES: Final = 32


def new_webhook_secret() -> str:
    """A random secret: `whsec_` and the Base64 of 32 bytes."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """Webhook endpoints. Commands change them; URLs are checked and secrets are made here, before a command decides.

    `owner_id` is the owner that an endpoint must have: a merchant, or `system` for the endpoints of the operators. A
    trusted program may leave it out, and changes anybody's.

    Every method raises `StorageUnavailable` when the storage is away.
    """

    executor: CommandExecutor
    stored: WebhookEndpoints
    feed: EventFeed
    sender: WebhookSender
    new_secret: Callable[[], str] = new_webhook_secret
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def create(
        self,
        *,
        owner_id: UserId,
        url: str,
        events: Sequence[str],
        description: str | None = None,
        enabled: bool = True,
        all_merchants: bool = False,
    ) -> WebhookEndpoint:
        """Send events to a URL from now on. The result has the secret, which is shown to the owner once.

        All events are sent that are committed after the endpoint, and those that are committed while it is created.

        Args:
            owner_id: The merchant; or `system` with `all_merchants`, for an endpoint of the operators.
            url: The URL of the receiver, as `check_url` requires. Its host is resolved, and must be allowed.
            events: 1 to 32 filters: types of events, `payment.*` for all types of a kind, `*` for everything.
            description: At most 500 characters.
            enabled: Whether events are sent at once.
            all_merchants: Whether the events of all merchants are sent.

        Raises:
            InvalidInput: A value is not valid, or the URL is not allowed.
            RateLimited: Too many host names of this owner are being looked up.
            Overloaded: Too many host names are being looked up.
            EndpointLimitReached: The owner has 16 endpoints.
        """
        command = await self.create_command(
            owner_id=owner_id,
            url=url,
            events=events,
            description=description,
            enabled=enabled,
            all_merchants=all_merchants,
        )
        return await self.executor.execute(command, owner_id=owner_id)

    async def create_command(
        self,
        *,
        owner_id: UserId,
        url: str,
        events: Sequence[str],
        description: str | None = None,
        enabled: bool = True,
        all_merchants: bool = False,
    ) -> CreateWebhookEndpoint:
        """The command that creates an endpoint with a new secret. Arguments are as in `create`."""
        self.loop.check()
        command = CreateWebhookEndpoint(
            owner_id=owner_id,
            all_merchants=all_merchants,
            url=url,
            events=_filters(events),
            description=description,
            enabled=enabled,
            secret=self.new_secret(),
        )
        # An error is passed on: the command refuses it, unless its key has an answer to replay.
        url_error = await self._url_error(url, owner_id)
        # What is committed from here on has a later position, whatever the clocks of the servers say.
        return replace(command, url_error=url_error, after_position=await self.feed.newest())

    async def change(
        self,
        endpoint_id: EndpointId,
        *,
        owner_id: UserId | None = None,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> WebhookEndpoint:
        """Change what is given, as in `create`; an empty description clears it.

        Raises:
            WebhookEndpointNotFound: There is no such endpoint of this owner.
            InvalidInput: A value is not valid, or the URL is not allowed.
            RateLimited, Overloaded: As in `create`.
        """
        command = await self.change_command(
            endpoint_id, owner_id=owner_id, url=url, events=events, description=description, enabled=enabled
        )
        return await self.executor.execute(command, owner_id=owner_id or SYSTEM)

    async def change_command(
        self,
        endpoint_id: EndpointId,
        *,
        owner_id: UserId | None = None,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> ChangeWebhookEndpoint:
        """The command that changes an endpoint. Arguments are as in `change`."""
        self.loop.check()
        command = ChangeWebhookEndpoint(
            endpoint_id=endpoint_id,
            owner_id=owner_id,
            url=url,
            events=None if events is None else _filters(events),
            description=description,
            enabled=enabled,
        )
        if url is None:
            return command
        return replace(command, url_error=await self._url_error(url, owner_id or SYSTEM))

    async def delete(self, endpoint_id: EndpointId, *, owner_id: UserId | None = None) -> None:
        """Delete an endpoint. What waits to be delivered to it is canceled.

        Raises:
            WebhookEndpointNotFound: There is no such endpoint of this owner.
        """
        self.loop.check()
        command = DeleteWebhookEndpoint(endpoint_id=endpoint_id, owner_id=owner_id)
        await self.executor.execute(command, owner_id=owner_id or SYSTEM)

    async def rotate_secret(self, endpoint_id: EndpointId, *, owner_id: UserId | None = None) -> WebhookEndpoint:
        """Give an endpoint a new secret, which the result has. The secret until now signs for 24 hours more.

        Raises:
            WebhookEndpointNotFound: There is no such endpoint of this owner.
        """
        self.loop.check()
        command = self.rotate_command(endpoint_id, owner_id=owner_id)
        return await self.executor.execute(command, owner_id=owner_id or SYSTEM)

    def rotate_command(self, endpoint_id: EndpointId, *, owner_id: UserId | None = None) -> RotateWebhookSecret:
        """The command that gives an endpoint a new secret."""
        return RotateWebhookSecret(endpoint_id=endpoint_id, owner_id=owner_id, secret=self.new_secret())

    async def send_test(self, endpoint_id: EndpointId, *, owner_id: UserId | None = None) -> SentTestEvent:
        """Send the event `endpoint.test` to an endpoint, whatever its filters.

        Raises:
            WebhookEndpointNotFound: There is no such endpoint of this owner.
            WebhookEndpointDisabled: It is disabled.
        """
        self.loop.check()
        command = SendTestEvent(endpoint_id=endpoint_id, owner_id=owner_id)
        return await self.executor.execute(command, owner_id=owner_id or SYSTEM)

    async def endpoint(self, caller: Caller, endpoint_id: EndpointId) -> WebhookEndpoint:
        """One endpoint of the caller's.

        Raises:
            RoleForbidden: The caller is a customer.
            WebhookEndpointNotFound: The caller has no such endpoint.
        """
        self.loop.check()
        owner_id = endpoint_owner(caller)
        check_id("endpoint_id", endpoint_id)
        found = await self.stored.endpoint(endpoint_id)
        if found is None or found.owner_id != owner_id:
            raise WebhookEndpointNotFound("There is no such webhook endpoint.")
        return found

    async def endpoints(
        self, caller: Caller, *, before: EndpointId | None = None, limit: int = LIST_LIMIT_DEFAULT
    ) -> Page[WebhookEndpoint]:
        """The endpoints of the caller: a merchant's own, or the operators'. Newest first.

        Raises:
            RoleForbidden: The caller is a customer.
        """
        self.loop.check()
        owner_id = endpoint_owner(caller)
        check_page(before, limit)
        return page_of(await self.stored.endpoints(owner_id, before=before, limit=limit + 1), limit)

    async def _url_error(self, url: str, owner_id: UserId) -> FieldError | None:
        """What the sender has against a URL.

        Raises:
            RateLimited, Overloaded: The sender could not tell now.
        """
        try:
            await self.sender.check(url, owner_id=owner_id)
        except InvalidInput as refused:
            return refused.errors[0]
        return None


def endpoint_owner(caller: Caller) -> UserId:
    """The owner of the endpoints that a caller creates and sees: a merchant owns theirs, operators share `system`'s.

    Raises:
        RoleForbidden: The caller is a customer.
    """
    check_caller(caller)
    match caller.role:
        case Role.MERCHANT:
            return caller.user_id
        case Role.OPERATOR:
            return SYSTEM
        case Role.CUSTOMER:
            raise RoleForbidden("A customer has no webhook endpoints.")


def _filters(events: object) -> tuple[str, ...]:
    """A sequence as a tuple. Anything else is passed on: the command refuses it."""
    is_sequence = isinstance(events, Sequence) and not isinstance(events, str | bytes)
    return cast("tuple[str, ...]", tuple(cast("Sequence[object]", events)) if is_sequence else events)
