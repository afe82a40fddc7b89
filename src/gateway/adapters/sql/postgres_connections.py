"""Making connections to Postgres: one way for units of work, for everything else, and for migrations and audits."""

import os
import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.

from gateway.adapters.sql.connection_parameters import ConnectionStringRefused
from gateway.adapters.sql.connection_string import (
    SYSTEM_ROOTS,
    ConnectionString,
    Host,
    parse_connection_string,
)
from gateway.adapters.sql.errors import CONNECTION_ERRORS
from gateway.adapters.sql.limits import SqlLimits

CHECK_AFTER_IDLE_SECONDS: Final = 0.25
"""A connection that was idle for longer is checked before it is used: a firewall may have forgotten it meanwhile."""
CHECK_SECONDS_MAX: Final = 1.0
"""How long the answer to this check may take."""

KEEPALIVES: Final[Mapping[str, int]] = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""TCP's own checks, by libpq's names, unless the connection string says otherwise. They keep idle connections known to
firewalls, and end those whose peer is gone within 20 s. `tcp_user_timeout` is in milliseconds."""
_SOCKET_OPTIONS: Final[Mapping[str, str]] = {
    "keepalives_idle": "TCP_KEEPIDLE",
    "keepalives_interval": "TCP_KEEPINTVL",
    "keepalives_count": "TCP_KEEPCNT",
    "tcp_user_timeout": "TCP_USER_TIMEOUT",
}
"""Their names in Python's `socket`. An operating system may lack some of them."""

DURABLE: Final = frozenset({"on", "remote_apply"})
"""Values of `synchronous_commit` with which nothing that was acknowledged is lost."""

POOLED_SETTINGS: Final = frozenset({"application_name", "timezone"})
"""The parameters of a session that every pooler keeps for its clients. PgBouncer refuses others."""

SEARCH_PATH: Final = "search_path"

_DEFAULT_ROOTS: Final = Path("~/.postgresql/root.crt")
"""Where libpq and asyncpg look for trusted certificates unless they are told."""

_NEXT_HOST: Final = (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched)
"""Why another host may do: there is no server, it is starting or stopping, or it has another part to play."""


class CheckedConnection(asyncpg.Connection):  # type: ignore[misc]  # as above.
    """A connection that knows when it was used last, and can tell whether it is alive."""

    used_at = 0.0
    """When it was used last, by `time.monotonic`."""

    @property
    def may_be_dead(self) -> bool:
        """Whether it was idle for so long that it has to be checked."""
        return time.monotonic() - self.used_at > CHECK_AFTER_IDLE_SECONDS

    def touch(self) -> None:
        """It was used just now."""
        self.used_at = time.monotonic()

    async def is_alive(self) -> bool:
        """Ask the server for something. It has a second to answer; a connection that is not alive is closed."""
        try:
            await cast("Any", asyncpg.Connection).execute(self, "SELECT 1", timeout=CHECK_SECONDS_MAX)
        except (*CONNECTION_ERRORS, asyncpg.PostgresError):
            self.terminate()
            return False
        self.touch()
        return True


class WriteConnection(CheckedConnection):
    """A connection of units of work."""


def connect_seconds_max(url: str, limits: SqlLimits) -> float:
    """How long making a connection may take: as the connection string says, or else the limits.

    Raises:
        ConnectionStringRefused: It is none.
    """
    return parse_connection_string(url).connect_timeout_seconds or limits.connect_timeout_seconds


class Connector:
    """Makes connections to the hosts of one connection string.

    The host that answered last is tried first, and the time for a connection is shared out among the hosts: one that
    is silent leaves time for the others.
    """

    def __init__(self, url: str, limits: SqlLimits, settings: Mapping[str, str]) -> None:
        """Nothing is connected yet.

        Args:
            url: A connection string.
            limits: How long connecting and each statement may take.
            settings: Parameters of each session. Behind a pooler only `POOLED_SETTINGS` are told; the role of the
                gateway has the others then (docs/operations.md).

        Raises:
            ConnectionStringRefused: It is none, or names files that cannot be read.
        """
        string = parse_connection_string(url)
        self._hosts: list[Host | None] = list(string.hosts) or [None]
        self._keepalives = {**KEEPALIVES, **string.keepalives}
        self._attributes = string.target_session_attrs
        self._seconds_of_a_host = connect_seconds_max(url, limits) / len(self._hosts)
        self.statement_cache_size = string.statement_cache_size
        self._arguments = _arguments(string, limits, settings)

    async def connect(self, *_: Any, **arguments: Any) -> CheckedConnection:
        """A new connection, as `asyncpg.connect` makes one. Each host is tried once, or twice for `prefer-standby`.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError: There is none.
        """
        if self._attributes == "prefer-standby":
            try:
                return await self._first("standby", arguments)
            except _NEXT_HOST:
                return await self._first("any", arguments)
        return await self._first(self._attributes, arguments)

    async def _first(self, attributes: str, arguments: Mapping[str, Any]) -> CheckedConnection:
        failure: Exception | None = None
        for host in tuple(self._hosts):
            try:
                connection = await self._connect(host, attributes, arguments)
            except _NEXT_HOST as error:
                failure = failure or error
                continue
            if host != self._hosts[0]:
                self._hosts = [host, *(each for each in self._hosts if each != host)]
            return connection
        raise failure or OSError("There is no host.")

    async def _connect(self, host: Host | None, attributes: str, arguments: Mapping[str, Any]) -> CheckedConnection:
        where = {} if host is None else {"host": host[0], "port": host[1]}
        connection: CheckedConnection = await cast("Any", asyncpg).connect(
            **{"connection_class": CheckedConnection, **arguments, **self._arguments, **where},
            target_session_attrs=attributes,
            timeout=self._seconds_of_a_host,
        )
        try:
            await _require_durable_commits(connection, self._seconds_of_a_host)
        except BaseException:
            connection.terminate()
            raise
        connection.touch()
        _keep_alive(connection, self._keepalives)
        return connection


