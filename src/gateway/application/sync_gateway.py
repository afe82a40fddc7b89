"""The gateway for threads: the same methods, which block until the event loop of the gateway has answered."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from gateway.application.access.access import Access
from gateway.application.accounts import Accounts
from gateway.application.api_keys import ApiKeys
from gateway.application.audit_queries import AuditQueries
from gateway.application.customers import Customers
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.loop_calls import GatewayClosed, LoopCalls
from gateway.application.events.event_queries import EventQueries
from gateway.application.events.feed import POLL_SECONDS, Events
from gateway.application.members import Members
from gateway.application.ports.events import FeedEvent
from gateway.application.queries import Queries
from gateway.application.quotes import Quotes
from gateway.application.recovery import Recovery
from gateway.application.second_factors import SecondFactorEnrolment
from gateway.application.webhook_deliveries import WebhookDeliveries
from gateway.application.webhooks import Webhooks
from gateway.domain.audit import Origin
from gateway.domain.immutable import immutable
from gateway.domain.user import SYSTEM, UserId

P = ParamSpec("P")
Part = TypeVar("Part")
Result = TypeVar("Result")


class SyncPart(Generic[Part]):
    """A part of a gateway whose methods block. Each is the coroutine method of the same name, with its errors."""

    __slots__ = ("_calls", "_part")

    def __init__(self, part: Part, calls: LoopCalls) -> None:
        self._part = part
        self._calls = calls

    def blocking(self, method: Callable[Concatenate[Part, P], Coroutine[Any, Any, Result]]) -> Callable[P, Result]:
        """A method of the part, which blocks."""
        return partial(self._calls.call, partial(method, self._part))


class Blocking(Generic[Part, P, Result]):
    """A method of a `SyncPart`: the coroutine method of the part, run in the event loop of the gateway."""

    def __init__(self, method: Callable[Concatenate[Part, P], Coroutine[Any, Any, Result]]) -> None:
        self.method = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, part: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, part: SyncPart[Part], owner: type[Any]) -> Callable[P, Result]: ...
    def __get__(self, part: SyncPart[Part] | None, owner: type[Any]) -> "Self | Callable[P, Result]":
        return self if part is None else part.blocking(self.method)


class SyncAccounts(SyncPart[Accounts]):
    """As `Accounts`."""

    open_customer = Blocking(Accounts.open_customer)
    open_merchant = Blocking(Accounts.open_merchant)


class SyncAccess(SyncPart[Access]):
    """As `Access`."""

    register = Blocking(Access.register)
    log_in = Blocking(Access.log_in)
    refresh = Blocking(Access.refresh)
    log_out = Blocking(Access.log_out)
    change_password = Blocking(Access.change_password)
    user = Blocking(Access.user)
    authenticate = Blocking(Access.authenticate)
    user_of_password = Blocking(Access.user_of_password)


class SyncQueries(SyncPart[Queries]):
    """As `Queries`."""

    account = Blocking(Queries.account)
    accounts = Blocking(Queries.accounts)
    accounts_of = Blocking(Queries.accounts_of)
    payment = Blocking(Queries.payment)
    payments = Blocking(Queries.payments)
    quote = Blocking(Queries.quote)
    refund = Blocking(Queries.refund)
    refunds = Blocking(Queries.refunds)
    merchant_accounts = Blocking(Queries.merchant_accounts)
    transaction = Blocking(Queries.transaction)
    transactions = Blocking(Queries.transactions)
    totals = Blocking(Queries.totals)


class SyncQuotes(SyncPart[Quotes]):
    """As `Quotes`."""

    set_rate = Blocking(Quotes.set_rate)
    all_rates = Blocking(Quotes.all_rates)
    quote = Blocking(Quotes.quote)


class SyncWebhooks(SyncPart[Webhooks]):
    """As `Webhooks`."""

    create = Blocking(Webhooks.create)
    change = Blocking(Webhooks.change)
    delete = Blocking(Webhooks.delete)
    rotate_secret = Blocking(Webhooks.rotate_secret)
    send_test = Blocking(Webhooks.send_test)
    endpoint = Blocking(Webhooks.endpoint)
    endpoints = Blocking(Webhooks.endpoints)


class SyncDeliveries(SyncPart[WebhookDeliveries]):
    """As `WebhookDeliveries`."""

    of_endpoint = Blocking(WebhookDeliveries.of_endpoint)
    redeliver = Blocking(WebhookDeliveries.redeliver)
    replay = Blocking(WebhookDeliveries.replay)


class SyncCustomers(SyncPart[Customers]):
    """Customers without passwords, whom a merchant manages."""

    create = Blocking(Customers.create)
    customer = Blocking(Customers.customer)
    customers = Blocking(Customers.customers)
    invite = Blocking(Customers.invite)
    accept_invitation = Blocking(Customers.accept_invitation)


class SyncApiKeys(SyncPart[ApiKeys]):
    """As `ApiKeys`."""

    create = Blocking(ApiKeys.create)
    rotate = Blocking(ApiKeys.rotate)
    revoke = Blocking(ApiKeys.revoke)
    key = Blocking(ApiKeys.key)
    keys = Blocking(ApiKeys.keys)
    keys_of = Blocking(ApiKeys.keys_of)


class SyncSecondFactors(SyncPart[SecondFactorEnrolment]):
    """As `SecondFactorEnrolment`."""

    enrol = Blocking(SecondFactorEnrolment.enrol)
    confirm = Blocking(SecondFactorEnrolment.confirm)
    disable = Blocking(SecondFactorEnrolment.disable)
    reset = Blocking(SecondFactorEnrolment.reset)
    is_enabled = Blocking(SecondFactorEnrolment.is_enabled)
    recovery_codes_left = Blocking(SecondFactorEnrolment.recovery_codes_left)


class SyncRecovery(SyncPart[Recovery]):
    """As `Recovery`."""

    reset_password = Blocking(Recovery.reset_password)
    change_email = Blocking(Recovery.change_email)


class SyncMembers(SyncPart[Members]):
    """As `Members`."""

    invite = Blocking(Members.invite)
    accept = Blocking(Members.accept)
    accept_as_new_user = Blocking(Members.accept_as_new_user)
    change = Blocking(Members.change)
    remove = Blocking(Members.remove)
    leave = Blocking(Members.leave)
    act_for = Blocking(Members.act_for)
    member = Blocking(Members.member)
    members = Blocking(Members.members)
    memberships = Blocking(Members.memberships)
    invitation = Blocking(Members.invitation)


class SyncAuditQueries(SyncPart[AuditQueries]):
    """As `AuditQueries`."""

    records = Blocking(AuditQueries.records)
    begin_export = Blocking(AuditQueries.begin_export)


class SyncEventQueries(SyncPart[EventQueries]):
    """As `EventQueries`."""

    event = Blocking(EventQueries.event)
    newest_first = Blocking(EventQueries.newest_first)
    oldest_first = Blocking(EventQueries.oldest_first)


class SyncEvents(SyncPart[Events]):
    """As `Events`."""

    read = Blocking(Events.read)

    def follow(self, *, after: int = 0, poll_seconds: float = POLL_SECONDS) -> Generator[FeedEvent]:
        """All events after a position, and then each new one, until the gateway closes. As `Events.follow`."""
        following = self._part.follow(after=after, poll_seconds=poll_seconds)
        waiting: asyncio.Task[Any] | None = None

        async def next_event() -> FeedEvent:
            nonlocal waiting
            waiting = asyncio.current_task()
            return await anext(following)

        async def end() -> None:
            # A thread that was interrupted (Ctrl-C) has left it waiting.
            if waiting is not None and waiting.cancel():
                await asyncio.wait([waiting])
            await following.aclose()

        with suppress(GatewayClosed):
            try:
                while True:
                    yield self._calls.wait(next_event)
            finally:
                # Nothing is awaited: the garbage collector may be what ends this generator, anywhere in any thread.
                self._calls.start(end)


@immutable
class SyncGateway:
    """A gateway for threads: Celery, Django, scripts. Any number of threads may call; payments share batches.

    Made by `gateway.open_gateway_sync`; or as `Gateway.sync`, for the threads of a program with an event loop. Every
    method raises `WrongEventLoop` in a thread whose event loop it would hold up, and `GatewayClosed` after the end.
    """

    executor: CommandExecutor
    calls: LoopCalls
    accounts: SyncAccounts
    access: SyncAccess
    queries: SyncQueries
    quotes: SyncQuotes
    events: SyncEvents
    event_queries: SyncEventQueries
    webhooks: SyncWebhooks
    deliveries: SyncDeliveries
    api_keys: SyncApiKeys
    customers: SyncCustomers
    second_factors: SyncSecondFactors
    members: SyncMembers
    recovery: SyncRecovery
    audit: SyncAuditQueries

    def execute(
        self,
        command: Command[Result],
        *,
        idempotency_key: str | None = None,
        owner_id: UserId = SYSTEM,
        origin: Origin | None = None,
    ) -> Result:
        """Decide a command, durably, and give its result. As `Gateway.execute`."""
        execute = self.executor.execute
        return self.calls.call(execute, command, idempotency_key=idempotency_key, owner_id=owner_id, origin=origin)
