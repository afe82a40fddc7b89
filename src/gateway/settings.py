"""Every setting, in one frozen value that is read once."""

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from gateway.domain.quote import QUOTE_SECONDS_DEFAULT, QUOTE_SECONDS_MAX, QUOTE_SECONDS_MIN
from gateway.setting_forms import (
    DATABASE,
    HOST,
    ORIGINS,
    PATH,
    PROXIES,
    PUBLIC_KEYS,
    ROOT_PATH,
    SECRET,
    TEXT,
    Form,
    fits_all,
)

PREFIX: Final = "GATEWAY_"
TEST_PREFIX: Final = "GATEWAY_TEST_"
"""Names that belong to this project's tests."""
DATABASE_FILE_NAME: Final = "gateway.sqlite3"

_PASSWORD: Final = re.compile(r"(?<=://)([^:@/?]*):.*@")
_SECRET_PARAMETER: Final = re.compile(r"(?<=[?&])([^=&]*(?:password|secret|token|key)[^=&]*)=[^&]*", re.IGNORECASE)
_NUMBERS: Final = {int: re.compile(r"-?[0-9]{1,18}"), float: re.compile(r"[0-9]{1,18}(\.[0-9]+)?")}
_WHOLE_NUMBER_MAX: Final = 10**18
_FORM: Final = "form"
"""Where a setting's metadata have the form of its text; `TEXT` unless it says so."""