async def _require_durable_commits(connection: CheckedConnection, seconds_max: float) -> None:
    """Look whether a commit is durable when it is acknowledged: a pooler may not have told the session to do so."""
    question = "SELECT current_setting('synchronous_commit')"
    setting = await cast("Any", connection).fetchval(question, timeout=seconds_max)
    if setting not in DURABLE:
        raise asyncpg.ClientConfigurationError(
            f"synchronous_commit of the role has to be on, not {setting}: ALTER ROLE name SET synchronous_commit = on"
        )


def _arguments(string: ConnectionString, limits: SqlLimits, settings: Mapping[str, str]) -> dict[str, Any]:
    """What `asyncpg.connect` is told, but the host and the time it may take."""
    _refuse_missing_files(string)
    if string.is_pooled and SEARCH_PATH in settings:
        raise ConnectionStringRefused(
            "A pooler keeps no schema for its clients. Give it to the role in place of GATEWAY_DATABASE_SCHEMA: "
            "ALTER ROLE name SET search_path = schema."
        )
    if string.is_pooled:
        settings = {name: text for name, text in settings.items() if name in POOLED_SETTINGS}
    given: dict[str, Any] = {"user": string.user, "password": string.password, "database": string.database}
    if string.statement_cache_size is not None:
        given["statement_cache_size"] = string.statement_cache_size
    if string.tls.get("sslrootcert") == SYSTEM_ROOTS:
        given["ssl"] = system_context(string.tls)
    elif string.tls or string.ssl_mode is not None:
        # asyncpg takes these from a connection string alone.
        mode = {} if string.ssl_mode is None else {"sslmode": string.ssl_mode}
        given["dsn"] = f"postgresql://?{urlencode({**string.tls, **mode})}"
    return {
        **{name: value for name, value in given.items() if value is not None},
        **string.handed_on,
        "command_timeout": limits.command_timeout_seconds,
        "server_settings": {**settings, **string.server_settings},
    }


def system_context(tls: Mapping[str, str]) -> ssl.SSLContext:
    """TLS that trusts the certificate authorities of the operating system, and shows a certificate if one is named."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Debian's Python leaves it to OpenSSL.
    if "sslcert" in tls:
        context.load_cert_chain(tls["sslcert"], tls.get("sslkey"), tls.get("sslpassword"))
    return context


def _refuse_missing_files(string: ConnectionString) -> None:
    for name in ("sslcert", "sslkey", "sslrootcert", "sslcrl"):
        file = string.tls.get(name)
        if file is None or (name == "sslrootcert" and file == SYSTEM_ROOTS):
            continue
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise ConnectionStringRefused(f"The file of {name} cannot be read: {error.strerror}.") from error
    if string.ssl_mode in {"verify-ca", "verify-full"} and not _has_roots(string):
        raise ConnectionStringRefused(
            f"sslmode={string.ssl_mode} needs sslrootcert=file, or sslrootcert={SYSTEM_ROOTS} for the certificates "
            "that the operating system trusts."
        )


def _has_roots(string: ConnectionString) -> bool:
    return "sslrootcert" in string.tls or "PGSSLROOTCERT" in os.environ or _DEFAULT_ROOTS.expanduser().exists()


def _keep_alive(connection: Any, keepalives: Mapping[str, int]) -> None:
    """Have TCP find out whether the peer is still there. A Unix socket needs nothing of it."""
    opened = connection._transport.get_extra_info("socket")  # noqa: SLF001 - asyncpg has no public way to its socket.
    if opened is None or opened.family not in {socket.AF_INET, socket.AF_INET6} or not keepalives["keepalives"]:
        return
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, option in _SOCKET_OPTIONS.items():
        if keepalives[name] and hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), keepalives[name])
