"""Parts of a program's own, given by keyword; what is not needed is neither asked for nor made."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import (
    TRUSTED,
    AccountFilter,
    AuditRecord,
    CaptureMethod,
    CurrencyPair,
    ExchangeRate,
    Gateway,
    InvalidInput,
    MakeDeposit,
    MemoryDatabase,
    Money,
    Pay,
    PaymentOrder,
    PaymentResult,
    Role,
    Settings,
    StartRefused,
    asgi,
    in_memory_gateway,
    open_gateway,
    rate_of,
)
from gateway.adapters.memory import memory_storage
from gateway.adapters.system.identifiers import TimeOrderedIds
from gateway.ports import AccessClaims, PasswordCheck
from gateway.refusals import InvalidCredentials, TokenInvalid
from support.builders import StandingClock

PASSWORD = "a long passphrase"
SECONDS_MAX = 60


class PlainTokens:
    """Tokens that another program would not take: what they say, in the clear."""

    lifetime_seconds = 60

    def issue(self, *, subject: str, role: str, token_id: str, now: datetime) -> str:
        return f"mine.{subject}.{role}.{token_id}.{int(now.timestamp())}"

    def verify(self, token: str, *, now: datetime) -> AccessClaims:  # noqa: ARG002 - none of them expires.
        head, *fields = token.split(".")
        if head != "mine":
            raise TokenInvalid("It is none of mine.")
        subject, role, session_id, end, issued = fields
        at = datetime.fromtimestamp(int(issued), UTC)
        return AccessClaims(
            subject=subject,
            role=role,
            token_id=f"{session_id}.{end}",
            issued_at=at,
            expires_at=at + timedelta(days=1),
        )

    def jwks(self) -> Mapping[str, Any]:
        return {"keys": []}


class ReversingHasher:
    """Hashes that nobody should use, and that are recognised at once."""

    async def hash(self, password: str) -> str:
        return password[::-1]

    async def verify(self, password_hash: str | None, password: str) -> PasswordCheck:
        return PasswordCheck(matches=password_hash == password[::-1], outdated=False)


class OneRate:
    """A source of rates in which euros cost two dollars."""

    async def rate(self, pair: CurrencyPair) -> ExchangeRate | None:
        return ExchangeRate(pair=pair, rate=rate_of("2"), spread_basis_points=0, updated_at=datetime.now(UTC))

    async def rates(self) -> Sequence[ExchangeRate]:
        return []

    async def put(self, rate: ExchangeRate, *, audit: AuditRecord | None = None) -> None:
        raise AssertionError(rate, audit)


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if not file.name.startswith("gateway.sqlite3"))


async def paid(gateway: Gateway, *, capture: CaptureMethod = CaptureMethod.AUTOMATIC) -> PaymentResult:
    ada = await gateway.accounts.open_customer("ada", "EUR")
    shop = await gateway.accounts.open_merchant("shop", "EUR")
    await gateway.execute(MakeDeposit(account_id=ada.id, amount=Money(500, "EUR"), owner_id=None))
    order = PaymentOrder(
        customer_id=ada.owner_id,
        merchant_id=shop.owner_id,
        amount=Money(200, "EUR"),
        metadata={},
        capture=capture,
        expires_in_seconds=60 if capture is CaptureMethod.MANUAL else None,
    )
    return await gateway.execute(Pay(order=order))


def sqlite(folder: Path) -> Settings:
    return Settings(data_dir=str(folder))


async def test_own_tokens_and_an_own_hasher_log_users_in_without_a_key(tmp_path: Path) -> None:
    async with open_gateway(sqlite(tmp_path), tokens=PlainTokens(), passwords=ReversingHasher()) as gateway:
        ada = await gateway.access.register(email="ada@example.com", password=PASSWORD, role=Role.CUSTOMER)
        stored = await gateway.storage.users.by_id(ada.user.id)
        assert stored is not None
        assert stored.password_hash == PASSWORD[::-1]
        signed_in = await gateway.access.log_in(email="ada@example.com", password=PASSWORD, address="192.0.2.1")
        assert signed_in.access_token.startswith(f"mine.{ada.user.id}.customer.ses_")
        assert (await gateway.access.authenticate(signed_in.access_token)).user_id == ada.user.id
        with pytest.raises(InvalidCredentials):
            await gateway.access.log_in(email="ada@example.com", password="another", address="192.0.2.1")
    assert files(tmp_path) == []


async def test_who_issues_no_tokens_gets_no_key_file_and_who_does_gets_one(tmp_path: Path) -> None:
    async with open_gateway(sqlite(tmp_path)) as gateway:
        await paid(gateway)
        assert files(tmp_path) == []
        await gateway.access.register(email="ada@example.com", password=PASSWORD, role=Role.CUSTOMER)
        await gateway.access.log_in(email="ada@example.com", password=PASSWORD, address="192.0.2.1")
        assert files(tmp_path) == ["signing-key.pem"]


async def test_production_pays_without_a_key_and_refuses_the_first_token() -> None:
    async with open_gateway(Settings(environment="production"), storage=memory_storage()) as gateway:
        await paid(gateway)
        await gateway.access.register(email="ada@example.com", password=PASSWORD, role=Role.CUSTOMER)
        with pytest.raises(StartRefused, match="Production needs a signing key"):
            await gateway.access.log_in(email="ada@example.com", password=PASSWORD, address="192.0.2.1")


async def test_a_key_that_the_settings_name_is_read_at_the_start(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), token_private_key_file=str(tmp_path / "none.pem"))
    with pytest.raises(StartRefused, match="TOKEN_PRIVATE_KEY_FILE cannot be read"):
        async with open_gateway(settings):
            pass


async def test_a_storage_is_used_in_place_of_a_database() -> None:
    database = MemoryDatabase()
    async with open_gateway(Settings(), storage=memory_storage(database)) as gateway:
        payment = (await paid(gateway)).payment
    assert list(database.payments) == [payment.id]


async def test_a_storage_and_a_database_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not both"):
        async with open_gateway(tmp_path / "shop.db", storage=memory_storage()):
            pass
    assert files(tmp_path) == []


OPENERS = [in_memory_gateway, partial(open_gateway, "memory://")]


@pytest.mark.parametrize("opener", OPENERS)
async def test_a_clock_and_identifiers_of_ones_own(opener: Callable[..., AbstractAsyncContextManager[Gateway]]) -> None:
    clock = StandingClock(datetime(2031, 5, 6, 7, tzinfo=UTC))
    async with opener(clock=clock) as gateway:
        payment = (await paid(gateway)).payment
        assert payment.created_at == clock.now
        assert payment.id.split("_")[1][:10] == TimeOrderedIds(clock)("pay").split("_")[1][:10]

    class Numbered(TimeOrderedIds):
        def of(self, moment: datetime, /) -> Any:
            new_id = super().of(moment)
            return lambda prefix: f"{new_id(prefix)}-mine"

    async with opener(identifiers=Numbered()) as gateway:
        assert (await paid(gateway)).payment.id.endswith("-mine")


@pytest.mark.parametrize("opener", OPENERS)
async def test_rates_of_ones_own(opener: Callable[..., AbstractAsyncContextManager[Gateway]]) -> None:
    async with opener(rates=OneRate()) as gateway:
        ada = await gateway.accounts.open_customer("ada", "EUR")
        await gateway.accounts.open_merchant("shop", "USD")
        usd = Money(400, "USD")
        quote = await gateway.quotes.quote(ada.owner_id, CurrencyPair(ada.currency, usd.currency), usd)
        assert (quote.source.amount_minor, quote.target.amount_minor) == (200, 400)


@pytest.mark.parametrize(
    ("field", "part", "detail"),
    [
        ("tokens", ReversingHasher(), "The port AccessTokens has issue, jwks, lifetime_seconds, which Rever"),
        ("passwords", PlainTokens(), "The port PasswordHasher has hash, which PlainTokens lacks."),
        ("rates", object(), "The port Rates has put, rate, rates, which object lacks."),
        ("clock", 12, "The port Clock has __call__, which int lacks."),
        ("identifiers", datetime.now, "The port Identifiers has of, which"),
        ("webhook_sender", "https://", "The port WebhookSender has check, send, which str lacks."),
    ],
)
async def test_a_part_that_lacks_a_method_is_refused_by_name(field: str, part: Any, detail: str) -> None:
    for opener in (in_memory_gateway, open_gateway):
        arguments: dict[str, Any] = {field: part}
        with pytest.raises(InvalidInput) as refused:
            async with opener(**arguments):
                pass
        [error] = refused.value.errors
        assert (error.field, error.code) == (field, "type_mismatch")
        assert detail in error.detail


async def test_a_storage_without_a_method_is_refused_by_name() -> None:
    storage: Any = replace(memory_storage(), users=OneRate())  # type: ignore[arg-type]
    with pytest.raises(InvalidInput) as refused:
        async with open_gateway(Settings(), storage=storage):
            pass
    [error] = refused.value.errors
    assert error.field == "storage.users"
    assert "by_id" in error.detail


async def test_a_worker_beside_the_gateway_lets_holds_expire() -> None:
    clock = StandingClock(datetime.now(UTC))
    settings = Settings(database_url="memory://", expiry_interval_seconds=0.01)
    async with open_gateway(settings, clock=clock, worker=True) as gateway, asyncio.timeout(SECONDS_MAX):
        held = (await paid(gateway, capture=CaptureMethod.MANUAL)).payment
        [account] = await gateway.queries.accounts_of(held.merchant_id)
        assert account.incoming == 200
        clock.advance(61)
        async for event in gateway.events.follow():
            if event.type == "payment.expired":
                break
        [account] = await gateway.queries.accounts_of(held.merchant_id)
        assert account.incoming == 0


async def test_without_a_worker_nothing_expires_by_itself() -> None:
    tasks = asyncio.all_tasks()
    async with in_memory_gateway() as gateway:
        await paid(gateway)
        assert not [task for task in asyncio.all_tasks() - tasks if task.get_name() == "worker"]
    async with in_memory_gateway(worker=True) as gateway:
        assert [task for task in asyncio.all_tasks() - tasks if task.get_name() == "worker"]
    assert not [task for task in asyncio.all_tasks() - tasks if task.get_name() == "worker"]


async def test_an_open_gateway_is_served_and_stays_open() -> None:
    async with in_memory_gateway(tokens=PlainTokens(), passwords=ReversingHasher()) as gateway:
        await gateway.access.register(email="ada@example.com", password=PASSWORD, role=Role.CUSTOMER, currency="EUR")
        app = asgi(gateway)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            token = await client.post("/users/login", json={"email": "ada@example.com", "password": PASSWORD})
            assert token.json()["access_token"].startswith("mine.")
            headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
            listed = (await client.get("/accounts", headers=headers)).json()["data"]
        async with app.lifespan():
            pass
        accounts = await gateway.queries.accounts(TRUSTED, AccountFilter(currency=listed[0]["currency"]))
        assert [listed[0]["id"]] == [account.id for account in accounts.items if account.owner_id != "system"]


async def test_a_gateway_that_was_changed_is_served_as_it_was_opened(tmp_path: Path) -> None:
    async with open_gateway(Settings(data_dir=str(tmp_path), docs="false")) as gateway:
        app = asgi(replace(gateway, quotes=replace(gateway.quotes, rates=OneRate())))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            assert (await client.get("/docs")).status_code == 404
            assert (await client.get("/health/ready")).status_code == 200


async def test_a_gateway_of_unknown_settings_is_not_served() -> None:
    async with in_memory_gateway() as gateway:
        with pytest.raises(InvalidInput, match="was not opened by"):
            asgi(replace(gateway, opened_with=None))


async def test_production_serves_own_tokens_only_with_a_key_for_cursors() -> None:
    settings = Settings(environment="production")
    async with open_gateway(settings, storage=memory_storage(), tokens=PlainTokens()) as gateway:
        with pytest.raises(StartRefused, match="Cursors"):
            asgi(gateway)


async def test_settings_are_served_by_a_gateway_of_their_own(tmp_path: Path) -> None:
    app = asgi(tmp_path / "shop.db", layers=[lambda inner: inner])
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        assert (await client.get("/health/ready")).status_code == 200
    assert (tmp_path / "shop.db").exists()
