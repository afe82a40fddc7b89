"""The composition root: the only module that knows every adapter."""

import gc
import os
import re
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Final

from gateway.adapters.argon2.password_hasher import Argon2PasswordHasher
from gateway.adapters.jose.access_tokens import JoseAccessTokens
from gateway.adapters.jose.keys import (
    KeyRefused,
    SigningKey,
    VerifyingKey,
    generate_pem,
    keep_signing_key,
    signing_key_from_pem,
    signing_key_from_secret,
    verifying_key_from_pem,
)
from gateway.adapters.jose.signatures import JoseSignatures
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.rates_file import FileRates, RatesFileRefused
from gateway.adapters.sql import (
    Plan,
    Schema,
    SchemaRefused,
    SqlLimits,
    migrate,
    open_sql_storage,
    planned,
    schema_of,
    sql_audit,
)
from gateway.adapters.sql.engine import check_url, sqlite_url
from gateway.adapters.system.clock import system_clock
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.access.access import Access
from gateway.application.access.limits import AccessLimits
from gateway.application.engine.batch import Batch
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import Executor, OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.events.feed import Events
from gateway.application.gateway import Gateway
from gateway.application.plain_text import NotPlainText, plain_text
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.passwords import PasswordHasher
from gateway.application.ports.rates import Rates
from gateway.application.ports.reader import Audit
from gateway.application.ports.storage import Storage
from gateway.application.ports.tokens import AccessTokens
from gateway.application.queries import Queries
from gateway.application.quotes import QuoteLimits, Quotes
from gateway.settings.database_url import without_password
from gateway.settings.field import SettingsRefused
from gateway.settings.reader import read_settings
from gateway.settings.values import Settings

MEMORY_URL: Final = "memory://"
"""Keeps everything in this process, and nothing after it."""

_SCHEMAS_REFUSED: Final = {
    Schema.NONE: "There is no ledger in {url}. If this is the right database, run: gateway migrate",
    Schema.OLDER: "The database's schema is older than this version's. Run: gateway migrate",
    Schema.NEWER: "The database's schema is of a newer version of the gateway. Use that version.",
    Schema.FOREIGN: "The database has tables of another application where the gateway's would be. Give the gateway a "
    "database of its own (on Postgres also a schema: postgresql://…?options=-c%20search_path%3Dgateway).",
    Schema.NOT_UTF_8: "The database keeps texts in another encoding than UTF-8. Make one for the gateway: "
    "CREATE DATABASE gateway ENCODING 'UTF8' TEMPLATE template0.",
}

_PUBLIC_KEY: Final = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----\s*", re.DOTALL)