class SettingsRefused(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """The settings cannot be used; the message says what to do, one line for each problem."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting: `database_url` is `GATEWAY_DATABASE_URL` in the environment, and so on.

    This class is the one table of them. Lengths of time are in seconds, sizes in bytes unless the name says otherwise.
    Made by `read_settings`, or directly by an embedding service; both are checked alike.

    Raises:
        SettingsRefused: When it is made: a value is of the wrong type, out of bounds or not of its form.
    """

    environment: Annotated[
        Literal["sandbox", "production"],
        Meta(
            description="`sandbox` looks after itself: it makes its own signing key, migrates its database when it "
            "starts, and lets owners fund their own accounts. `production` does none of this."
        ),
    ] = "sandbox"
    data_dir: Annotated[
        str,
        Meta(
            min_length=1,
            description="The folder for the embedded database and the sandbox's signing key.",
            extra={_FORM: PATH},
        ),
    ] = ".gateway"
    database_url: Annotated[
        str,
        Meta(
            description="`postgresql://user:password@host:5432/name` or `postgres://…` with parameters of libpq and "
            "several hosts ([which](operations.md#connection-strings)), `sqlite:///file` or just a file name. When "
            f"empty, the SQLite file `{DATABASE_FILE_NAME}` in the data folder.",
            extra={_FORM: DATABASE},
        ),
    ] = ""
    allow_sqlite_in_production: Annotated[
        bool, Meta(description="Start on SQLite in production: one process on one machine, without fail-over.")
    ] = False

    host: Annotated[str, Meta(min_length=1, description="The address to listen on.", extra={_FORM: HOST})] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535, description="The port to listen on.")] = 8000
    workers: Annotated[int, Meta(ge=1, le=256, description="Processes that serve. More than one needs Postgres.")] = 1
    root_path: Annotated[
        str,
        Meta(
            pattern="^(/[^/]+)*$",
            description="The path under which a reverse proxy serves the API: `/gateway`. It may strip it or not.",
            extra={_FORM: ROOT_PATH},
        ),
    ] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses or networks of reverse proxies, separated by commas: their `X-Forwarded-For` is "
            "believed. When empty, nobody's is.",
            extra={_FORM: PROXIES},
        ),
    ] = ()
    cors_allowed_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins whose scripts may call the API from browsers, separated by commas: "
            "`https://shop.example`. When empty, none.",
            extra={_FORM: ORIGINS},
        ),
    ] = ()
    requests_max: Annotated[
        int, Meta(ge=1, description="Requests that one process answers at the same time; one more gets 503.")
    ] = 2048
    keep_alive_seconds: Annotated[int, Meta(ge=1, description="How long an idle connection is kept open.")] = 75
    shutdown_seconds: Annotated[
        int, Meta(ge=1, description="How long running requests may take to end after SIGTERM.")
    ] = 30
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
            "jwks.json`); `HS256` with a shared secret."
        ),
    ] = "ES256"  # noqa: S105 - a name.
    token_private_key: Annotated[
        str, Meta(description="The ES256 private key (curve P-256), as unencrypted PEM.", extra={_FORM: SECRET})
    ] = ""
    token_private_key_file: Annotated[str, Meta(description="The file that holds it instead.", extra={_FORM: PATH})] = (
        ""
    )
    token_secret: Annotated[
        str, Meta(description="The HS256 secret: at least 32 bytes, drawn at random.", extra={_FORM: SECRET})
    ] = ""
    token_secret_file: Annotated[str, Meta(description="The file that holds it instead.", extra={_FORM: PATH})] = ""
    token_previous_public_keys: Annotated[
        str,
        Meta(
            description="Public keys that verify tokens too, as PEM, one after the other: of a private key that was "
            "replaced, or of the next one.",
            extra={_FORM: PUBLIC_KEYS},
        ),
    ] = ""
    token_previous_public_keys_file: Annotated[
        str, Meta(description="The file that holds them instead.", extra={_FORM: PATH})
    ] = ""
    token_lifetime_seconds: Annotated[int, Meta(ge=1, le=3600, description="How long an access token is good for.")] = (
        900
    )
    token_leeway_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=300,
            description="How far the clocks of servers may be apart: an access token is good for so long before it was "
            "issued, by the clock of whoever verifies it. It ends when it says.",
        ),
    ] = 30
    session_seconds: Annotated[
        int, Meta(ge=60, description="How long a refresh token is good for, if it is not used.")
    ] = 2_592_000
    login_free_tries: Annotated[
        int, Meta(ge=1, description="Failed logins in a row before the next has to wait: 1 s, then 2, 4 …")
    ] = 5
    login_free_tries_of_an_address: Annotated[
        int, Meta(ge=1, description="The same, for all accounts tried from one address, which may be a whole office.")
    ] = 50
    login_backoff_seconds_max: Annotated[int, Meta(ge=1, description="The longest such wait.")] = 60
    hashing_threads: Annotated[
        int, Meta(ge=1, le=64, description="Passwords that one process checks at the same time.")
    ] = 2
    hashing_waiting_max: Annotated[int, Meta(ge=0, description="Logins that may wait for that; one more gets 503.")] = (
        64
    )

    quote_seconds: Annotated[
        int,
        Meta(
            ge=QUOTE_SECONDS_MIN,
            le=QUOTE_SECONDS_MAX,
            description="How long the rate of a quote is good for.",
        ),
    ] = QUOTE_SECONDS_DEFAULT
    rates_file: Annotated[
        str,
        Meta(
            description="A JSON file that rates come from, read again when it changes. When empty, they are in the "
            "database, and operators set them.",
            extra={_FORM: PATH},
        ),
    ] = ""

    write_connections: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Batches that one process has under way at once, each on its own Postgres connection. With 2, "
            "the next one is decided while one commits.",
        ),
    ] = 2
    batch_size_max: Annotated[int, Meta(ge=1, le=1000, description="Requests that share one transaction.")] = 256
    waiting_max: Annotated[int, Meta(ge=1, description="Requests that wait for a batch; one more gets 503.")] = 4096
    drain_seconds_max: Annotated[
        float, Meta(gt=0, description="How long what still waits is worked on when the gateway closes.")
    ] = 10.0
    retry_attempts_max: Annotated[
        int, Meta(ge=1, le=100, description="How often a transaction that did not commit is run in all.")
    ] = 5
    retry_seconds_max: Annotated[float, Meta(gt=0, description="How long it is run again; then 503.")] = 5.0

    worker_in_serve: Annotated[
        Literal["auto", "true", "false"],
        Meta(
            description="Whether `gateway serve` does the work of `gateway worker` too. `auto` is `true` in the "
            "sandbox and `false` in production."
        ),
    ] = "auto"
    expiry_interval_seconds: Annotated[
        float, Meta(gt=0, description="How often a worker looks for payments whose time is over.")
    ] = 1.0
    expiry_batch_size: Annotated[int, Meta(ge=1, le=1000, description="How many of them it ends at once.")] = 256

    database_pool_size: Annotated[
        int, Meta(ge=1, description="Postgres connections of one process for look-ups and logins, beside its lanes.")
    ] = 8
    database_pool_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long to wait for a free connection.")
    ] = 2.0
    database_connect_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long making a connection may take, unless the URL has a `connect_timeout`.")
    ] = 3.0
    database_command_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long to wait for the database's answer to one statement.")
    ] = 8.0
    database_lock_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long a statement may wait for a lock.")
    ] = 2.0
    database_statement_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long the database works on one statement.")
    ] = 5.0
    database_idle_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long a transaction of a process that hangs keeps its locks.")
    ] = 10.0
    database_audit_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long one statement of `gateway verify` may take.")
    ] = 600.0

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least important lines that are logged.")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"],
        Meta(description="`auto` is `console` on a terminal in the sandbox, and `json` elsewhere."),
    ] = "auto"
    access_log: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            description="Whether `gateway serve` logs a line for each request. `auto` is `on`, unless `log_level` "
            "leaves out lines of the level `info`."
        ),
    ] = "auto"

    def __post_init__(self) -> None:
        """Refuse what the environment would be refused."""
        problems = [_problem(field, getattr(self, field)) for field in _HINTS]
        if any(problems):
            raise SettingsRefused("\n".join(filter(None, problems)))

    @property
    def url(self) -> str:
        """The URL of the database, whatever form `database_url` has."""
        if "://" in self.database_url:
            return self.database_url
        path = Path(self.database_url) if self.database_url else Path(self.data_dir, DATABASE_FILE_NAME)
        return f"sqlite:///{path.resolve()}"

    def __repr__(self) -> str:
        """What differs from the defaults, without secrets: a value like this ends up in tracebacks and logs."""
        changed = (field for field in _HINTS if getattr(self, field) != _DEFAULTS[field])
        return f"Settings({', '.join(f'{field}={_shown(field, getattr(self, field))!r}' for field in changed)})"

    @property
    def serve_works(self) -> bool:
        """Whether what serves does the work of a worker too."""
        if self.worker_in_serve == "auto":
            return self.environment == "sandbox"
        return self.worker_in_serve == "true"

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


