"""Wiring: gateways put together from adapters and settings."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import field
from datetime import timedelta
from os import PathLike, fspath
from pathlib import Path

from gateway.adapters.argon2.password_hasher import Argon2PasswordHasher
from gateway.adapters.jose.access_tokens import JoseAccessTokens
from gateway.adapters.jose.keys import generate_pem, signing_key_from_pem
from gateway.adapters.memory import MemoryDatabase, MemoryWebhookSender, memory_storage
from gateway.adapters.rates_file import FileRates, RatesFileRefused
from gateway.adapters.system.clock import system_clock
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.access.access import Access
from gateway.application.access.limits import AccessLimits
from gateway.application.audit_queries import AuditQueries
from gateway.application.engine.batch import Batch
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import Executor, OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.event_queries import EventQueries
from gateway.application.events.feed import Events
from gateway.application.events.hub import EventHub, StreamLimits
from gateway.application.gateway import Gateway
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.passwords import PasswordHasher
from gateway.application.ports.rates import Rates
from gateway.application.ports.storage import Storage
from gateway.application.ports.tokens import AccessTokens
from gateway.application.ports.webhook_sender import WebhookSender
from gateway.application.queries import Queries
from gateway.application.quotes import QuoteLimits, Quotes
from gateway.application.rate_limits.rate_limits import NO_RATE_LIMITS, RateLimits, rate_limits
from gateway.application.webhook_deliveries import WebhookDeliveries
from gateway.application.webhooks import Webhooks
from gateway.bootstrap.keys import access_tokens
from gateway.bootstrap.limits import (
    access_limits,
    group_limits,
    quote_limits,
    rate_limit_settings,
    retry_limits,
    stream_limits,
)
from gateway.bootstrap.refusal import StartRefused
from gateway.bootstrap.storage import open_storage
from gateway.bootstrap.webhooks import open_webhook_sender
from gateway.domain.immutable import immutable
from gateway.domain.limits import EVENTS_DAYS_DEFAULT
from gateway.settings.reader import read_settings
from gateway.settings.values import Settings


@asynccontextmanager
async def open_gateway(settings: Settings | str | PathLike[str] | None = None) -> AsyncGenerator[Gateway]:
    """Open a gateway on a database. At the end it answers all accepted commands, then closes its connections.

    Args:
        settings: All settings; or just the database, as `postgresql://…`, `sqlite:///file`, the path of an SQLite file
            or `memory://`, with the sandbox's defaults for the rest; or `None`, to read the environment.

    Raises:
        SettingsRefused: A setting in the environment or the database's URL cannot be used.
        StartRefused: The keys, the file of rates or the file of certificate authorities are missing or cannot be used,
            or the database's schema is not this version's.
        StorageUnavailable: The database cannot be reached.
    """
    chosen = _as_settings(settings)
    tokens = access_tokens(chosen)
    file_rates = _file_rates(chosen)
    async with (
        open_storage(chosen) as storage,
        _open_hasher(chosen) as passwords,
        open_webhook_sender(chosen) as webhook_sender,
    ):
        parts = _Parts(
            storage=storage,
            rates=storage.rates if file_rates is None else file_rates,
            passwords=passwords,
            tokens=tokens,
            webhook_sender=webhook_sender,
            clock=system_clock,
            identifiers=time_ordered_id,
            access_limits=access_limits(chosen),
            quote_limits=quote_limits(chosen),
            stream_limits=stream_limits(chosen),
            event_retention=timedelta(days=chosen.events_days),
            rate_limits=rate_limits(rate_limit_settings(chosen), storage.rate_budgets),
        )
        batch = parts.batch()
        executor = GroupCommit(
            retrying(batch.run, retry_limits(chosen)),
            group_limits(chosen),
            scheduling=storage.scheduling,
            run_beside=batch.run_beside,
        )
        try:
            yield parts.gateway(executor)
        finally:
            await executor.close()
            await parts.rate_limits.close()


@asynccontextmanager
async def in_memory_gateway(
    *,
    one_by_one: bool = False,
    clock: Clock = system_clock,
    identifiers: Identifiers = time_ordered_id,
    database: MemoryDatabase | None = None,
    webhook_sender: WebhookSender | None = None,
) -> AsyncGenerator[Gateway]:
    """A whole gateway without files or network, for tests: fast password hashes, a signing key of its own.

    Args:
        one_by_one: Run each command in a transaction of its own, without group commit.
        clock: Tells the time.
        identifiers: Makes identifiers.
        database: The records, for tests that inspect them. A new one by default.
        webhook_sender: Checks the URLs of webhook endpoints. By default every URL is allowed, and nothing is sent.
    """
    storage = memory_storage(database)
    passwords = Argon2PasswordHasher(threads=1, time_cost=1, memory_cost_kibibytes=8)
    parts = _Parts(
        storage=storage,
        rates=storage.rates,
        passwords=passwords,
        tokens=JoseAccessTokens(issuer="gateway", audience="gateway", signing_key=signing_key_from_pem(generate_pem())),
        clock=clock,
        identifiers=identifiers,
        access_limits=AccessLimits(),
        quote_limits=QuoteLimits(),
        webhook_sender=webhook_sender or MemoryWebhookSender(),
        stream_limits=StreamLimits(),
        event_retention=timedelta(days=EVENTS_DAYS_DEFAULT),
    )
    run_batch = retrying(parts.batch().run, RetryLimits())
    executor: Executor = (
        OneByOne(run_batch) if one_by_one else GroupCommit(run_batch, GroupLimits(), scheduling=storage.scheduling)
    )
    try:
        yield parts.gateway(executor)
    finally:
        await executor.close()
        await passwords.close()


@immutable
class _Parts:
    """The adapters and limits that a gateway is made of."""

    storage: Storage
    rates: Rates
    passwords: PasswordHasher
    tokens: AccessTokens
    webhook_sender: WebhookSender
    clock: Clock
    identifiers: Identifiers
    access_limits: AccessLimits
    quote_limits: QuoteLimits
    stream_limits: StreamLimits
    event_retention: timedelta
    rate_limits: RateLimits = NO_RATE_LIMITS
    commits: CommitSignal = field(default_factory=CommitSignal)

    def batch(self) -> Batch:
        """What runs a batch of submissions, once."""
        return Batch(
            unit_of_work=self.storage.unit_of_work,
            clock=self.clock,
            identifiers=self.identifiers,
            committed=self.commits.notify,
        )

    def gateway(self, submissions: Executor) -> Gateway:
        """The gateway that executes its commands with this executor."""
        executor = CommandExecutor(submissions, self.identifiers)
        event_queries = EventQueries(self.storage.events, self.clock, self.event_retention)
        return Gateway(
            executor=executor,
            access=Access(
                executor=executor,
                users=self.storage.users,
                sessions=self.storage.sessions,
                login_failures=self.storage.login_failures,
                audit_log=self.storage.audit_log,
                passwords=self.passwords,
                tokens=self.tokens,
                clock=self.clock,
                identifiers=self.identifiers,
                limits=self.access_limits,
            ),
            queries=Queries(self.storage.reader, self.clock),
            quotes=Quotes(executor=executor, rates=self.rates, clock=self.clock, limits=self.quote_limits),
            events=Events(self.storage.events, self.commits),
            deliveries=WebhookDeliveries(
                stored=self.storage.deliveries,
                endpoints=self.storage.webhook_endpoints,
                feed=self.storage.events,
                clock=self.clock,
                identifiers=self.identifiers,
                retention=self.event_retention,
            ),
            webhooks=Webhooks(
                executor=executor,
                stored=self.storage.webhook_endpoints,
                feed=self.storage.events,
                sender=self.webhook_sender,
            ),
            event_queries=event_queries,
            event_hub=EventHub(event_queries, self.commits, self.stream_limits),
            tokens=self.tokens,
            storage=self.storage,
            audit=AuditQueries(self.storage.audit_log),
            rate_limits=self.rate_limits,
        )


def _as_settings(settings: Settings | str | PathLike[str] | None) -> Settings:
    if settings is None:
        return read_settings(os.environ)
    return settings if isinstance(settings, Settings) else Settings(database_url=fspath(settings))


def _file_rates(settings: Settings) -> Rates | None:
    """The rates in a file, if the settings name one; otherwise the database has them."""
    if not settings.rates_file:
        return None
    try:
        return FileRates(Path(settings.rates_file))
    except RatesFileRefused as refused:
        raise StartRefused(f"GATEWAY_RATES_FILE: {refused}") from refused


@asynccontextmanager
async def _open_hasher(settings: Settings) -> AsyncGenerator[PasswordHasher]:
    passwords = Argon2PasswordHasher(threads=settings.hashing_threads, waiting_max=settings.hashing_waiting_max)
    try:
        yield passwords
    finally:
        await passwords.close()