class StartRefused(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """The gateway does not start like this; the message says what to do about it."""


@asynccontextmanager
async def open_gateway(settings: Settings | str | PathLike[str] | None = None) -> AsyncGenerator[Gateway]:
    """Open a gateway on a database, and close it gracefully: what was taken in is answered, then connections end.

    Args:
        settings: All settings; or just the database, as `postgresql://…`, `sqlite:///file`, the path of an SQLite file
            or `memory://`, with the sandbox's defaults for the rest; or nothing, to read the environment.

    Raises:
        SettingsRefused: The environment is not as it must be.
        StartRefused: The keys or the file of rates are missing or will not do, or the database's schema is not this
            version's.
        StorageUnavailable: The database cannot be reached.
    """
    chosen = as_settings(settings)
    tokens = access_tokens(chosen)
    file = _rates_file(chosen)
    async with open_storage(chosen) as storage, _hashing(chosen) as passwords:
        batch = Batch(unit_of_work=storage.unit_of_work, clock=system_clock, identifiers=time_ordered_id)
        run_batch = retrying(batch.run, retry_limits(chosen))
        executor = GroupCommit(run_batch, group_limits(chosen), scheduling=storage.scheduling)
        try:
            gateway = _gateway(
                storage, executor, passwords, tokens, system_clock, time_ordered_id, limits=access_limits(chosen)
            )
            rates = storage.rates if file is None else file
            yield replace(gateway, quotes=replace(gateway.quotes, rates=rates, limits=quote_limits(chosen)))
        finally:
            await executor.close()


@asynccontextmanager
async def in_memory_gateway(
    *,
    one_by_one: bool = False,
    clock: Clock = system_clock,
    identifiers: Identifiers = time_ordered_id,
    database: MemoryDatabase | None = None,
) -> AsyncGenerator[Gateway]:
    """A whole gateway without files or network, for tests: fast passwords, a signing key of its own.

    Args:
        one_by_one: Give every command a transaction of its own, in place of group commit.
        clock: Tells the time.
        identifiers: Makes identifiers.
        database: Where everything is kept, for those who want to look into it. A new one unless it is given.
    """
    storage = memory_storage(database)
    batch = Batch(unit_of_work=storage.unit_of_work, clock=clock, identifiers=identifiers)
    run_batch = retrying(batch.run, RetryLimits())
    executor: Executor = (
        OneByOne(run_batch) if one_by_one else GroupCommit(run_batch, GroupLimits(), scheduling=storage.scheduling)
    )
    passwords = Argon2PasswordHasher(threads=1, time_cost=1, memory_cost_kibibytes=8)
    tokens = JoseAccessTokens(issuer="gateway", audience="gateway", signing_key=signing_key_from_pem(generate_pem()))
    try:
        yield _gateway(storage, executor, passwords, tokens, clock, identifiers, limits=AccessLimits())
    finally:
        await executor.close()
        await passwords.close()


def collect_garbage_seldom() -> None:
    """Tune Python's garbage collector for a process that serves: `gateway serve` does, and an embedding service may.

    What was loaded until now is never looked at again, and the rest seldom. Nearly nothing here is garbage in cycles:
    reference counts free the values of a request when it ends. With Python's defaults, a payment spends a fifth of its
    time on collections that find nothing (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def as_settings(settings: Settings | str | PathLike[str] | None) -> Settings:
    """All settings: those given, those of the environment, or the sandbox's defaults with this database."""
    if settings is None:
        return read_settings(os.environ)
    return settings if isinstance(settings, Settings) else Settings(database_url=fspath(settings))


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncGenerator[Storage]:
    """Open the database alone. The sandbox migrates it; production only looks whether it is this version's.

    Raises:
        StartRefused: It is not one for production, or its schema is not this version's.
        StorageUnavailable: It cannot be reached.
    """
    if settings.url == MEMORY_URL:
        if settings.environment == "production":
            raise StartRefused("Production keeps its ledger: set GATEWAY_DATABASE_URL to a Postgres.")
        yield memory_storage()
        return
    if settings.environment == "sandbox":
        await migrate_database(settings)
    elif settings.on_sqlite and not settings.allow_sqlite_in_production:
        raise StartRefused(
            "Production does not start on SQLite. Set GATEWAY_DATABASE_URL to a Postgres, or "
            "GATEWAY_ALLOW_SQLITE_IN_PRODUCTION=true if one process on one machine is enough."
        )
    else:
        await require_schema(settings)
    async with open_sql_storage(settings.url, sql_limits(settings)) as storage:
        yield storage


@asynccontextmanager
async def open_audit(settings: Settings) -> AsyncGenerator[Audit]:
    """Open the whole ledger as of one moment, to read alone: nothing is made, migrated or changed.

    Raises:
        StartRefused: There is no ledger, or its schema is not this version's.
        StorageUnavailable: It cannot be reached or read.
    """
    await require_schema(settings)
    async with sql_audit(settings.url, sql_limits(settings)) as audit:
        yield audit


async def require_schema(settings: Settings) -> None:
    """Look whether the database is there and has this version's tables. Nothing is made, migrated or changed.

    Raises:
        StartRefused: There is none, or its schema is another version's.
        StorageUnavailable: It cannot be reached or read.
    """
    if settings.url == MEMORY_URL:
        raise StartRefused("There is no ledger in memory:// but that of a running process.")
    _check_url(settings)
    schema = await schema_of(settings.url, sql_limits(settings))
    if schema is not Schema.CURRENT:
        raise StartRefused(_SCHEMAS_REFUSED[schema].format(url=without_password(settings.url)))


async def migrate_database(settings: Settings, *, tell: Callable[[str], None] | None = None) -> Plan:
    """Bring the database's schema to this version's.

    Args:
        settings: Which database it is.
        tell: Called with a sentence whenever the migration has to wait for others.

    Returns:
        What was done.

    Raises:
        SettingsRefused: Its URL is none of a database that the gateway can use.
        StartRefused: Its schema is of a newer version, or of another application.
        StorageUnavailable: It cannot be reached, or others do not give up their locks.
    """
    if settings.url == MEMORY_URL:
        return Plan("", "", ())
    _check_url(settings)
    if settings.on_sqlite:
        _make_folder(Path(str(sqlite_url(settings.url).database)).parent)
    with _schema_refused():
        return await migrate(settings.url, sql_limits(settings), tell=tell)


async def planned_migration(settings: Settings) -> Plan:
    """Look at what `migrate_database` would do. Nothing is made or changed.

    Raises:
        SettingsRefused: As for `migrate_database`.
        StartRefused: As for `migrate_database`.
        StorageUnavailable: It cannot be reached.
    """
    if settings.url == MEMORY_URL:
        return Plan("", "", ())
    _check_url(settings)
    with _schema_refused():
        return await planned(settings.url, sql_limits(settings))


@contextmanager
def _schema_refused() -> Generator[None]:
    try:
        yield
    except SchemaRefused as refused:
        raise StartRefused(_SCHEMAS_REFUSED[refused.schema]) from refused


def access_tokens(settings: Settings) -> AccessTokens:
    """Who signs and verifies access tokens.

    Raises:
        StartRefused: A key is missing or will not do.
    """
    try:
        return JoseAccessTokens(
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            signing_key=_signing_key(settings),
            verifying_keys=_previous_keys(settings),
            lifetime_seconds=settings.token_lifetime_seconds,
            leeway_seconds=settings.token_leeway_seconds,
        )
    except KeyRefused as refused:
        raise StartRefused(str(refused)) from refused


def cursor_keys(settings: Settings) -> JoseSignatures:
    """The keys that sign and verify the cursors of lists: those of access tokens.

    Raises:
        StartRefused: A key is missing or will not do.
    """
    try:
        return JoseSignatures(_signing_key(settings), _previous_keys(settings))
    except KeyRefused as refused:
        raise StartRefused(str(refused)) from refused


def sql_limits(settings: Settings) -> SqlLimits:
    """What the SQL adapter is told."""
    return SqlLimits(
        write_pool_size=settings.write_connections,
        pool_size=settings.database_pool_size,
        pool_timeout_seconds=settings.database_pool_timeout_seconds,
        connect_timeout_seconds=settings.database_connect_timeout_seconds,
        command_timeout_seconds=settings.database_command_timeout_seconds,
        lock_timeout_seconds=settings.database_lock_timeout_seconds,
        statement_timeout_seconds=settings.database_statement_timeout_seconds,
        idle_timeout_seconds=settings.database_idle_timeout_seconds,
        audit_timeout_seconds=settings.database_audit_timeout_seconds,
    )


def group_limits(settings: Settings) -> GroupLimits:
    """What group commit is told."""
    return GroupLimits(
        batch_size_max=settings.batch_size_max,
        waiting_max=settings.waiting_max,
        write_connections=settings.write_connections,
        close_seconds_max=settings.drain_seconds_max,
    )


def retry_limits(settings: Settings) -> RetryLimits:
    """How often a transaction is run again."""
    return RetryLimits(attempts_max=settings.retry_attempts_max, duration_seconds_max=settings.retry_seconds_max)


def access_limits(settings: Settings) -> AccessLimits:
    """How long sessions last, and how fast passwords may be tried."""
    return AccessLimits(
        session_seconds=settings.session_seconds,
        leeway_seconds=settings.token_leeway_seconds,
        free_tries=settings.login_free_tries,
        free_tries_of_an_address=settings.login_free_tries_of_an_address,
        backoff_seconds_max=settings.login_backoff_seconds_max,
    )


def quote_limits(settings: Settings) -> QuoteLimits:
    """How long quotes are good for."""
    return QuoteLimits(quote_seconds=settings.quote_seconds)


def _gateway(
    storage: Storage,
    submissions: Executor,
    passwords: PasswordHasher,
    tokens: AccessTokens,
    clock: Clock,
    identifiers: Identifiers,
    *,
    limits: AccessLimits,
) -> Gateway:
    executor = CommandExecutor(submissions, identifiers)
    access = Access(
        executor=executor,
        users=storage.users,
        sessions=storage.sessions,
        login_failures=storage.login_failures,
        passwords=passwords,
        tokens=tokens,
        clock=clock,
        identifiers=identifiers,
        limits=limits,
    )
    return Gateway(
        executor=executor,
        access=access,
        queries=Queries(storage.reader, clock),
        quotes=Quotes(executor=executor, rates=storage.rates, clock=clock),
        events=Events(storage.events),
        tokens=tokens,
        storage=storage,
    )


def _rates_file(settings: Settings) -> Rates | None:
    """Where rates come from instead of the database, if they do."""
    if not settings.rates_file:
        return None
    try:
        return FileRates(Path(settings.rates_file))
    except RatesFileRefused as refused:
        raise StartRefused(f"GATEWAY_RATES_FILE: {refused}") from refused


@asynccontextmanager
async def _hashing(settings: Settings) -> AsyncGenerator[PasswordHasher]:
    passwords = Argon2PasswordHasher(threads=settings.hashing_threads, waiting_max=settings.hashing_waiting_max)
    try:
        yield passwords
    finally:
        await passwords.close()


def _check_url(settings: Settings) -> None:
    try:
        check_url(settings.url)
    except ValueError as error:
        raise SettingsRefused(f"GATEWAY_DATABASE_URL cannot be used. {error}") from error


def _signing_key(settings: Settings) -> SigningKey:
    if settings.token_algorithm == "HS256":  # noqa: S105 - the name of an algorithm.
        return signing_key_from_secret(_text("token_secret", settings.token_secret, settings.token_secret_file).strip())
    pem = _text("token_private_key", settings.token_private_key, settings.token_private_key_file)
    if pem.strip():
        return signing_key_from_pem(pem)
    if settings.token_private_key_file:
        raise KeyRefused("GATEWAY_TOKEN_PRIVATE_KEY_FILE is empty.")
    if settings.environment == "production":
        raise KeyRefused(
            "Production needs a signing key of its own. Make one with "
            "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out signing-key.pem`, "
            "and set GATEWAY_TOKEN_PRIVATE_KEY_FILE=signing-key.pem."
        )
    _make_folder(Path(settings.data_dir))
    return keep_signing_key(Path(settings.data_dir))


def _previous_keys(settings: Settings) -> list[VerifyingKey]:
    pems = _text(
        "token_previous_public_keys", settings.token_previous_public_keys, settings.token_previous_public_keys_file
    )
    if _PUBLIC_KEY.sub("", pems).strip():
        raise KeyRefused("GATEWAY_TOKEN_PREVIOUS_PUBLIC_KEYS takes public keys as PEM, and nothing else.")
    return [verifying_key_from_pem(pem) for pem in _PUBLIC_KEY.findall(pems)]


def _text(field: str, text: str, file: str) -> str:
    """A setting which may stand in a file instead."""
    name = f"GATEWAY_{field.upper()}"
    if text and file:
        raise KeyRefused(f"Set {name} or {name}_FILE, not both.")
    if not file:
        # Where a variable cannot hold several lines, people write \n for their ends.
        return text.replace("\\n", "\n")
    try:
        return plain_text(Path(file).read_bytes())
    except (OSError, NotPlainText) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise KeyRefused(f"{name}_FILE cannot be read: {reason}.") from error


def _make_folder(folder: Path) -> None:
    """Make a folder that only we can look into. One that is there already stays as it is."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartRefused(f"The folder {folder} cannot be made: {error.strerror}.") from error
