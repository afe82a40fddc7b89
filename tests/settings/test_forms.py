"""The forms of settings: what is no path, address, URL or list is refused, read or made in Python, in a sentence."""

import math
from pathlib import Path
from typing import Any

import pytest

from gateway.bootstrap.wiring import open_gateway
from gateway.domain.risk_limits import RISK_LIMIT_FORMS
from gateway.settings.field import SettingsRefused
from gateway.settings.forms import DATABASE
from gateway.settings.reader import read_settings
from gateway.settings.values import FIELDS, Settings

RANDOM = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
SECRETS = {"token_secret", "token_private_key"}
TEXTS = [field for field in Settings.__struct_fields__ if isinstance(getattr(Settings(), field), str)]
PLAIN_TEXTS = [field for field in TEXTS if not field.startswith("token_previous_public_keys") and field not in SECRETS]
PATHS = ["data_dir", "rates_file", *(field for field in TEXTS if field.endswith("_file"))]


def made(**values: Any) -> Settings:
    """Settings as an embedder makes them who uses no type checker."""
    return Settings(**values)


@pytest.mark.parametrize("field", PLAIN_TEXTS)
@pytest.mark.parametrize("bad", ["a\r", "a\n", "a\tb", "a\0", "\ufeffa", "a\u202e", "a\x7f", " a", "a ", "'a'", '"a"'])
def test_no_text_has_control_characters_or_blanks_or_quotes_around_it(field: str, bad: str) -> None:
    with pytest.raises(SettingsRefused, match=f"^{FIELDS[field].variable} cannot be"):
        read_settings({FIELDS[field].variable: bad})
    with pytest.raises(SettingsRefused, match=f"^{FIELDS[field].variable} cannot be"):
        made(**{field: bad})


@pytest.mark.parametrize("field", sorted(SECRETS))
def test_no_secret_begins_with_a_byte_order_mark(field: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        made(**{field: f"\ufeff{RANDOM}"})

    assert str(refused.value) == f"{FIELDS[field].variable} cannot be this. It takes text without a byte-order mark."


@pytest.mark.parametrize("field", [*PATHS, "database_url"])
@pytest.mark.parametrize("path", ["~", "~/gw", "~ada/gw", "$HOME/gw", "file:///gw", "sqlite:gw.db", "/gw?/data"])
def test_a_path_that_only_a_shell_would_understand_is_refused(field: str, path: str) -> None:
    if field == "database_url":
        path = path.replace("file://", "sqlite:///~/gw.db\n")
    with pytest.raises(SettingsRefused, match=f"^{FIELDS[field].variable} cannot be"):
        read_settings({FIELDS[field].variable: path})


@pytest.mark.parametrize(
    "url",
    [
        "host=db password=hunter2 dbname=gateway",
        "postgres//db/gateway",
        "localhost/gateway",
        "gateway@db/gateway",
        "password = hunter2",
        "postgresql:gateway:hunter2@db",
        "gateway:hunter2@db/gateway",
        "sqlite:///~/hunter2.db",
        "postgresql://gateway:hunter2@db/gateway\r",
    ],
)
def test_a_database_that_is_no_url_and_no_file_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsRefused) as by_environment:
        read_settings({"GATEWAY_DATABASE_URL": url})
    with pytest.raises(SettingsRefused) as by_python:
        Settings(database_url=url)

    assert str(by_environment.value) == f"GATEWAY_DATABASE_URL cannot be this. It takes {DATABASE.words}."
    assert str(by_python.value) == str(by_environment.value)
    assert "postgresql://user:password@host:5432/name" in DATABASE.words


@pytest.mark.parametrize("host", ["localhost:8000", "http://localhost", "[::1]", "10.0.0.256", "a b", "*", "a/b"])
def test_a_host_is_an_address_or_a_name(host: str) -> None:
    with pytest.raises(SettingsRefused, match=r"^GATEWAY_HOST cannot be"):
        read_settings({"GATEWAY_HOST": host})