class Source(StrEnum):
    """Where the value of a setting comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    FLAG = "flag"


class Shown(NamedTuple):
    """A setting as people may see it."""

    name: str
    value: str
    source: Source


def read_settings(environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Settings:
    """Read the settings, once and strictly.

    Args:
        environ: Variables by name; those without the prefix `GATEWAY_` are somebody else's.
        flags: Values by the name of their field, which win: `{"port": "8001"}`.

    Raises:
        SettingsRefused: A value is of the wrong type or out of bounds, or a name is none of a setting.
    """
    texts = _from_environ(environ) | {field.upper(): text for field, text in (flags or {}).items()}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, text in texts.items():
        field = _FIELDS.get(name)
        if field is None:
            problems.append(_unknown(name))
            continue
        try:
            values[field] = _converted(field, text)
            problem = _problem(field, values[field])
        except msgspec.ValidationError:
            problem = _refusal(field, text)
        if problem is not None:
            problems.append(problem)
    if problems:
        raise SettingsRefused("\n".join(problems))
    return Settings(**values)


def show_settings(
    settings: Settings, environ: Mapping[str, str], flags: Mapping[str, str] | None = None
) -> Iterator[Shown]:
    """Each setting with where it comes from; secrets are hidden, also the password in the database's URL."""
    from_environ = _from_environ(environ)
    for field in _HINTS:
        if field in (flags or {}):
            source = Source.FLAG
        elif field.upper() in from_environ:
            source = Source.ENVIRONMENT
        else:
            source = Source.DEFAULT
        value = settings.url if field == "database_url" else getattr(settings, field)
        yield Shown(variable(field), _shown(field, value), source)


def settings_markdown() -> str:
    """The page `docs/settings.md`."""
    rows = [
        f"| `{variable(field)}` | {_value_in_words(field)} | {default_in_words(field)} | {description(field)} |"
        for field in _HINTS
    ]
    return "\n".join([_PAGE, "| variable | value | default | |", "|---|---|---|---|", *rows, ""])


def variable(field: str) -> str:
    """The environment's name for a setting."""
    return PREFIX + field.upper()


def flag_fields() -> list[str]:
    """The settings that may be flags of a command: all but secrets."""
    return [field for field in _HINTS if not _form(field).secret]


def description(field: str) -> str:
    """What a setting is for."""
    return _meta(field).description or ""


def choices(field: str) -> tuple[str, ...]:
    """The values that a setting takes; empty if they are too many to name."""
    plain = get_args(_HINTS[field])[0]
    if plain is bool:
        return ("true", "false")
    return get_args(plain) if get_origin(plain) is Literal else ()


