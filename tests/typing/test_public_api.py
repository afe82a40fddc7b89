"""The types of the public API, as mypy and basedpyright infer them for an embedder; the same lines run as a test."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import assert_type

from gateway import (
    Account,
    AccountKey,
    AccountKind,
    Caller,
    CancelPayment,
    CaptureMethod,
    CapturePayment,
    ConfirmPayment,
    CurrencyPair,
    Deposit,
    DisabledReason,
    DisableWebhookEndpoint,
    EndpointId,
    ExchangeRate,
    FeedEvent,
    FeeSchedule,
    FreezeAccount,
    Gateway,
    MakeDeposit,
    MakePayout,
    Money,
    OpenAccount,
    Pay,
    Payment,
    PaymentOrder,
    PaymentRequest,
    PaymentResult,
    Payout,
    Quote,
    Rate,
    Refund,
    RefundPayment,
    Registered,
    RequestPayment,
    ReverseTransaction,
    Role,
    SentTestEvent,
    SetFees,
    Settings,
    SignedIn,
    Transaction,
    UnfreezeAccount,
    User,
    WebhookEndpoint,
    currency_code,
    in_memory_gateway,
    open_gateway,
    rate_of,
    read_settings,
)

PASSWORD = "a long passphrase"
USD = currency_code("USD")
EUR = currency_code("EUR")


async def register(gateway: Gateway, role: Role) -> Registered:
    email = f"{role.value}@example.com"
    return assert_type(await gateway.access.register(email=email, password=PASSWORD, role=role), Registered)


async def test_each_command_has_the_type_of_its_result() -> None:
    async with in_memory_gateway() as gateway:
        assert_type(gateway, Gateway)
        customer, merchant = await register(gateway, Role.CUSTOMER), await register(gateway, Role.MERCHANT)
        customer_id, merchant_id = customer.user.id, merchant.user.id
        account_id = assert_type(customer.accounts[0], Account).id

        deposit = MakeDeposit(account_id=account_id, amount=Money(5_000, USD), owner_id=None)
        deposited = assert_type(await gateway.execute(deposit), Deposit)
        assert_type(
            await gateway.execute(ReverseTransaction(transaction_id=deposited.transaction_id, reason="test")),
            Transaction,
        )
        await gateway.execute(deposit)

        order = PaymentOrder(customer_id=customer_id, merchant_id=merchant_id, amount=Money(100, USD), metadata={})
        paid = assert_type(await gateway.execute(Pay(order=order), idempotency_key="order-1"), PaymentResult)
        assert_type(paid.payment, Payment)
        assert_type(paid.transaction, Transaction)
        refund = RefundPayment(payment_id=paid.payment.id, merchant_id=merchant_id)
        assert_type(await gateway.execute(refund), Refund)

        hold = PaymentOrder(
            customer_id=customer_id,
            merchant_id=merchant_id,
            amount=Money(100, USD),
            metadata={},
            capture=CaptureMethod.MANUAL,
        )
        held = await gateway.execute(Pay(order=hold))
        capture = CapturePayment(payment_id=held.payment.id, merchant_id=merchant_id)
        assert_type(await gateway.execute(capture), PaymentResult)

        request = PaymentRequest(merchant_id=merchant_id, amount=Money(100, USD), metadata={}, customer_id=None)
        requested = assert_type(await gateway.execute(RequestPayment(request=request)), Payment)
        confirm = ConfirmPayment(payment_id=requested.id, customer_id=customer_id)
        assert_type(await gateway.execute(confirm), PaymentResult)
        other = await gateway.execute(RequestPayment(request=request))
        assert_type(await gateway.execute(CancelPayment(payment_id=other.id, by=merchant_id)), Payment)

        payout = MakePayout(account_id=account_id, amount=Money(100, USD), owner_id=customer_id)
        assert_type(await gateway.execute(payout), Payout)
        fees = FeeSchedule(basis_points=100, fixed_minor=0)
        assert_type(await gateway.execute(SetFees(merchant_id=merchant_id, currency=USD, fees=fees)), Account)
        assert_type(await gateway.execute(FreezeAccount(account_id=account_id)), Account)
        assert_type(await gateway.execute(UnfreezeAccount(account_id=account_id)), Account)
        assert_type(
            await gateway.execute(OpenAccount(key=AccountKey(customer_id, EUR, AccountKind.CUSTOMER))),
            Account,
        )


async def test_what_is_read_has_a_type() -> None:
    async with in_memory_gateway() as gateway:
        customer = await register(gateway, Role.CUSTOMER)
        signed_in = await gateway.access.log_in(email="customer@example.com", password=PASSWORD, address="192.0.2.1")
        assert_type(signed_in, SignedIn)
        caller = assert_type(await gateway.access.authenticate(signed_in.access_token), Caller)
        assert_type(await gateway.access.user(customer.user.id), User)

        account_id = customer.accounts[0].id
        assert_type(await gateway.queries.account(caller, account_id), Account)
        assert_type(await gateway.queries.accounts_of(customer.user.id), Sequence[Account])

        await gateway.execute(OpenAccount(key=AccountKey(customer.user.id, EUR, AccountKind.CUSTOMER)))
        pair, rate = CurrencyPair(USD, EUR), assert_type(rate_of("0.92"), Rate)
        assert_type(await gateway.quotes.set_rate(pair, rate, spread_basis_points=0), ExchangeRate)
        assert_type(await gateway.quotes.all_rates(), Sequence[ExchangeRate])
        assert_type(await gateway.quotes.quote(customer.user.id, pair, Money(100, EUR)), Quote)

        endpoint = await gateway.webhooks.create(owner_id=customer.user.id, url="https://shop.example/", events=["*"])
        endpoint_id = assert_type(assert_type(endpoint, WebhookEndpoint).id, EndpointId)
        assert_type(await gateway.webhooks.change(endpoint_id, description="orders"), WebhookEndpoint)
        assert_type(await gateway.webhooks.rotate_secret(endpoint_id), WebhookEndpoint)
        assert_type(await gateway.webhooks.send_test(endpoint_id), SentTestEvent)
        disable = DisableWebhookEndpoint(endpoint_id=endpoint_id, reason=DisabledReason.GONE)
        assert_type(await gateway.execute(disable), WebhookEndpoint | None)

        events = assert_type(await gateway.events.read(after=0, limit=100), Sequence[FeedEvent])
        following = assert_type(gateway.events.follow(after=0), AsyncGenerator[FeedEvent])
        first = assert_type(await anext(following), FeedEvent)
        await following.aclose()
        assert first == events[0]


async def test_a_gateway_opens_on_a_url_a_path_or_settings(tmp_path: Path) -> None:
    settings = assert_type(read_settings({"GATEWAY_DATABASE_URL": "memory://"}), Settings)
    for database in (f"sqlite:///{tmp_path}/url.db", tmp_path / "path.db", settings):
        opened = open_gateway(database)
        manager: AbstractAsyncContextManager[Gateway] = opened
        async with manager as gateway:
            assert_type(gateway, Gateway)
