"""Settings are read once and strictly, shown without secrets, and explained on one page."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.adapters.http import HttpLimits
from gateway.adapters.jose.keys import generate_pem
from gateway.adapters.sql import SqlLimits
from gateway.application.access.limits import AccessLimits
from gateway.application.engine.group_commit import GroupLimits
from gateway.application.engine.retry import RetryLimits
from gateway.application.quotes import QuoteLimits
from gateway.bootstrap import (
    StartRefused,
    access_limits,
    access_tokens,
    cursor_keys,
    group_limits,
    open_gateway,
    quote_limits,
    retry_limits,
    sql_limits,
)
from gateway.contracts.records import USD
from gateway.domain.money import Money
from gateway.domain.user import UserId
from gateway.entrypoints.api import http_limits
from gateway.settings.database_url import without_password
from gateway.settings.field import SettingsRefused
from gateway.settings.forms import PATH, PROXIES
from gateway.settings.markdown import settings_markdown
from gateway.settings.reader import Source, read_settings, show_settings
from gateway.settings.values import FIELDS, Settings

RANDOM = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
"""As random as a secret must be."""


def public_pem(private_pem: str) -> str:
    public = load_pem_private_key(private_pem.encode(), password=None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_without_variables_every_setting_has_its_default() -> None:
    assert read_settings({"HOME": "/root", "PATH": "/bin"}) == Settings()


def test_the_limits_default_to_what_each_part_defaults_to() -> None:
    settings = Settings()

    assert sql_limits(settings) == SqlLimits(write_pool_size=settings.write_connections)
    assert group_limits(settings) == GroupLimits()
    assert group_limits(Settings(database_url="postgresql://db/gateway", write_connections=3)) == GroupLimits(
        write_connections=3
    )
    assert retry_limits(settings) == RetryLimits()
    assert access_limits(settings) == AccessLimits()
    assert quote_limits(settings) == QuoteLimits()
    assert http_limits(settings) == HttpLimits()


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
        ("GATEWAY_RETRY_SECONDS_MAX", "inf", "a number above 0"),
        ("GATEWAY_RETRY_SECONDS_MAX", "nan", "a number above 0"),
        ("GATEWAY_RETRY_SECONDS_MAX", "0", "a number above 0"),
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


async def test_the_sandbox_makes_itself_a_private_folder_with_a_private_key(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    async with open_gateway(Settings(data_dir=str(folder))):
        pass

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "signing-key.pem").stat().st_mode) == 0o600
    assert (folder / "gateway.sqlite3").stat().st_size > 0


async def test_production_does_not_start_without_a_key(tmp_path: Path) -> None:
    await refused_to_start(Settings(environment="production", data_dir=str(tmp_path)), "needs a signing key")


async def test_production_does_not_start_with_a_secret_that_can_be_guessed(tmp_path: Path) -> None:
    settings = read_settings(
        {
            "GATEWAY_ENVIRONMENT": "production",
            "GATEWAY_DATA_DIR": str(tmp_path),
            "GATEWAY_TOKEN_ALGORITHM": "HS256",
            "GATEWAY_TOKEN_SECRET": "change-me" * 8,
        }
    )

    await refused_to_start(settings, "can be guessed")


async def test_production_does_not_start_on_sqlite_by_accident(tmp_path: Path) -> None:
    await refused_to_start(
        Settings(environment="production", data_dir=str(tmp_path), token_private_key=generate_pem()),
        "GATEWAY_ALLOW_SQLITE_IN_PRODUCTION",
    )


async def test_production_does_not_start_in_memory() -> None:
    await refused_to_start(
        Settings(environment="production", database_url="memory://", token_private_key=generate_pem()),
        "keeps its ledger",
    )


async def test_production_migrates_nothing_by_itself(tmp_path: Path) -> None:
    settings = Settings(
        environment="production",
        data_dir=str(tmp_path),
        allow_sqlite_in_production=True,
        token_private_key=generate_pem(),
    )

    await refused_to_start(settings, "gateway migrate")


async def test_a_url_of_another_database_is_refused() -> None:
    with pytest.raises(SettingsRefused, match=r"begins with postgresql:// or sqlite:///\.$"):
        async with open_gateway(Settings(database_url="mysql://db/gateway", token_private_key=generate_pem())):
            pass


async def test_a_file_of_rates_must_be_there_to_begin_with(tmp_path: Path) -> None:
    settings = Settings(database_url="memory://", data_dir=str(tmp_path), rates_file=str(tmp_path / "rates.json"))
    with pytest.raises(StartRefused, match=r"GATEWAY_RATES_FILE: .*rates\.json is no file of rates: No such file"):
        async with open_gateway(settings):
            pass


async def test_rates_come_from_the_file_and_quotes_last_as_long_as_it_is_set(tmp_path: Path) -> None:
    file = tmp_path / "rates.json"
    file.write_text('[{"from_currency":"EUR","to_currency":"USD","rate":"1.5"}]')
    settings = Settings(database_url="memory://", data_dir=str(tmp_path), rates_file=str(file), quote_seconds=7)
    async with open_gateway(settings) as gateway:
        [rate] = await gateway.quotes.all_rates()
        quote = await gateway.quotes.quote(UserId("usr_1"), rate.pair, Money(3, USD))
    assert (quote.source.amount_minor, quote.expires_at - quote.created_at) == (2, timedelta(seconds=7))


def test_keys_are_read_from_files_too(tmp_path: Path) -> None:
    pem = generate_pem()
    file = tmp_path / "key.pem"
    file.write_text(pem, encoding="ascii")

    by_file = access_tokens(Settings(token_private_key_file=str(file))).jwks()

    assert by_file == access_tokens(Settings(token_private_key=pem)).jwks()
    # As people write several lines where a variable holds but one.
    assert by_file == access_tokens(Settings(token_private_key=pem.replace("\n", "\\n"))).jwks()


@pytest.mark.parametrize("field", ["token_private_key", "token_secret", "token_previous_public_keys"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"\ufeff{RANDOM}".encode(), "it begins with a byte-order mark"),
        (RANDOM.encode("utf-16"), "it is UTF-16"),
        (RANDOM.encode("utf-16-le"), "it has NUL characters"),
        (b"\xe9" * 40, "it is not UTF-8"),
    ],
)
def test_a_file_of_keys_is_plain_text(tmp_path: Path, field: str, content: bytes, reason: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    pem = {} if field == "token_private_key" else {"GATEWAY_TOKEN_PRIVATE_KEY": generate_pem()}
    algorithm = "HS256" if field == "token_secret" else "ES256"
    settings = read_settings({FIELDS[f"{field}_file"].variable: str(file), "GATEWAY_TOKEN_ALGORITHM": algorithm, **pem})

    with pytest.raises(StartRefused, match=f"^{FIELDS[field].variable}_FILE cannot be read: {reason}"):
        access_tokens(settings)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"PRIVATE_KEY": "x", "PRIVATE_KEY_FILE": "y"}, "not both"),
        ({"PRIVATE_KEY_FILE": "/does/not/exist"}, "GATEWAY_TOKEN_PRIVATE_KEY_FILE cannot be read: No such file"),
        ({"PRIVATE_KEY_FILE": "/dev/null"}, "GATEWAY_TOKEN_PRIVATE_KEY_FILE is empty"),
        ({"PRIVATE_KEY": "x"}, "no unencrypted private key"),
        ({"ALGORITHM": "HS256"}, "is empty"),
        ({"PRIVATE_KEY": generate_pem(), "PREVIOUS_PUBLIC_KEYS": "x"}, "public keys as PEM"),
        ({"ALGORITHM": "HS256", "SECRET": RANDOM, "PREVIOUS_PUBLIC_KEYS": public_pem(generate_pem())}, "algorithms"),
    ],
)
def test_keys_that_will_not_do_are_refused(given: dict[str, str], problem: str) -> None:
    settings = read_settings({f"GATEWAY_TOKEN_{name}": text for name, text in given.items()})

    with pytest.raises(StartRefused, match=problem):
        access_tokens(settings)


def test_keys_that_were_replaced_still_verify() -> None:
    old, older, new = generate_pem(), generate_pem(), generate_pem()

    tokens = access_tokens(
        Settings(token_private_key=new, token_previous_public_keys=public_pem(old) + public_pem(older))
    )

    each_alone = [access_tokens(Settings(token_private_key=pem)).jwks()["keys"] for pem in (new, old, older)]
    assert tokens.jwks()["keys"] == [key for [key] in each_alone]


def test_cursors_of_one_process_are_known_to_all_others(tmp_path: Path) -> None:
    sandbox = Settings(data_dir=str(tmp_path))
    shared = read_settings({"GATEWAY_TOKEN_ALGORITHM": "HS256", "GATEWAY_TOKEN_SECRET": RANDOM})

    for settings in (sandbox, shared):
        assert cursor_keys(settings).verify(b"content", cursor_keys(settings).sign(b"content"))
        assert not cursor_keys(settings).verify(b"another", cursor_keys(settings).sign(b"content"))
    assert not cursor_keys(shared).verify(b"content", cursor_keys(sandbox).sign(b"content"))
    assert not cursor_keys(sandbox).verify(b"content", cursor_keys(shared).sign(b"content"))


def test_cursors_live_as_long_as_tokens_when_keys_are_replaced() -> None:
    old, new = generate_pem(), generate_pem()
    before = cursor_keys(Settings(token_private_key=old))
    ahead = cursor_keys(Settings(token_private_key=old, token_previous_public_keys=public_pem(new)))
    replaced = cursor_keys(Settings(token_private_key=new, token_previous_public_keys=public_pem(old)))
    afterwards = cursor_keys(Settings(token_private_key=new))

    for signing, verifying in ((before, replaced), (ahead, replaced), (replaced, ahead), (replaced, afterwards)):
        assert verifying.verify(b"content", signing.sign(b"content"))
    assert not afterwards.verify(b"content", before.sign(b"content"))


async def refused_to_start(settings: Settings, because: str) -> None:
    with pytest.raises(StartRefused, match=because):
        async with open_gateway(settings):
            pass