def default_in_words(field: str) -> str:
    """The value of a setting that nobody has set; empty if that is nothing."""
    default = _DEFAULTS[field]
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default or default == 0 else ""


def without_password(url: str) -> str:
    """A database's URL as it may be shown."""
    return _SECRET_PARAMETER.sub(r"\1=***", _PASSWORD.sub(r"\1:***@", url))


_HINTS: Final[dict[str, Any]] = get_type_hints(Settings, include_extras=True)
_FIELDS: Final = {field.upper(): field for field in _HINTS}
_DEFAULTS: Final[dict[str, Any]] = {field.name: field.default for field in msgspec.structs.fields(Settings)}
_PAGE: Final = """# Settings

Every setting is an environment variable, read once at the start. An unknown name that begins with `GATEWAY_` is
refused, and so is a value of the wrong type or out of bounds. `gateway settings` shows what is in force and where it
comes from; secrets stay hidden. Every command that reads settings takes each of them but secrets as a flag too, which
wins: `GATEWAY_DATA_DIR` is `--data-dir`.

Kubernetes gives every container variables named after its Services. If one is called `gateway`, they would be taken for
settings: give the Service another name, or set `enableServiceLinks: false`.

This page is made by `gateway settings --markdown`.
"""


def _from_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The gateway's own variables, by what they are called without the prefix: a field's name in capitals."""
    return {
        name.removeprefix(PREFIX): text
        for name, text in environ.items()
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX)
    }


def _converted(field: str, text: str) -> Any:
    hint = _HINTS[field]
    plain = get_args(hint)[0]
    if get_origin(plain) is tuple:
        return msgspec.convert([part.strip() for part in text.split(",") if part.strip()], hint)
    # Alone, msgspec would read "0.99" followed by enough nines as 1, and "inf" as a time.
    if plain in _NUMBERS and not _NUMBERS[plain].fullmatch(text):
        raise msgspec.ValidationError
    return msgspec.convert(text, hint, strict=False)


def _problem(field: str, value: Any) -> str | None:
    """What is wrong with a value, in a sentence, wherever it comes from."""
    return None if _is_valid(field, value) else _refusal(field, value)


def _is_valid(field: str, value: Any) -> bool:
    try:
        # `1 == True` and `("a",) == ["a"]` are settled by the types: msgspec takes no number for a truth value, and
        # makes a tuple of a list.
        if msgspec.convert(value, _HINTS[field]) != value:
            return False
    except msgspec.ValidationError:
        return False
    if isinstance(value, str):
        return not value or _form(field).fits(value)
    if isinstance(value, tuple):
        return fits_all(_form(field), value)  # pyright: ignore[reportUnknownArgumentType]  # As `_shown`.
    return isinstance(value, bool) or (math.isfinite(value) and value < _WHOLE_NUMBER_MAX)


def _refusal(field: str, value: Any) -> str:
    shown = ",".join(map(str, value)) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # Of anything.
    given = "this" if _form(field).secret or _form(field).password else repr(shown)
    return f"{variable(field)} cannot be {given}. It takes {_value_in_words(field)}."


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), _HINTS, n=1)
    advice = f"Did you mean {variable(near[0])}?" if near else "`gateway settings` lists them all."
    return f"{PREFIX}{name} is no setting. {advice}"


def _value_in_words(field: str) -> str:
    plain = get_args(_HINTS[field])[0]
    meta = _meta(field)
    if get_origin(plain) is Literal:
        words = " or ".join(f"`{choice}`" for choice in get_args(plain))
    elif get_origin(plain) is tuple:
        words = _form(field).words
    elif plain is bool:
        words = "`true` or `false`"
    elif plain is float:
        words = f"a number above {meta.gt}"
    elif plain is int:
        words = f"a whole number from {meta.ge}" + ("" if meta.le is None else f" to {meta.le}")
    else:
        words = _form(field).words
    return words


def _shown(field: str, value: Any) -> str:
    if _form(field).secret:
        return "(hidden)" if value else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value)  # pyright: ignore[reportUnknownArgumentType]  # Every tuple of a setting is of texts.
    return without_password(str(value)) if _form(field).password else str(value)


def _meta(field: str) -> Meta:
    meta: Meta = _HINTS[field].__metadata__[0]
    return meta


def _form(field: str) -> Form:
    form: Form = (_meta(field).extra or {}).get(_FORM, TEXT)
    return form
