"""The forms of settings that are texts: what a path, an address, a URL or a key looks like."""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from gateway.domain.risk_limits import RISK_LIMIT_FORMS, is_risk_limit


class Form(NamedTuple):
    """The form of a text.

    Attributes:
        words: The form in words: the end of the sentence "It takes …".
        fits: Tells whether a text that is not empty has this form.
        secret: The value is never shown.
        password: The value is a URL, shown without its password.
        everything: In a list, the text `*` alone stands for everything.
    """

    words: str
    fits: Callable[[str], bool]
    secret: bool = False
    password: bool = False
    everything: bool = False


_BYTE_ORDER_MARK: Final = "\ufeff"
_QUOTES: Final = ("'", '"')
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""The beginning of a URL. A single letter is a Windows drive."""
_KEYWORD: Final = re.compile(r"\s*\w+\s*=")
"""The beginning of a connection string in libpq's keyword form, `host=… password=…`."""
_URL_WITHOUT_SCHEME: Final = re.compile(r"@|(?<=.)//|^postgres(ql)?/|^localhost/")
"""What tells a mistyped URL such as `postgres//localhost/name` from the name of an SQLite file."""
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_ORIGIN: Final = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:(?P<port>[1-9][0-9]{0,4}))?")
_NATS_URL: Final = re.compile(
    r"(nats|tls)://([^\s,:@/?#]+:[^\s,:@/?#]+@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^\s,@:/?#\[\]]+)(:[1-9][0-9]{0,4})?"
)
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_NATS_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_NATS_SUBJECT: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_SECONDS_MAX: Final = 20
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_PORT_MAX: Final = 65_535
_NUMBERS_ALONE: Final = re.compile(r"[0-9.]+")


def _is_clean(text: str) -> bool:
    """No control or invisible characters, no surrounding blanks or quotes (`docker --env-file` keeps both)."""
    quoted = text.startswith(_QUOTES) and text.endswith(text[0])
    return text.isprintable() and text == text.strip() and not quoted


def _is_path(text: str) -> bool:
    # A question mark would begin the parameters of an SQLite URL.
    return _is_clean(text) and "?" not in text and not text.startswith(("~", "$")) and not _SCHEME.match(text)


def _is_host(text: str) -> bool:
    return _is_address(text) or bool(_HOST_NAME.fullmatch(text) and not _NUMBERS_ALONE.fullmatch(text))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    return bool(_PORT.fullmatch(text)) and int(text) <= _PORT_MAX


def _are_seconds(text: str) -> bool:
    parts = [part.strip() for part in text.split(",")]
    return len(parts) <= _SECONDS_MAX and all(_SECONDS.fullmatch(part) and float(part) > 0 for part in parts)


def _is_database(text: str) -> bool:
    if "://" not in text:
        return _is_path(text) and not _KEYWORD.match(text) and not _URL_WITHOUT_SCHEME.search(text)
    scheme, _, rest = text.partition("://")
    return _is_clean(text) and not _KEYWORD.match(text) and not (scheme.startswith("sqlite") and rest.startswith("/~"))


def _is_root_path(text: str) -> bool:
    segments = text.split("/")[1:]
    return _is_clean(text) and not re.search(r"[\s?#%\\]", text) and not {".", ".."} & set(segments)


def _is_origin(text: str) -> bool:
    """As browsers send it: without the default port of the scheme."""
    found = _ORIGIN.fullmatch(text)
    return (
        found is not None
        and _is_host(found["host"].strip("[]"))
        and (found["scheme"], found["port"]) not in {("http", "80"), ("https", "443")}
    )


def _are_nats_urls(text: str) -> bool:
    found = [_NATS_URL.fullmatch(url.strip()) for url in text.split(",")]
    return all(url is not None and _is_host(url["host"].strip("[]")) for url in found)


def _is_nats_name(text: str) -> bool:
    return bool(_NATS_NAME.fullmatch(text))


def _is_nats_subject(text: str) -> bool:
    return bool(_NATS_SUBJECT.fullmatch(text))


def _is_schema(text: str) -> bool:
    return not text or bool(_SCHEMA.fullmatch(text) and not text.startswith("pg_"))


def _has_no_byte_order_mark(text: str) -> bool:
    return not text.startswith(_BYTE_ORDER_MARK) and "\0" not in text


TEXT: Final = Form("text without control characters, and without blanks or quotes around it", _is_clean)
PATH: Final = Form("a path without control characters and `?`, and without `~`, which only a shell expands", _is_path)
HOST: Final = Form("an IP address or a host name, without a port", _is_host)
PROXIES: Final = Form(
    "IP addresses or networks such as `10.0.0.0/8`, separated by commas; or `*`", _is_network, everything=True
)
ORIGINS: Final = Form(
    "origins such as `https://shop.example`, separated by commas; or `*`", _is_origin, everything=True
)
ADDRESSES: Final = Form("IP addresses such as `10.0.0.7`, separated by commas", _is_address)
SECONDS: Final = Form("up to 20 positive numbers of seconds, separated by commas", _are_seconds)
PORTS: Final = Form("port numbers, separated by commas; or `*`", _is_port, everything=True)
ROOT_PATH: Final = Form("a path such as `/gateway`, without a slash at its end", _is_root_path)
DATABASE: Final = Form(
    "`postgresql://user:password@host:5432/name` (not `host=… password=…`), `sqlite:///file` or a file name, "
    "without control characters and `~`",
    _is_database,
    password=True,
)
SCHEMA: Final = Form("up to 63 lower-case letters, digits and `_`, not `pg_…`", _is_schema)
NATS_URLS: Final = Form(
    "URLs such as `nats://host:4222`, `tls://host:4222` or `tls://user:password@host:4222`, separated by commas",
    _are_nats_urls,
    password=True,
)
NATS_NAME: Final = Form("letters, digits, `-` and `_`", _is_nats_name)
NATS_SUBJECT: Final = Form("letters, digits, `-` and `_`, in parts separated by dots", _is_nats_subject)
RISK_LIMITS: Final = Form(
    f"limits separated by commas, each like {', '.join(f'`{form}`' for form in RISK_LIMIT_FORMS[:-1])} "
    f"or `{RISK_LIMIT_FORMS[-1]}`",
    is_risk_limit,
)
SECRET: Final = Form("text without a byte-order mark", _has_no_byte_order_mark, secret=True)
PUBLIC_KEYS: Final = Form("public keys as PEM, without a byte-order mark", _has_no_byte_order_mark)


def fits_all(form: Form, texts: tuple[str, ...]) -> bool:
    """Whether every text of a list has the form. `*` means everything, where that is possible, and is the only text."""
    return (form.everything and texts == ("*",)) or all(form.fits(text) for text in texts)
