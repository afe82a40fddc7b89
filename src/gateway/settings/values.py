"""The values of all settings."""

from pathlib import Path
from typing import Annotated, Final, Literal, get_type_hints

import msgspec
from msgspec import Meta

from gateway.settings.exchange import ExchangeSettings
from gateway.settings.field import FORM, SettingField, SettingsRefused
from gateway.settings.forms import DATABASE, HOST, ORIGINS, PATH, PROXIES, PUBLIC_KEYS, ROOT_PATH, SCHEMA, SECRET
from gateway.settings.loopback import is_loopback
from gateway.settings.proxies import STRANGERS_TRUSTED, hold_strangers

DATABASE_FILE_NAME: Final = "gateway.sqlite3"


class Settings(ExchangeSettings, frozen=True, kw_only=True):
    """Every setting: `database_url` is `GATEWAY_DATABASE_URL` in the environment, and so on.

    This class and its base classes are the one table of them. Lengths of time are in seconds, sizes in bytes unless the
    name says otherwise. Made by `read_settings`, or directly by an embedding service; both are checked alike.

    Raises:
        SettingsRefused: When it is made: a value is of the wrong type, out of bounds or not of its form.
    """

    environment: Annotated[
        Literal["sandbox", "production"],
        Meta(
            description="`sandbox` makes its own signing key, migrates its database when it starts, and on loopback "
            "lets owners fund their own accounts. `production` does none of this."
        ),
    ] = "sandbox"
    data_dir: Annotated[
        str,
        Meta(
            min_length=1,
            description="The folder for the embedded database and the sandbox's signing key.",
            extra={FORM: PATH},
        ),
    ] = ".gateway"
    database_url: Annotated[
        str,
        Meta(
            description="`postgresql://user:password@host:5432/name` or `postgres://…` with parameters of libpq and "
            "several hosts ([which](operations.md#connection-strings)), `sqlite:///file` or just a file name. When "
            f"empty, the SQLite file `{DATABASE_FILE_NAME}` in the data folder.",
            extra={FORM: DATABASE},
        ),
    ] = ""
    database_schema: Annotated[
        str,
        Meta(
            description="The schema of all tables, on Postgres; `gateway migrate` makes it. When empty, the first one "
            "of the role's search path.",
            extra={FORM: SCHEMA},
        ),
    ] = ""
    allow_sqlite_in_production: Annotated[
        bool, Meta(description="Start on SQLite in production: one process on one machine, without fail-over.")
    ] = False

    host: Annotated[str, Meta(min_length=1, description="The address to listen on.", extra={FORM: HOST})] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535, description="The port to listen on.")] = 8000
    workers: Annotated[int, Meta(ge=1, le=256, description="Processes that serve. More than one needs Postgres.")] = 1
    root_path: Annotated[
        str,
        Meta(
            pattern="^(/[^/]+)*$",
            description="The path under which a reverse proxy serves the API: `/gateway`. It may strip it or not.",
            extra={FORM: ROOT_PATH},
        ),
    ] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses or networks of reverse proxies, separated by commas: their `X-Forwarded-For` is "
            "trusted. When empty, none is. Production refuses `*` and networks that hold most of the internet.",
            extra={FORM: PROXIES},
        ),
    ] = ()
    cors_allowed_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins whose scripts may call the API from browsers, separated by commas: "
            "`https://shop.example`. When empty, none.",
            extra={FORM: ORIGINS},
        ),
    ] = ()
    requests_max: Annotated[
        int, Meta(ge=1, description="Requests that one process handles at the same time; one more gets 503.")
    ] = 2048
    shutdown_seconds: Annotated[int, Meta(ge=1, description="How long running requests may take after SIGTERM.")] = 30
    body_bytes_max: Annotated[int, Meta(ge=1024, description="The largest request body.")] = 65_536
    body_seconds_max: Annotated[float, Meta(gt=0, description="How long a request body may take to arrive.")] = 10.0
    request_seconds_max: Annotated[
        float, Meta(gt=0, description="How long a request may take; then 503, and the same key is safe to send again.")
    ] = 30.0

    token_issuer: Annotated[str, Meta(min_length=1, description="`iss` of access tokens.")] = "gateway"  # noqa: S105 - a name.
    token_audience: Annotated[str, Meta(min_length=1, description="`aud` of access tokens.")] = "gateway"  # noqa: S105 - a name.
    token_algorithm: Annotated[
        Literal["ES256", "HS256"],
        Meta(
            description="`ES256` signs with a private key, and others verify with the public one (`/.well-known/"
            "jwks.json`); `HS256` uses a shared secret."
        ),
    ] = "ES256"  # noqa: S105 - a name.
    token_private_key: Annotated[
        str, Meta(description="The ES256 private key (curve P-256), as unencrypted PEM.", extra={FORM: SECRET})
    ] = ""
    token_private_key_file: Annotated[str, Meta(description="A file with the private key.", extra={FORM: PATH})] = ""
    token_secret: Annotated[
        str, Meta(description="The HS256 secret: at least 32 bytes, drawn at random.", extra={FORM: SECRET})
    ] = ""
    token_secret_file: Annotated[str, Meta(description="A file with the secret.", extra={FORM: PATH})] = ""
    token_previous_public_keys: Annotated[
        str,
        Meta(
            description="Further public keys that verify tokens, as PEM, one after the other: of the previous or the "
            "next private key.",
            extra={FORM: PUBLIC_KEYS},
        ),
    ] = ""
    token_previous_public_keys_file: Annotated[
        str, Meta(description="A file with the public keys.", extra={FORM: PATH})
    ] = ""
    token_lifetime_seconds: Annotated[int, Meta(ge=1, le=3600, description="How long an access token is valid.")] = 900
    token_leeway_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=300,
            description="How far the clocks of servers may differ: an access token is valid so long before its `iat`, "
            "but not after its `exp`.",
        ),
    ] = 30
    session_seconds: Annotated[int, Meta(ge=60, description="How long an unused refresh token is valid.")] = 2_592_000

    write_connections: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Batches that one process has in flight at once, each on its own Postgres connection. With 2, "
            "the next batch is decided while one commits. One more connection is for submissions that are blocked.",
        ),
    ] = 2
    drain_seconds_max: Annotated[
        float, Meta(gt=0, description="How long waiting requests are still handled when the gateway closes.")
    ] = 10.0
    retry_attempts_max: Annotated[
        int, Meta(ge=1, le=100, description="How often a transaction is run at most, if it does not commit.")
    ] = 5
    retry_seconds_max: Annotated[float, Meta(gt=0, description="How long it is retried; then 503.")] = 5.0

    worker_in_serve: Annotated[
        Literal["auto", "true", "false"],
        Meta(
            description="Whether `gateway serve` does the work of `gateway worker` too. `auto` is `true` in the "
            "sandbox and `false` in production."
        ),
    ] = "auto"
    expiry_interval_seconds: Annotated[
        float, Meta(gt=0, description="How often a worker looks for payments to expire.")
    ] = 1.0
    expiry_batch_size: Annotated[int, Meta(ge=1, le=1000, description="How many payments it expires at once.")] = 256

    database_pool_size: Annotated[
        int,
        Meta(
            ge=1,
            description="Postgres connections of one process for look-ups and lists, beside `write_connections`.",
        ),
    ] = 8
    database_access_pool_size: Annotated[
        int,
        Meta(
            ge=1,
            description="Postgres connections of one process for logins, sessions and readiness, beside "
            "`database_pool_size`: slow lists do not hold them up.",
        ),
    ] = 2
    database_pool_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long to wait for a free connection.")
    ] = 2.0
    database_connect_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long connecting may take, unless the URL has a `connect_timeout`.")
    ] = 3.0
    database_command_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long to wait for the result of one statement.")
    ] = 8.0
    database_lock_timeout_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="How long to wait for a lock, or for a running request with the same key.",
        ),
    ] = 2.0
    database_statement_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long the database may run one statement.")
    ] = 5.0
    database_idle_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long a transaction of a hung process keeps its locks.")
    ] = 10.0
    database_audit_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long one statement of `gateway verify` may take.")
    ] = 600.0

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The lowest level that is logged.")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"],
        Meta(description="`auto` is `console` on a terminal in the sandbox, and `json` elsewhere."),
    ] = "auto"
    access_log: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            description="Whether `gateway serve` logs a line for each request. `auto` is `on`, unless `log_level` "
            "excludes `info`."
        ),
    ] = "auto"

    def __post_init__(self) -> None:
        """Check values made in Python as strictly as values of the environment."""
        problems: list[str] = []
        for name, field in FIELDS.items():
            try:
                field.check(getattr(self, name))
            except SettingsRefused as refused:
                problems.append(str(refused))
        if problems:
            raise SettingsRefused("\n".join(problems))
        if self.environment == "production" and hold_strangers(self.trusted_proxies):
            raise SettingsRefused(STRANGERS_TRUSTED)

    @property
    def url(self) -> str:
        """The URL of the database, whatever form `database_url` has."""
        if "://" in self.database_url:
            return self.database_url
        path = Path(self.database_url) if self.database_url else Path(self.data_dir, DATABASE_FILE_NAME)
        return f"sqlite:///{path.resolve()}"

    def __repr__(self) -> str:
        """What differs from the defaults, without secrets: a value like this ends up in tracebacks and logs."""
        changed = (field for name, field in FIELDS.items() if getattr(self, name) != field.default)
        shown = (f"{field.name}={field.shown(getattr(self, field.name))!r}" for field in changed)
        return f"Settings({', '.join(shown)})"

    @property
    def worker_runs_in_serve(self) -> bool:
        """Whether what serves does the work of a worker too."""
        if self.worker_in_serve == "auto":
            return self.environment == "sandbox"
        return self.worker_in_serve == "true"

    @property
    def serves_docs(self) -> bool:
        """Whether the pages of the documentation are served."""
        return self.environment == "sandbox" if self.docs == "auto" else self.docs == "true"

    @property
    def owners_may_deposit(self) -> bool:
        """Whether owners may fund their own accounts."""
        chosen = is_loopback(self.host) if self.owner_deposits == "auto" else self.owner_deposits == "true"
        return chosen and self.environment == "sandbox"

    @property
    def logs_requests(self) -> bool:
        """Whether what serves logs a line for each request."""
        if self.access_log == "auto":
            return self.log_level in {"debug", "info"}
        return self.access_log == "on"

    @property
    def on_sqlite(self) -> bool:
        """Whether the database is SQLite, which one process may write."""
        return self.url.startswith("sqlite")

    @property
    def on_postgres(self) -> bool:
        """Whether the database is Postgres, which any number of processes may write."""
        return self.url.startswith(("postgresql", "postgres:"))


_HINTS: Final = get_type_hints(Settings, include_extras=True)
_OWN: Final = Settings.__annotations__
FIELDS: Final = {
    field.name: SettingField(field.name, _HINTS[field.name], field.default)
    for field in sorted(msgspec.structs.fields(Settings), key=lambda field: field.name not in _OWN)
}
"""Every setting by its name: those of the class itself in its order, then those of the classes that it inherits."""
