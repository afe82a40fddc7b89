"""Connection strings of Postgres, in libpq's URI form and with what poolers and hosting services add to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from gateway.adapters.sql.connection_parameters import ConnectionStringRefused, Parameters, decoded

PORT: Final = 5432
PORT_MAX: Final = 65_535

_FORM: Final = re.compile(
    r"(?P<scheme>postgres(?:ql)?)(?:\+\w+)?://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<hosts>[^@/?#]*)(?:/(?P<database>[^/?#]*))?(?:\?(?P<query>[^#]*))?"
)
_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*)(?::(?P<port>[0-9]*))?")
_INTEGER: Final = re.compile(r"[0-9]{1,9}")

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSION_ATTRIBUTES: Final = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
SYSTEM_ROOTS: Final = "system"
"""The value of `sslrootcert` that stands for the certificates that the operating system trusts."""

_TLS: Final = (
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslrootcert",
    "sslcrl",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
)
"""Parameters about TLS that are handed on to asyncpg as they are."""
_HANDED_ON: Final = ("passfile", "krbsrvname", "gsslib")
_KEEPALIVES: Final = ("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")
_CACHES: Final = ("statement_cache_size", "prepared_statement_cache_size")
_ONLY: Final[Mapping[str, tuple[str, ...]]] = {
    "client_encoding": ("utf8", "utf-8", "auto", "unicode"),
    "gssencmode": ("disable", "prefer"),
    "load_balance_hosts": ("disable",),
    "requirepeer": (),
    "requiressl": ("0",),
    "require_auth": (),
    "replication": ("false", "off", "no", "0"),
    "sslcertmode": ("allow",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
    "uselibpqcompat": ("true",),
}
"""Parameters for which only these values mean what the gateway does anyway."""
_NOTES: Final = ("supa",)
"""Notes of hosting services to themselves."""
_ADVICE: Final[Mapping[str, str]] = {
    "hostaddr": "Write the address as the host.",
    "service": "Write out what the service file says.",
    "schema": "Set GATEWAY_DATABASE_SCHEMA, or write options=-c%20search_path%3Dname.",
    "search_path": "Set GATEWAY_DATABASE_SCHEMA, or write options=-c%20search_path%3Dname.",
    "connection_limit": "Set GATEWAY_WRITE_CONNECTIONS and GATEWAY_DATABASE_POOL_SIZE.",
    "pool_timeout": "Set GATEWAY_DATABASE_POOL_TIMEOUT_SECONDS.",
    "sslcrldir": "Use sslcrl, which names one file.",
}
_TRUE: Final = ("true", "1", "on", "yes")
_FALSE: Final = ("false", "0", "off", "no")

Host: TypeAlias = tuple[str, int]
"""A host name, an IP address or the folder of a Unix socket; and a port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionString:
    """What a connection string says. What it leaves out is empty or `None`.

    Attributes:
        hosts: To be tried in this order; empty for libpq's default.
        user: The role to log in as.
        password: Its password.
        database: The name of the database.
        ssl_mode: One of `SSL_MODES`.
        tls: Further parameters about TLS, by libpq's names.
        handed_on: Parameters that asyncpg takes by the same names.
        server_settings: Parameters of the server for each session: `application_name`, `options`.
        target_session_attrs: One of `SESSION_ATTRIBUTES`.
        connect_timeout_seconds: How long making a connection may take.
        keepalives: Parameters of TCP, by libpq's names; `tcp_user_timeout` in milliseconds, the others in seconds.
        statement_cache_size: How many prepared statements a session keeps; `None` for the driver's default. With 0 none
            has a name: a pooler that changes sessions between transactions would lose it.
    """

    hosts: tuple[Host, ...] = ()
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: str | None = None
    ssl_mode: str | None = None
    tls: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    handed_on: Mapping[str, str] = field(default_factory=dict[str, str])
    server_settings: Mapping[str, str] = field(default_factory=dict[str, str])
    target_session_attrs: str = "any"
    connect_timeout_seconds: float | None = None
    keepalives: Mapping[str, int] = field(default_factory=dict[str, int])
    statement_cache_size: int | None = None

    @property
    def is_pooled(self) -> bool:
        """Whether a pooler may give each transaction another session of the server."""
        return self.statement_cache_size == 0


def parse_connection_string(url: str) -> ConnectionString:
    """Read `postgresql://user:password@host:port,host:port/database?parameter=value`.

    Parts are percent-encoded. The parameters of libpq and of poolers are known.

    Raises:
        ConnectionStringRefused: It is none, or has a part that the gateway cannot honour.
    """
    found = _FORM.fullmatch(url)
    if found is None:
        raise ConnectionStringRefused(
            "It looks like postgresql://user:password@host:5432/name. "
            "In a user name or a password, characters such as @ : / ? # % are percent-encoded: %40 for @."
        )
    parameters = Parameters(found["query"] or "")
    hosts = _hosts(found["hosts"], parameters)
    ssl_mode = _ssl_mode(parameters)
    string = ConnectionString(
        hosts=hosts,
        user=_part(found["user"], parameters.last("user")),
        password=_part(found["password"], parameters.last("password")),
        database=_part(found["database"], parameters.last("dbname", "database")),
        ssl_mode=ssl_mode,
        tls=parameters.all_of(_TLS),
        handed_on=parameters.all_of(_HANDED_ON),
        server_settings=_server_settings(parameters),
        target_session_attrs=parameters.one_of(SESSION_ATTRIBUTES, "target_session_attrs") or "any",
        # As libpq: zero is no limit of its own.
        connect_timeout_seconds=parameters.whole_number("connect_timeout") or None,
        keepalives={name: value for name in _KEEPALIVES if (value := parameters.whole_number(name)) is not None},
        statement_cache_size=_statement_cache_size(parameters),
    )
    string = _authenticating_the_server(string, parameters.one_of(("disable", "prefer", "require"), "channel_binding"))
    _refuse_what_is_left(parameters)
    return string


