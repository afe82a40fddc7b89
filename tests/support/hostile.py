"""Hostile input: values that no field takes, or few, and every field of every command to put them into."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from gateway import (
    AcceptCustomerInvitation,
    AcceptInvitation,
    ApprovePayment,
    CancelPayment,
    CapturePayment,
    ChangeCustomer,
    ChangeMember,
    ChangeWebhookEndpoint,
    ChargeCustomer,
    CloseAccount,
    ConfirmPayment,
    CreateApiKey,
    CreateCustomer,
    CreateWebhookEndpoint,
    DeclinePayment,
    DeleteWebhookEndpoint,
    DisabledReason,
    DisableUser,
    DisableWebhookEndpoint,
    EnableUser,
    EndSessions,
    ExpirePayment,
    FreezeAccount,
    InviteCustomer,
    InviteMember,
    MakeDeposit,
    MakePayout,
    MakeQuote,
    MemberRole,
    OpenAccount,
    Pay,
    RefundPayment,
    Register,
    RemoveMember,
    RequestPayment,
    ReverseTransaction,
    RevokeApiKey,
    RotateApiKey,
    RotateWebhookSecret,
    Scope,
    SendTestEvent,
    SetFees,
    UnfreezeAccount,
)
from gateway.application.engine.batch import Batch
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.ports.storage import Storage
from gateway.application.verification.verify import verify
from gateway.contracts.records import (
    EUR,
    NOW,
    USD,
    SequentialIdentifiers,
    a_rate,
    a_webhook_secret,
    user_id,
)
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.errors import Refusal
from gateway.domain.fees import FeeSchedule
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.rate import CurrencyPair
from gateway.domain.user import Role
from support.builders import (
    CUSTOMER,
    CUSTOMER_ACCOUNT,
    MERCHANT,
    MERCHANT_ACCOUNT,
    StandingClock,
    deposit,
    opened,
    pay,
    reviewing,
    usd,
)

VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    1,
    7,
    -5,
    999_999_999_999,
    1_000_000_000_000,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**80,
    1.5,
    1.0,
    float("nan"),
    float("inf"),
    Decimal(1),
    Decimal("NaN"),
    Decimal(-1),
    Decimal("1E-30"),
    Decimal("1E+30"),
    "",
    "x",
    " ",
    "x" * 64,
    "x" * 65,
    "x" * 501,
    "x" * 10_000,
    "\0",
    "a\0b",
    "\ud800",
    "\udfffx",
    "é\n\t🧾",
    "4111 1111 1111 1111",
    "system",
    "XXX",
    "usd",
    "USD",
    "JPY",
    "customer",
    "manual",
    "funding",
    "1.0842",
    "2030-01-02T00:00:00Z",
    b"x",
    (),
    [],
    [1],
    {},
    {"k": 1},
    {1: "v"},
    {"": "v"},
    {"k": "v"},
    {"k" * 41: "v"},
    {"k": "v" * 501},
    {"k\0": "v"},
    {"k": "\ud800"},
    {str(number): "v" for number in range(51)},
    object(),
    str,
    datetime(2030, 1, 1),  # noqa: DTZ001 - it is hostile.
    datetime(2030, 1, 1, tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    Role.OPERATOR,
    Role.CUSTOMER,
    CaptureMethod.MANUAL,
    CaptureMethod.AUTOMATIC,
    AccountKind.CUSTOMER,
    AccountKind.FUNDING,
    AccountKind.FEES,
    AccountKind.EXCHANGE,
    DisabledReason.BY_OWNER,
    "https://shop.example/webhooks",
    "http://[::1]/",
    "https://user@shop.example/",
    "payment.*",
    ("payment.*",),
    ("payment.*", "payment.*"),
    ("payment.unknown",),
    ("payment.captured", None),
    ("*",) * 33,
    "payments:read",
    Scope.PAYMENTS_READ,
    ("payments:read",),
    (Scope.PAYMENTS_READ, Scope.PAYMENTS_READ),
    (Scope.REFUNDS_WRITE,),
    b"x" * 32,
    "whsec_",
    "whsec_" + "A" * 32,
    "whsec_" + "A" * 33,
)

Path = tuple[str, ...]


@dataclass(slots=True)
class Shop:
    """A ledger with something of each kind, and the same identifiers on every storage."""

    storage: Storage
    executor: CommandExecutor
    commands: dict[type[Command[Any]], Command[Any]]
    """One valid command of each kind, with all of its fields given."""

    async def outcome(self, command: Command[Any]) -> str:
        """What is answered: a code, or nothing if it was done."""
        try:
            await self.executor.execute(command)
        except Refusal as refusal:
            return refusal.code
        return ""

    async def findings(self) -> list[str]:
        """What is wrong with the ledger."""
        async with self.storage.audit() as audit:
            found = await verify(audit)
        return [f"{finding.rule} {finding.subject}: {finding.detail}" for finding in found.named]

    async def written(self) -> object:
        """What every command changes: the ledger added up, how many records there are, endpoints, API keys, users."""
        endpoints = await self.storage.webhook_endpoints.endpoints(None, before=None, limit=100)
        keys = await self.storage.api_keys.keys(None, before=None, limit=100)
        async with self.storage.audit() as audit:
            users = [await self.storage.users.by_id(user_id(number)) for number in (8, 9)]
            records = await self.storage.members.members(user_id(10), before=None, limit=100)
            shown = list(endpoints), list(keys), list(records), users
            return list(await self.storage.reader.totals()), await audit.size(), *shown


async def a_shop(storage: Storage) -> Shop:
    """A customer with money, a merchant, and payments in each state."""
    await opened(storage, balance=100_000)
    identifiers = SequentialIdentifiers()
    identifiers.go_back(dict.fromkeys(("usr", "acc", "txn", "evt", "dep", "key", "mem", "aud"), 100))
    batch = Batch(unit_of_work=storage.unit_of_work, clock=StandingClock(), identifiers=identifiers)
    executor = CommandExecutor(OneByOne(batch.run), identifiers)
    given = await executor.execute(deposit(usd(50)))
    captured = (await executor.execute(pay(usd(500)))).payment
    order = PaymentOrder(
        customer_id=CUSTOMER,
        merchant_id=MERCHANT,
        amount=usd(40),
        reference="order-1",
        description="two coffees",
        metadata={"table": "7"},
        capture=CaptureMethod.MANUAL,
        expires_in_seconds=3600,
    )
    held = (await executor.execute(Pay(order=order))).payment
    request = PaymentRequest(
        merchant_id=MERCHANT,
        customer_id=CUSTOMER,
        amount=usd(5),
        reference="order-2",
        description="",
        metadata={},
        expires_in_seconds=60,
    )
    requested = await executor.execute(RequestPayment(request=request))
    promise = MakeQuote(
        customer_id=CUSTOMER, pair=CurrencyPair(EUR, USD), amount=usd(100), rate=a_rate(EUR, USD), valid_seconds=60
    )
    quote = await executor.execute(promise)
    create = CreateWebhookEndpoint(
        owner_id=MERCHANT,
        all_merchants=False,
        url="https://shop.example/webhooks",
        events=("payment.*", "refund.succeeded"),
        description="orders",
        enabled=True,
        secret=a_webhook_secret(1),
    )
    endpoints = [await executor.execute(create) for _ in range(5)]
    register = Register(
        user_id=user_id(8),
        email="user8@example.com",
        password_hash="$argon2id$",
        role=Role.CUSTOMER,
        name=None,
        currency=USD,
    )
    somebody = await executor.execute(register)
    nobody = await executor.execute(replace(register, user_id=user_id(9), email="user9@example.com"))
    await executor.execute(DisableUser(user_id=nobody.user.id, reason="a stolen laptop"))
    create_key = CreateApiKey(
        owner_id=somebody.user.id,
        owner_role=Role.CUSTOMER,
        name="Till",
        scopes=(Scope.PAYMENTS_READ, Scope.PAYMENTS_WRITE),
        expires_at=NOW + timedelta(days=30),
        secret_hash=b"1" * 32,
        last_four="abcd",
    )
    keys = [await executor.execute(create_key) for _ in range(2)]
    create_customer = CreateCustomer(
        merchant_id=MERCHANT, currency=USD, name="Ada", email="ada@example.com", external_id="customer-1"
    )
    managed = await executor.execute(create_customer)
    await executor.execute(MakeDeposit(account_id=managed.accounts[0].id, amount=usd(100), owner_id=None))
    invited = await executor.execute(replace(create_customer, external_id=None))
    await executor.execute(InviteCustomer(customer_id=invited.id, merchant_id=MERCHANT, secret_hash=b"5" * 32))
    suspicious = replace(batch, risk=reviewing("amount.customer.USD=1"))
    asking = CommandExecutor(OneByOne(suspicious.run), identifiers)
    reviewed = [(await asking.execute(pay(usd(7)))).payment for _ in range(2)]
    invite = InviteMember(
        merchant_id=(
            await executor.execute(replace(register, user_id=user_id(10), email="shop@example.com", role=Role.MERCHANT))
        ).user.id,
        email="user8@example.com",
        role=MemberRole.VIEWER,
        token_hash=b"5" * 32,
        actor_id=user_id(10),
    )
    members = [
        await executor.execute(replace(invite, email=f"{name}@example.com", token_hash=name[0].encode() * 32))
        for name in ("user8", "ada", "bob")
    ]
    commands: list[Command[Any]] = [
        replace(create_customer, external_id="customer-2"),
        ChangeCustomer(
            customer_id=managed.id, merchant_id=MERCHANT, name="Bea", email="bea@example.com", external_id="customer-3"
        ),
        InviteCustomer(customer_id=managed.id, merchant_id=MERCHANT, secret_hash=b"6" * 32, valid_seconds=60),
        AcceptCustomerInvitation(
            customer_id=invited.id,
            merchant_id=MERCHANT,
            secret_hash=b"5" * 32,
            email="bea@example.com",
            password_hash="$argon2id$",
        ),
        ChargeCustomer(
            request=PaymentRequest(
                merchant_id=MERCHANT,
                customer_id=managed.id,
                amount=usd(5),
                reference="order-5",
                description="tea",
                metadata={"table": "8"},
                capture=CaptureMethod.MANUAL,
                expires_in_seconds=60,
            )
        ),
        CancelPayment(payment_id=held.id, by=MERCHANT),
        CapturePayment(payment_id=held.id, merchant_id=MERCHANT, amount_minor=1, final=False),
        ConfirmPayment(payment_id=requested.id, customer_id=CUSTOMER, quote_id=quote.id),
        ExpirePayment(payment_id=held.id),
        FreezeAccount(account_id=MERCHANT_ACCOUNT),
        UnfreezeAccount(account_id=MERCHANT_ACCOUNT),
        MakeDeposit(account_id=CUSTOMER_ACCOUNT, amount=usd(9), owner_id=CUSTOMER, reference="in"),
        MakePayout(account_id=CUSTOMER_ACCOUNT, amount=usd(3), owner_id=CUSTOMER, reference="out"),
        promise,
        CloseAccount(account_id=somebody.accounts[0].id, owner_id=somebody.user.id, reason="a mistake"),
        DisableUser(user_id=somebody.user.id, reason="a stolen laptop"),
        EnableUser(user_id=nobody.user.id, reason="a new laptop"),
        EndSessions(user_id=somebody.user.id, reason="a lost token"),
        OpenAccount(key=AccountKey(CUSTOMER, EUR, AccountKind.CUSTOMER)),
        Pay(order=replace(order, reference="order-3")),
        ApprovePayment(payment_id=reviewed[0].id, reason="they were called"),
        DeclinePayment(payment_id=reviewed[1].id, reason="they know of none"),
        RefundPayment(payment_id=captured.id, merchant_id=MERCHANT, amount_minor=2, reason="cold", refund_fee=True),
        Register(
            user_id=user_id(7),
            email="user7@example.com",
            password_hash="$argon2id$",
            role=Role.CUSTOMER,
            name="Ada",
            currency=USD,
        ),
        RequestPayment(request=replace(request, reference="order-4")),
        ReverseTransaction(transaction_id=given.transaction_id, reason="twice"),
        SetFees(merchant_id=MERCHANT, currency=USD, fees=FeeSchedule(100, 1)),
        create,
        ChangeWebhookEndpoint(
            endpoint_id=endpoints[0].id,
            owner_id=MERCHANT,
            url="https://shop.example/other",
            events=("*",),
            description="other",
            enabled=False,
        ),
        DeleteWebhookEndpoint(endpoint_id=endpoints[1].id, owner_id=MERCHANT),
        DisableWebhookEndpoint(
            endpoint_id=endpoints[2].id, reason=DisabledReason.FAILING, as_of=endpoints[2].updated_at
        ),
        RotateWebhookSecret(endpoint_id=endpoints[3].id, owner_id=MERCHANT, secret=a_webhook_secret(2)),
        create_key,
        RevokeApiKey(key_id=keys[0].id, owner_id=somebody.user.id),
        RotateApiKey(
            key_id=keys[1].id,
            owner_id=somebody.user.id,
            secret_hash=b"4" * 32,
            last_four="efgh",
            old_key_seconds=60,
        ),
        SendTestEvent(endpoint_id=endpoints[4].id, owner_id=MERCHANT),
        replace(invite, email="cy@example.com", token_hash=b"c" * 32),
        AcceptInvitation(
            merchant_id=user_id(10), email="user8@example.com", token_hash=b"u" * 32, user_id=somebody.user.id
        ),
        ChangeMember(
            merchant_id=user_id(10),
            member_id=members[1].id,
            role=MemberRole.ADMIN,
            reason="a new task",
            actor_id=user_id(10),
        ),
        RemoveMember(merchant_id=user_id(10), member_id=members[2].id, reason="they left", actor_id=user_id(10)),
    ]
    return Shop(storage=storage, executor=executor, commands={type(command): command for command in commands})


def paths(record: Any, above: Path = ()) -> Iterator[Path]:
    """Every field of a command, and every field of what is in its fields."""
    for name in _names(record):
        yield (*above, name)
        yield from paths(getattr(record, name), (*above, name))


def with_value(record: Any, path: Path, given: object) -> Any:
    """The command, made anew with another value in one place.

    Raises:
        Refusal: It cannot be made.
    """
    if not path:
        return given
    name, *below = path
    changed = with_value(getattr(record, name), tuple(below), given)
    return type(record)(**{each: getattr(record, each) for each in _names(record)} | {name: changed})


def _names(record: Any) -> list[str]:
    if is_dataclass(record):
        return [each.name for each in fields(record)]
    return list(cast("tuple[str, ...]", getattr(record, "_fields", ())))
