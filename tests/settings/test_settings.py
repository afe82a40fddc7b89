"""Settings are read once and strictly, shown without secrets, and explained on one page."""

import contextlib
from pathlib import Path

import pytest

from gateway.settings.database_url import without_password
from gateway.settings.field import SettingsRefused
from gateway.settings.forms import PATH, PROXIES
from gateway.settings.markdown import settings_markdown
from gateway.settings.reader import Source, read_settings, show_settings
from gateway.settings.values import FIELDS, Settings

RANDOM = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
"""As random as a secret must be."""


def test_without_variables_every_setting_has_its_default() -> None:
    assert read_settings({"HOME": "/root", "PATH": "/bin"}) == Settings()


def test_variables_are_read_into_their_types() -> None:
    settings = read_settings(
        {
            "GATEWAY_PORT": "9000",
            "GATEWAY_RETRY_SECONDS_MAX": "2.5",
            "GATEWAY_ALLOW_SQLITE_IN_PRODUCTION": "true",
            "GATEWAY_ENVIRONMENT": "production",
            "GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "GATEWAY_LOG_FORMAT": "json",
        }
    )

    assert settings == Settings(
        port=9000,
        retry_seconds_max=2.5,
        allow_sqlite_in_production=True,
        environment="production",
        trusted_proxies=("10.0.0.0/8", "::1"),
        log_format="json",
    )


@pytest.mark.parametrize(
    ("name", "text", "takes"),
    [
        ("GATEWAY_PORT", "80a", "a whole number from 1 to 65535"),
        ("GATEWAY_PORT", "0", "a whole number from 1 to 65535"),
        ("GATEWAY_PORT", "8000.0", "a whole number from 1 to 65535"),
        ("GATEWAY_PORT", "0.99999999999999999999", "a whole number from 1 to 65535"),
        ("GATEWAY_PORT", "", "a whole number from 1 to 65535"),
        ("GATEWAY_REQUESTS_MAX", "9" * 40, "a whole number from 1"),
        ("GATEWAY_SESSION_SECONDS", "1000000000001", "a whole number from 60 to 1000000000"),
        ("GATEWAY_WEBHOOK_LEASE_SECONDS", "99999999999999999", "a number above 0, up to 1000000000"),
        ("GATEWAY_WEBHOOK_TIMEOUT_SECONDS", "301", "a number above 0, up to 300"),
        ("GATEWAY_RETRY_SECONDS_MAX", "inf", "a number above 0, up to 1000000000"),
        ("GATEWAY_RETRY_SECONDS_MAX", "nan", "a number above 0, up to 1000000000"),
        ("GATEWAY_RETRY_SECONDS_MAX", "0", "a number above 0, up to 1000000000"),
        ("GATEWAY_ENVIRONMENT", "staging", "`sandbox` or `production`"),
        ("GATEWAY_ALLOW_SQLITE_IN_PRODUCTION", "perhaps", "`true` or `false`"),
        ("GATEWAY_ROOT_PATH", "gateway/", "a path such as `/gateway`, without a slash at its end"),
        ("GATEWAY_HOST", "", "an IP address or a host name, without a port"),
        ("GATEWAY_TRUSTED_PROXIES", "10.0.0.0/33", PROXIES.words),
        ("GATEWAY_DATA_DIR", "~/gw", PATH.words),
        ("GATEWAY_DATA_DIR", "data\r", PATH.words),
    ],
)
def test_a_value_that_will_not_do_is_refused_with_what_would(name: str, text: str, takes: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_settings({name: text})

    assert str(refused.value) == f"{name} cannot be {text!r}. It takes {takes}."


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("GATEWAY_DATABASE_ULR", "Did you mean GATEWAY_DATABASE_URL?"),
        ("GATEWAY_port", "Did you mean GATEWAY_PORT?"),
        ("GATEWAY_XYZZY", "`gateway settings` lists them all."),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name: str, advice: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_settings({name: "1"})

    assert str(refused.value) == f"{name} is no setting. {advice}"


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_settings({"GATEWAY_PORT": "x", "GATEWAY_WORKERS": "y"})

    assert len(str(refused.value).splitlines()) == 2


def test_names_of_tests_are_nobodys_business() -> None:
    assert read_settings({"GATEWAY_TEST_POSTGRES_URL": "postgresql://"}) == Settings()


def test_flags_win_over_the_environment() -> None:
    assert read_settings({"GATEWAY_PORT": "1"}, {"port": "2"}).port == 2


def test_where_a_value_comes_from_is_shown() -> None:
    environ, flags = {"GATEWAY_PORT": "1", "GATEWAY_HOST": "::1"}, {"port": "2"}

    shown = {row.name: row for row in show_settings(read_settings(environ, flags), environ, flags)}

    assert shown["GATEWAY_PORT"][1:] == ("2", Source.FLAG)
    assert shown["GATEWAY_HOST"][1:] == ("::1", Source.ENVIRONMENT)
    assert shown["GATEWAY_WORKERS"][1:] == ("1", Source.DEFAULT)


def test_secrets_are_neither_shown_nor_printed() -> None:
    settings = Settings(
        token_secret=RANDOM,
        token_private_key=RANDOM,
        database_url=f"postgresql://gateway:{RANDOM}@db/gateway?sslpassword={RANDOM}&sslmode=require",
    )

    told = "\n".join(row.value for row in show_settings(settings, {})) + repr(settings)

    assert RANDOM not in told
    assert "postgresql://gateway:***@db/gateway?sslpassword=***&sslmode=require" in told


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://gateway:hunter2@db/gateway",
        "postgresql://gateway:hun#ter2/@db/gateway",
        "postgresql://gateway:hunter2@hunter2@db/gateway",
        "postgresql://:hunter2@db/gateway",
        "postgresql://db/gateway?user=gateway&password=hunter2",
    ],
)
def test_a_password_is_hidden_wherever_it_stands_in_a_url(url: str) -> None:
    shown = without_password(url)

    assert "ter2" not in shown
    assert "@db/gateway" in shown or "//db/gateway" in shown


@pytest.mark.parametrize("url", ["sqlite:////var/lib/gateway.sqlite3", "postgresql://gateway@db/gateway", "memory://"])
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert without_password(url) == url


def test_the_database_is_a_file_in_the_data_folder_unless_it_is_said(tmp_path: Path) -> None:
    assert Settings(data_dir=str(tmp_path)).url == f"sqlite:///{tmp_path}/gateway.sqlite3"
    assert Settings(database_url=str(tmp_path / "other.db")).url == f"sqlite:///{tmp_path}/other.db"
    assert Settings(database_url="postgresql://db/gateway").url == "postgresql://db/gateway"


def test_the_page_of_settings_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"

    # If not: gateway settings --markdown > docs/settings.md
    assert page.read_text(encoding="utf-8") == settings_markdown()


@pytest.mark.parametrize("name", sorted(FIELDS))
@pytest.mark.parametrize("text", ["\udcff", "true\ud800", "1\udcff"])
def test_bytes_that_are_not_utf_8_are_no_value_and_no_traceback(name: str, text: str) -> None:
    with contextlib.suppress(SettingsRefused):
        read_settings({f"GATEWAY_{name.upper()}": text})
    with contextlib.suppress(SettingsRefused):
        FIELDS[name].check(text)