def _part(text: str | None, parameter: str | None) -> str | None:
    """A part of the string, unless a parameter says the same; nothing if it is empty."""
    return parameter or decoded(text or "") or None


def _hosts(authority: str, parameters: Parameters) -> tuple[Host, ...]:
    """The hosts: of the parameter `host` if there is one, as in libpq, else those before the path."""
    texts = parameters.each("host") or (authority.split(",") if authority else [])
    ports = parameters.each("port")
    hosts = [_host(text) for text in texts]
    if not ports:
        return tuple(hosts)
    if not hosts:
        raise ConnectionStringRefused("The parameter port needs a host.")
    if len(ports) not in {1, len(hosts)}:
        raise ConnectionStringRefused("Give as many ports as hosts, or one port for all of them.")
    numbers = [_port(port) for port in ports] * (len(hosts) if len(ports) == 1 else 1)
    return tuple((name, number) for (name, _), number in zip(hosts, numbers, strict=True))


def _host(text: str) -> Host:
    plain = decoded(text)
    if plain.startswith("/"):
        return _socket_folder(plain)
    found = _HOST.fullmatch(plain)
    if found is None or not _is_host_name(found["name"]):
        raise ConnectionStringRefused(
            "A host is a name, an IP address (of IPv6 in brackets) or the folder of a Unix socket, and a colon with a "
            "port may follow. In a password, characters such as @ : / ? # % are percent-encoded."
        )
    return found["name"].strip("[]"), _port(found["port"] or "")


def _is_host_name(text: str) -> bool:
    if any(character.isspace() or not character.isprintable() for character in text):
        return False
    try:
        return bool(text.encode("idna"))
    except UnicodeError:  # An empty label, or one of more than 63 characters.
        return False


def _socket_folder(path: str) -> Host:
    """The folder of a Unix socket. `/folder:5433` has a port, `/cloudsql/project:region:name` has none."""
    folder, _, port = path.rpartition(":")
    return (folder, _port(port)) if folder and _INTEGER.fullmatch(port) else (path, PORT)


def _port(text: str) -> int:
    if not text:
        return PORT
    if not _INTEGER.fullmatch(text) or not 0 < int(text) <= PORT_MAX:
        raise ConnectionStringRefused(
            f"A port is a number from 1 to {PORT_MAX}. In a password, characters such as : and / are percent-encoded."
        )
    return int(text)


def _ssl_mode(parameters: Parameters) -> str | None:
    """`sslmode`, or `ssl=true` as some hosting services write it."""
    mode = parameters.one_of(SSL_MODES, "sslmode")
    ssl = parameters.one_of((*_TRUE, *_FALSE, *SSL_MODES), "ssl")
    if mode is not None or ssl is None:
        return mode
    return "require" if ssl in _TRUE else "disable" if ssl in _FALSE else ssl


def _server_settings(parameters: Parameters) -> Mapping[str, str]:
    name = parameters.last("application_name", "fallback_application_name")
    settings = {"application_name": name, "options": parameters.last("options")}
    return {setting: text for setting, text in settings.items() if text}


def _statement_cache_size(parameters: Parameters) -> int | None:
    sizes = [size for name in _CACHES if (size := parameters.whole_number(name)) is not None]
    if parameters.one_of((*_TRUE, *_FALSE), "pgbouncer") in _TRUE:
        return 0
    return min(sizes, default=None)


def _authenticating_the_server(string: ConnectionString, channel_binding: str | None) -> ConnectionString:
    """Honour `channel_binding=require`, which asyncpg cannot, with certificates: both find a man in the middle."""
    roots = string.tls.get("sslrootcert")
    if channel_binding == "require":
        if string.ssl_mode == "disable":
            raise ConnectionStringRefused("channel_binding=require needs TLS: use sslmode=verify-full.")
        return replace(string, ssl_mode="verify-full", tls={"sslrootcert": SYSTEM_ROOTS, **string.tls})
    if roots == SYSTEM_ROOTS:
        if string.ssl_mode not in {None, "verify-full"}:
            raise ConnectionStringRefused(f"sslrootcert={SYSTEM_ROOTS} needs sslmode=verify-full.")
        return replace(string, ssl_mode="verify-full")
    return string


def _refuse_what_is_left(parameters: Parameters) -> None:
    for name, permitted in _ONLY.items():
        parameters.one_of(permitted, name)
    parameters.all_of(_NOTES)
    for name in parameters:
        advice = _ADVICE.get(
            name, "Parameters have the names of libpq; settings of the server are options=-c%20name%3Dvalue."
        )
        raise ConnectionStringRefused(f"The gateway does not know the parameter {name}. {advice}")