@pytest.mark.parametrize("host", ["192.0.2.1", "::", "fe80::1%eth0", "localhost", "my_service", "api.example.com."])
def test_addresses_and_names_are_hosts(host: str) -> None:
    assert read_settings({"GATEWAY_HOST": host}).host == host


@pytest.mark.parametrize("path", ["/a b", "/a?b", "/a#b", "/a%20b", "/../a", "/a/.", "/a\\b", "//a", "/a\n"])
def test_a_root_path_is_a_path_as_requests_have_it(path: str) -> None:
    with pytest.raises(SettingsRefused, match=r"^GATEWAY_ROOT_PATH cannot be"):
        read_settings({"GATEWAY_ROOT_PATH": path})


@pytest.mark.parametrize(
    "proxies", ["10.0.0.1/8", "proxy", "10.0.0.1;10.0.0.2", "*, 10.0.0.1", "10.0.0.0/8 ::1", "::1/129"]
)
def test_proxies_that_would_trust_nobody_are_refused(proxies: str) -> None:
    with pytest.raises(SettingsRefused, match=r"^GATEWAY_TRUSTED_PROXIES cannot be"):
        read_settings({"GATEWAY_TRUSTED_PROXIES": proxies})
    with pytest.raises(SettingsRefused, match=r"^GATEWAY_TRUSTED_PROXIES cannot be"):
        Settings(trusted_proxies=tuple(proxies.split(", ")))


def test_all_proxies_may_be_trusted() -> None:
    assert read_settings({"GATEWAY_TRUSTED_PROXIES": "*"}).trusted_proxies == ("*",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", "8000"),
        ("port", True),
        ("port", 0),
        ("port", 8000.0),
        ("port", None),
        ("requests_max", 10**40),
        ("retry_seconds_max", math.inf),
        ("retry_seconds_max", math.nan),
        ("retry_seconds_max", -1),
        ("retry_seconds_max", True),
        ("environment", "staging"),
        ("allow_sqlite_in_production", "false"),
        ("allow_sqlite_in_production", 0),
        ("trusted_proxies", "10.0.0.0/8"),
        ("trusted_proxies", ["10.0.0.0/8"]),
        ("trusted_proxies", ("10.0.0.0/33",)),
        ("data_dir", Path("data")),
        ("data_dir", ""),
        ("token_secret", b"secret"),
        ("database_url", None),
    ],
)
def test_settings_made_in_python_are_checked_as_strictly(field: str, value: object) -> None:
    with pytest.raises(SettingsRefused, match=f"^{FIELDS[field].variable} cannot be .*It takes "):
        made(**{field: value})


def test_all_problems_of_settings_made_in_python_are_told_at_once_and_no_secrets() -> None:
    wrong: dict[str, Any] = {"port": 0, "workers": 0, "token_secret": RANDOM.encode()}

    with pytest.raises(SettingsRefused) as refused:
        made(**wrong)

    assert len(str(refused.value).splitlines()) == 3
    assert RANDOM not in str(refused.value)


async def test_an_embedder_cannot_open_a_gateway_on_a_wrong_database() -> None:
    with pytest.raises(SettingsRefused, match=r"^GATEWAY_DATABASE_URL cannot be this"):
        async with open_gateway("host=db password=hunter2"):
            pass


@pytest.mark.parametrize(
    "origins", ["*", "https://shop.example", "http://localhost:3000, https://shop.example:8443", "http://[::1]:3000"]
)
def test_origins_are_taken_as_browsers_send_them(origins: str) -> None:
    assert read_settings({"GATEWAY_CORS_ALLOWED_ORIGINS": origins}).cors_allowed_origins == tuple(origins.split(", "))


