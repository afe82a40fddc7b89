"""What a gateway makes, requires and refuses when it starts."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.adapters.jose.keys import generate_pem
from gateway.bootstrap.refusal import StartRefused
from gateway.bootstrap.serving import open_served
from gateway.bootstrap.wiring import open_gateway
from gateway.contracts.records import USD
from gateway.domain.money import Money
from gateway.domain.user import UserId
from gateway.settings.field import SettingsRefused
from gateway.settings.reader import read_settings
from gateway.settings.values import Settings


async def test_the_sandbox_makes_itself_a_private_folder_with_a_private_key(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    async with open_served(Settings(data_dir=str(folder))):
        pass

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "signing-key.pem").stat().st_mode) == 0o600
    assert (folder / "gateway.sqlite3").stat().st_size > 0


async def test_production_does_not_serve_without_a_key(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="needs a signing key"):
        async with open_served(Settings(environment="production", data_dir=str(tmp_path))):
            pass


@pytest.mark.parametrize("secret", ["change-me" * 8, "the quick brown fox jumps over the lazy dog"])
async def test_production_does_not_start_with_a_secret_that_can_be_guessed(tmp_path: Path, secret: str) -> None:
    settings = read_settings(
        {
            "GATEWAY_ENVIRONMENT": "production",
            "GATEWAY_DATA_DIR": str(tmp_path),
            "GATEWAY_TOKEN_ALGORITHM": "HS256",
            "GATEWAY_TOKEN_SECRET": secret,
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


async def refused_to_start(settings: Settings, because: str) -> None:
    with pytest.raises(StartRefused, match=because):
        async with open_gateway(settings):
            pass
