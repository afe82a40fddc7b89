"""Gateway: everything that can be asked, in one value."""

from dataclasses import field
from typing import TypeVar

from gateway.application.access.access import Access
from gateway.application.accounts import Accounts
from gateway.application.api_keys import ApiKeys
from gateway.application.audit_queries import AuditQueries
from gateway.application.customers import Customers
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import WrongEventLoop
from gateway.application.engine.loop_calls import LoopCalls
from gateway.application.events.event_queries import EventQueries
from gateway.application.events.feed import Events
from gateway.application.events.hub import EventHub
from gateway.application.members import Members
from gateway.application.ports.storage import Storage
from gateway.application.ports.tokens import AccessTokens
from gateway.application.queries import Queries
from gateway.application.quotes import Quotes
from gateway.application.rate_limits.rate_limits import NO_RATE_LIMITS, RateLimits
from gateway.application.recovery import Recovery
from gateway.application.second_factors import SecondFactorEnrolment
from gateway.application.sync_gateway import (
    SyncAccess,
    SyncAccounts,
    SyncApiKeys,
    SyncAuditQueries,
    SyncCustomers,
    SyncDeliveries,
    SyncEventQueries,
    SyncEvents,
    SyncGateway,
    SyncMembers,
    SyncQueries,
    SyncQuotes,
    SyncRecovery,
    SyncSecondFactors,
    SyncWebhooks,
)
from gateway.application.webhook_deliveries import WebhookDeliveries
from gateway.application.webhooks import Webhooks
from gateway.domain.audit import Origin
from gateway.domain.immutable import immutable
from gateway.domain.user import SYSTEM, UserId

Result = TypeVar("Result")


@immutable
class Gateway:
    """What an embedding service holds, and what the HTTP adapter speaks to. Made by `gateway.open_gateway`.

    Attributes:
        opened_with: The settings that it was opened with; `gateway.asgi` serves it by them.
    """

    executor: CommandExecutor
    access: Access
    accounts: Accounts
    api_keys: ApiKeys
    customers: Customers
    second_factors: SecondFactorEnrolment
    members: Members
    recovery: Recovery
    queries: Queries
    quotes: Quotes
    events: Events
    webhooks: Webhooks
    event_queries: EventQueries
    event_hub: EventHub
    deliveries: WebhookDeliveries
    tokens: AccessTokens
    storage: Storage
    audit: AuditQueries
    rate_limits: RateLimits = NO_RATE_LIMITS
    opened_with: object = field(default=None, repr=False, compare=False)
    _calls: LoopCalls | None = field(default=None, repr=False, compare=False)
    """Those of its threads (`sync`); `None` if it was put together outside an event loop."""

    async def execute(
        self,
        command: Command[Result],
        *,
        idempotency_key: str | None = None,
        owner_id: UserId = SYSTEM,
        origin: Origin | None = None,
    ) -> Result:
        """Decide a command, commit it durably, and return its result.

        Args:
            command: The command, `Pay` say.
            idempotency_key: 1 to 255 visible ASCII characters. The same key, owner and command return the same result,
                for days, also after a restart. Without a key, every call is a new request.
            owner_id: The user whose request it is, and who owns the key: two owners may use the same key, and the same
                key with another owner is another request. By default the gateway itself.
            origin: Who acts, for the audit log: the owner of the key unless given.

        Returns:
            The result that the docstring of the command names.

        Raises:
            InvalidInput: `command` is no command, the key is malformed, `owner_id` is no id, or `origin` no origin.
            Refusal: A rule forbids it (the docstring of the command names its refusals); also `IdempotencyKeyReused`
                (the owner has used the key for another command), `IdempotencyInProgress`, `Overloaded` and
                `RateLimited`.
            StorageUnavailable: The storage could not be reached, or did not answer: the command may be committed. The
                call may be repeated with the same key.
            WrongEventLoop: The running event loop is not the gateway's. Nothing was done.
            GatewayClosed: The gateway was closed. Nothing was done.
        """
        return await self.executor.execute(command, idempotency_key=idempotency_key, owner_id=owner_id, origin=origin)

    async def execute_in(
        self,
        connection: object,
        command: Command[Result],
        *,
        idempotency_key: str | None = None,
        owner_id: UserId = SYSTEM,
        origin: Origin | None = None,
    ) -> Result:
        """Decide a command within a transaction of the program, which commits or rolls back.

        Args:
            connection: A connection of asyncpg with a transaction; or a connection or session of SQLAlchemy on asyncpg
                or aiosqlite. Its database is the gateway's.
            command: The command, `Pay` say.
            idempotency_key: As in `execute`, and one and the same with it: a key that was used here is used there. If
                the program rolls back, the key is not used.
            owner_id: As in `execute`.
            origin: As in `execute`.

        Returns:
            The result that the docstring of the command names. It is durable once the program has committed.

        Raises:
            InvalidInput: As `execute`; or the connection has no transaction or another database, or the storage has no
                transactions of a program, as in memory.
            Refusal: As `execute`. The transaction goes on: what was written of the refusal (a failed payment) is
                committed or rolled back with it.
            StorageUnavailable: The transaction cannot go on. Roll back, and repeat all of it with the same key.
            WrongEventLoop, GatewayClosed: As `execute`.
        """
        return await self.executor.execute_in(
            connection, command, idempotency_key=idempotency_key, owner_id=owner_id, origin=origin
        )

    @property
    def sync(self) -> SyncGateway:
        """The gateway for other threads of this program. Their calls run in the event loop that opened it.

        Raises:
            WrongEventLoop: The gateway was put together outside an event loop.
        """
        if self._calls is None:
            raise WrongEventLoop
        return sync_gateway(self, self._calls)


def sync_gateway(gateway: Gateway, calls: LoopCalls) -> SyncGateway:
    """A gateway whose methods block, and run by these calls."""
    return SyncGateway(
        executor=gateway.executor,
        calls=calls,
        accounts=SyncAccounts(gateway.accounts, calls),
        access=SyncAccess(gateway.access, calls),
        queries=SyncQueries(gateway.queries, calls),
        quotes=SyncQuotes(gateway.quotes, calls),
        events=SyncEvents(gateway.events, calls),
        event_queries=SyncEventQueries(gateway.event_queries, calls),
        webhooks=SyncWebhooks(gateway.webhooks, calls),
        deliveries=SyncDeliveries(gateway.deliveries, calls),
        api_keys=SyncApiKeys(gateway.api_keys, calls),
        customers=SyncCustomers(gateway.customers, calls),
        second_factors=SyncSecondFactors(gateway.second_factors, calls),
        members=SyncMembers(gateway.members, calls),
        recovery=SyncRecovery(gateway.recovery, calls),
        audit=SyncAuditQueries(gateway.audit, calls),
    )