@pytest.mark.parametrize(
    "origins",
    [
        "shop.example",
        "https://shop.example/",
        "https://shop.example/path",
        "https://Shop.example",
        "https://shop.example:443",
        "http://shop.example:80",
        "https://*.shop.example",
        "https://user@shop.example",
        "ftp://shop.example",
        "null",
        "https://shop.example, *",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(origins: str) -> None:
    with pytest.raises(SettingsRefused, match=r"^GATEWAY_CORS_ALLOWED_ORIGINS cannot be"):
        read_settings({"GATEWAY_CORS_ALLOWED_ORIGINS": origins})


@pytest.mark.parametrize(
    "url",
    [
        "nats://localhost",
        "nats://10.0.0.1:4222",
        "tls://[::1]:4222",
        "tls://user:pass%40word@nats.example.com:4222",
        "nats://a:4222,nats://b:4222, tls://c",
    ],
)
def test_urls_of_nats_servers_are_accepted(url: str) -> None:
    assert read_settings({"GATEWAY_EVENTS_NATS_URL": url}).events_nats_url == url


@pytest.mark.parametrize(
    "url",
    [
        "localhost:4222",
        "http://localhost:4222",
        "nats://",
        "nats://:4222",
        "nats://a:99999999",
        "nats://a,",
        "nats://a/b",
        "nats://token@a",
        "nats://user:hunter2@hunter2@a",
        "nats://user:hunter2@a b",
        "ws://a",
    ],
)
def test_other_urls_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_settings({"GATEWAY_EVENTS_NATS_URL": url})
    assert str(refused.value).startswith(
        "GATEWAY_EVENTS_NATS_URL cannot be this. It takes URLs such as `nats://host:4222`"
    )


def test_passwords_of_nats_urls_are_hidden() -> None:
    settings = Settings(events_nats_url="nats://one:hunter2@a:4222,nats://two:hunter3@b:4222")
    assert "hunter" not in repr(settings) + FIELDS["events_nats_url"].shown(settings.events_nats_url)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        *(("events_nats_stream", bad) for bad in ("a.b", "a b", "a*", "a>", "")),
        *(("events_nats_subject", bad) for bad in ("a..b", ".a", "a.", "a b", "a.*", ">", "")),
    ],
)
def test_names_of_streams_and_subjects_have_no_wildcards_and_no_blanks(field: str, bad: str) -> None:
    with pytest.raises(SettingsRefused, match=f"^{FIELDS[field].variable} cannot be"):
        made(**{field: bad})


def test_webhook_destinations_are_lists() -> None:
    settings = read_settings(
        {"GATEWAY_WEBHOOK_ALLOWED_ADDRESSES": "10.0.0.7, fd00::7", "GATEWAY_WEBHOOK_PORTS": "443, 9000"}
    )

    assert settings.webhook_allowed_addresses == ("10.0.0.7", "fd00::7")
    assert settings.webhook_ports == ("443", "9000")
    assert read_settings({"GATEWAY_WEBHOOK_PORTS": "*"}).webhook_ports == ("*",)


@pytest.mark.parametrize("addresses", ["*", "10.0.0.0/8", "localhost", "127.1", "0x7f000001", "10.0.0.7, *"])
def test_only_exact_addresses_are_allowed_to_webhooks(addresses: str) -> None:
    with pytest.raises(SettingsRefused, match=r"^GATEWAY_WEBHOOK_ALLOWED_ADDRESSES cannot be"):
        read_settings({"GATEWAY_WEBHOOK_ALLOWED_ADDRESSES": addresses})


@pytest.mark.parametrize("ports", ["0", "65536", "https", "-1", "080", "443, *", "４４３"])  # noqa: RUF001 - full-width digits.
def test_what_is_no_port_is_refused(ports: str) -> None:
    with pytest.raises(SettingsRefused, match=r"^GATEWAY_WEBHOOK_PORTS cannot be"):
        read_settings({"GATEWAY_WEBHOOK_PORTS": ports})


@pytest.mark.parametrize("variable", ["GATEWAY_RISK_REFUSE", "GATEWAY_RISK_REVIEW"])
def test_a_list_with_a_bad_limit_is_told_all_forms_of_limits(variable: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_settings({variable: "count.1h=10, amount.USD=5"})
    assert [form for form in RISK_LIMIT_FORMS if f"`{form}`" not in str(refused.value)] == []
