"""Wiring: gateways put together from adapters and settings."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from os import PathLike, fspath
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from gateway.adapters.memory import MemoryDatabase, MemoryWebhookSender, memory_storage
from gateway.adapters.system.clock import system_clock
from gateway.adapters.system.identifiers import TimeOrderedIds, time_ordered_id
from gateway.application.access.api_key_format import ApiKeyFormat
from gateway.application.access.limits import AccessLimits
from gateway.application.engine.executor import Executor, OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.loop_calls import LoopCalls
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.events.hub import StreamLimits
from gateway.application.gateway import Gateway
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.passwords import PasswordHasher
from gateway.application.ports.rates import Rates
from gateway.application.ports.risk import RiskRules
from gateway.application.ports.second_factors import TimeCodes
from gateway.application.ports.storage import Storage
from gateway.application.ports.tokens import AccessTokens
from gateway.application.ports.webhook_sender import WebhookSender
from gateway.application.quotes import QuoteLimits
from gateway.application.rate_limits.rate_limits import rate_limits
from gateway.bootstrap.given import GivenParts
from gateway.bootstrap.hashers import fast_hasher, hasher_of
from gateway.bootstrap.jobs import working
from gateway.bootstrap.limits import (
    access_limits,
    group_limits,
    quote_limits,
    rate_limit_settings,
    retry_limits,
    stream_limits,
)
from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.on_demand import PasswordsOnDemand, TimeCodesOnDemand
from gateway.bootstrap.parts import Parts
from gateway.bootstrap.refusal import StartRefused
from gateway.bootstrap.risk import risk_of
from gateway.bootstrap.tokens import process_tokens, tokens_when_used
from gateway.bootstrap.webhooks import open_webhook_sender
from gateway.domain.checks import check_type
from gateway.domain.errors import invalid
from gateway.domain.limits import EVENTS_DAYS_DEFAULT
from gateway.settings.reader import read_settings
from gateway.settings.values import Settings

_MEMORY_SETTINGS: Final = Settings(database_url=MEMORY_URL)


@asynccontextmanager
async def open_gateway(  # noqa: PLR0913 - each has a name.
    settings: Settings | str | PathLike[str] | None = None,
    *,
    storage: Storage | None = None,
    tokens: AccessTokens | None = None,
    passwords: PasswordHasher | None = None,
    rates: Rates | None = None,
    clock: Clock | None = None,
    identifiers: Identifiers | None = None,
    webhook_sender: WebhookSender | None = None,
    risk: RiskRules | None = None,
    time_codes: TimeCodes | None = None,
    schema: str | None = None,
    worker: bool = False,
) -> AsyncGenerator[Gateway]:
    """Open a gateway. At the end it answers all accepted commands, then closes what it has opened.

    Parts that are given are used in place of the gateway's own, and are not closed. A signing key is read at once if
    the settings name one. Otherwise it is needed when the first token is issued or verified: the sandbox makes a file
    then, and production raises `StartRefused`.

    Args:
        settings: All settings; or just the database, as `postgresql://…`, `sqlite:///file`, the path of an SQLite file
            or `memory://`, with the sandbox's defaults for the rest; or `None`, to read the environment.
        storage: The storage, in place of the database of the settings. Do not name a database as well.
        tokens: Issues and verifies access tokens.
        passwords: Hashes and checks passwords.
        rates: The exchange rates, in place of the storage's and of a file's.
        clock: Tells the time, to this gateway and to its worker.
        identifiers: Makes identifiers. By default those of UUIDv7, by `clock`.
        webhook_sender: Checks the URLs of webhook endpoints, and sends webhooks.
        risk: Rules that are asked about each payment, in place of the limits of the settings.
        time_codes: Makes and checks the codes of second factors.
        schema: The schema of the gateway's tables on Postgres, beside the program's own tables. In place of the setting
            `database_schema`; the sandbox makes it.
        worker: Whether payments expire, webhooks are sent, events go to sinks and old rows are deleted while the
            gateway is open, as in a process of `gateway worker`.

    Raises:
        SettingsRefused: A setting in the environment or the database's URL cannot be used.
        InvalidInput: A part lacks a method of its port, or both a storage and a database were given.
        StartRefused: A key, the file of rates or the file of certificate authorities is missing or cannot be used,
            or the database's schema is not this version's.
        StorageUnavailable: The database cannot be reached.
    """
    given = GivenParts(
        storage=storage,
        tokens=tokens,
        passwords=passwords,
        rates=rates,
        clock=clock,
        identifiers=identifiers,
        webhook_sender=webhook_sender,
        risk=risk,
        time_codes=time_codes,
    )
    check_type("worker", worker, bool)
    chosen = as_settings(settings)
    if schema is not None:
        chosen = replace(chosen, database_schema=schema)
    if storage is not None and (schema is not None or (settings is not None and chosen.database_url)):
        raise invalid("storage", "value_invalid", "Give a storage or a database, not both.")
    async with AsyncExitStack() as stack:
        parts = await _open_parts(stack, chosen, given)
        batch = parts.batch()
        limits = retry_limits(chosen)
        executor = GroupCommit(
            retrying(batch.run, limits),
            group_limits(chosen),
            scheduling=parts.storage.scheduling,
            run_beside=batch.run_beside,
            run_waiting=retrying(batch.run_waiting, limits),
        )
        yield await _opened(stack, parts, executor, chosen, worker=worker)


async def _opened(
    stack: AsyncExitStack, parts: Parts, executor: Executor, settings: Settings, *, worker: bool
) -> Gateway:
    """The gateway, which ends with the stack: first threads and what works beside it, then what was accepted."""
    calls = LoopCalls(asyncio.get_running_loop())
    gateway = parts.gateway(executor, calls)
    stack.push_async_callback(parts.rate_limits.close)
    stack.push_async_callback(gateway.access.close)
    stack.push_async_callback(executor.close)
    if worker:
        await stack.enter_async_context(working(gateway, settings))
    stack.push_async_callback(calls.close)
    return gateway


async def _open_parts(stack: AsyncExitStack, settings: Settings, given: GivenParts) -> Parts:
    """The parts that are given, and those of the settings for the others."""
    tokens = given.tokens or tokens_when_used(settings)
    rates = given.rates or _file_rates(settings)
    storage, sender = given.storage, given.webhook_sender
    if storage is None:
        from gateway.bootstrap.storage import open_storage

        storage = await stack.enter_async_context(open_storage(settings))
    if sender is None:
        sender = await stack.enter_async_context(open_webhook_sender(settings))
    return Parts(
        storage=storage,
        rates=rates or storage.rates,
        passwords=given.passwords or _hasher(stack, hasher_of(settings)),
        tokens=tokens,
        webhook_sender=sender,
        clock=given.clock or system_clock,
        identifiers=_identifiers(given),
        access_limits=access_limits(settings),
        time_codes=given.time_codes or TimeCodesOnDemand(),
        key_format=ApiKeyFormat(live=settings.environment == "production"),
        quote_limits=quote_limits(settings),
        stream_limits=stream_limits(settings),
        event_retention=timedelta(days=settings.events_days),
        rate_limits=rate_limits(rate_limit_settings(settings), storage.rate_budgets),
        risk=risk_of(given.risk, settings),
        opened_with=settings,
    )


@asynccontextmanager
async def in_memory_gateway(  # noqa: PLR0913 - each has a name.
    *,
    one_by_one: bool = False,
    tokens: AccessTokens | None = None,
    passwords: PasswordHasher | None = None,
    rates: Rates | None = None,
    clock: Clock | None = None,
    identifiers: Identifiers | None = None,
    webhook_sender: WebhookSender | None = None,
    risk: RiskRules | None = None,
    time_codes: TimeCodes | None = None,
    database: MemoryDatabase | None = None,
    worker: bool = False,
) -> AsyncGenerator[Gateway]:
    """A whole gateway without files or network, for tests: fast password hashes, a signing key of its own.

    With another storage, tests use `open_gateway(storage=…)`.

    Args:
        one_by_one: Run each command in a transaction of its own, without group commit.
        tokens: As in `open_gateway`.
        passwords: As in `open_gateway`.
        rates: As in `open_gateway`.
        clock: As in `open_gateway`.
        identifiers: As in `open_gateway`.
        webhook_sender: As in `open_gateway`. By default every URL is allowed, and nothing is sent.
        risk: As in `open_gateway`. By default no payment is asked about.
        time_codes: As in `open_gateway`.
        database: The records, for tests that inspect them. A new one by default.
        worker: As in `open_gateway`.

    Raises:
        InvalidInput: A part lacks a method of its port.
    """
    given = GivenParts(
        tokens=tokens,
        passwords=passwords,
        rates=rates,
        clock=clock,
        identifiers=identifiers,
        webhook_sender=webhook_sender,
        risk=risk,
        time_codes=time_codes,
    )
    check_type("worker", worker, bool)
    storage = memory_storage(database)
    async with AsyncExitStack() as stack:
        parts = Parts(
            storage=storage,
            rates=rates or storage.rates,
            passwords=passwords or _hasher(stack, fast_hasher()),
            tokens=tokens or process_tokens(),
            clock=clock or system_clock,
            identifiers=_identifiers(given),
            access_limits=AccessLimits(),
            time_codes=time_codes or TimeCodesOnDemand(),
            quote_limits=QuoteLimits(),
            webhook_sender=webhook_sender or MemoryWebhookSender(),
            stream_limits=StreamLimits(),
            event_retention=timedelta(days=EVENTS_DAYS_DEFAULT),
            risk=risk_of(risk, _MEMORY_SETTINGS),
            opened_with=_MEMORY_SETTINGS,
        )
        run_batch = retrying(parts.batch().run, RetryLimits())
        executor: Executor = (
            OneByOne(run_batch) if one_by_one else GroupCommit(run_batch, GroupLimits(), scheduling=storage.scheduling)
        )
        yield await _opened(stack, parts, executor, _MEMORY_SETTINGS, worker=worker)


def as_settings(settings: Settings | str | PathLike[str] | None) -> Settings:
    """Settings, of the environment or of just a database if need be.

    Raises:
        SettingsRefused: A setting in the environment or the database's URL cannot be used.
    """
    if settings is None:
        return read_settings(os.environ)
    return settings if isinstance(settings, Settings) else Settings(database_url=fspath(settings))


def _hasher(stack: AsyncExitStack, passwords: PasswordsOnDemand) -> PasswordHasher:
    stack.push_async_callback(passwords.close)
    return passwords


def _identifiers(given: GivenParts) -> Identifiers:
    if given.identifiers is not None:
        return given.identifiers
    return time_ordered_id if given.clock is None else TimeOrderedIds(given.clock)


def _file_rates(settings: Settings) -> Rates | None:
    """The rates in a file, if the settings name one; otherwise the database has them."""
    if not settings.rates_file:
        return None
    from gateway.adapters.rates_file import FileRates, RatesFileRefused

    try:
        return FileRates(Path(settings.rates_file))
    except RatesFileRefused as refused:
        raise StartRefused(f"GATEWAY_RATES_FILE: {refused}") from refused
