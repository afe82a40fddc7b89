"""Commands on customers whom a merchant manages, on every storage."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway import (
    AcceptCustomerInvitation,
    Actor,
    ActorKind,
    ApprovePayment,
    AuditAction,
    AuditFilter,
    CaptureMethod,
    CapturePayment,
    ChangeCustomer,
    ChargeCustomer,
    CreateCustomer,
    CustomerFilter,
    CustomerWithAccounts,
    DisableUser,
    EnableUser,
    InviteCustomer,
    MakeDeposit,
    OpenAccount,
    Origin,
    Pay,
    PaymentOrder,
    PaymentRequest,
    PaymentStatus,
    Refusal,
    Register,
    RequestPayment,
    Role,
)
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.ports.storage import Storage
from gateway.application.verification.verify import verify
from gateway.contracts.records import EUR, USD, user_id
from gateway.domain.account import AccountKey, AccountKind
from support.builders import StandingClock, a_batch, refusing, register, reviewing, submissions, usd

SHOP, OTHER = user_id(2), user_id(3)
CREATE = CreateCustomer(merchant_id=SHOP, currency=USD, name="Ada", email="ada@example.com", external_id="1")


@pytest.fixture
async def executor(storage: Storage) -> CommandExecutor:
    batch = a_batch(storage, StandingClock())
    executor = CommandExecutor(OneByOne(retrying(batch.run, RetryLimits(attempts_max=50))), batch.identifiers)
    for number in (2, 3):
        await executor.execute(register(number, Role.MERCHANT))
    return executor


async def outcome_of(executor: CommandExecutor, command: Any) -> str:
    """The code of a refusal, or `done`."""
    try:
        await executor.execute(command)
    except Refusal as refusal:
        return refusal.code
    return "done"


async def funded(executor: CommandExecutor, create: CreateCustomer = CREATE) -> CustomerWithAccounts:
    customer = await executor.execute(create)
    await executor.execute(MakeDeposit(account_id=customer.accounts[0].id, amount=usd(1_000), owner_id=None))
    return customer


async def test_a_customer_is_created_and_changed(storage: Storage, executor: CommandExecutor) -> None:
    created = await executor.execute(CREATE)
    [account] = created.accounts
    assert (account.owner_id, account.managed_by, account.kind) == (created.id, SHOP, AccountKind.CUSTOMER)
    assert await storage.customers.customer(created.id) == created
    change = ChangeCustomer(customer_id=created.id, merchant_id=SHOP, name="", external_id="2")
    changed = await executor.execute(change)
    assert (changed.customer.name, changed.customer.external_id, changed.customer.version) == (None, "2", 2)
    assert await storage.customers.customer(created.id) == changed
    assert await executor.execute(change) == changed
    events = [each for each in await storage.events.read(after=0, limit=1_000) if each.object_id == created.id]
    assert [(each.type.value, each.sequence, each.merchant_id, each.customer_id) for each in events] == [
        ("customer.created", 1, SHOP, None),
        ("customer.updated", 2, SHOP, None),
    ]


async def test_a_change_is_recorded_without_what_identifies_the_customer(
    storage: Storage, executor: CommandExecutor
) -> None:
    created = await executor.execute(CREATE)
    origin = Origin(actor=Actor(kind=ActorKind.API_KEY, id="key_1"))
    for given in (
        {"external_id": "2", "name": "Bea", "email": "bea@example.com"},
        {"external_id": "2"},  # Changes nothing.
        {"external_id": "cleo@example.com"},
        {"external_id": ""},
    ):
        change = ChangeCustomer(customer_id=created.id, merchant_id=SHOP, **given)
        await executor.execute(change, owner_id=SHOP, origin=origin)
    where = AuditFilter(object_id=created.id, owner_id=SHOP, action=AuditAction.CUSTOMER_CHANGED)
    found = await storage.audit_log.records(where, before=None, limit=10)
    assert [(dict(each.note.before), dict(each.note.after)) for each in reversed(found)] == [
        (
            {"version": 1, "external_id": "1"},
            {"merchant_id": SHOP, "fields": "name email external_id", "version": 2, "external_id": "2"},
        ),
        ({"version": 2, "external_id": "2"}, {"merchant_id": SHOP, "fields": "external_id", "version": 3}),
        ({"version": 3}, {"merchant_id": SHOP, "fields": "external_id", "version": 4, "external_id": None}),
    ]
    assert {each.origin for each in found} == {origin}
    assert not any(told in repr(found) for told in ("Ada", "Bea", "@"))


async def test_what_is_anothers_or_missing_is_refused_alike(executor: CommandExecutor) -> None:
    created = await executor.execute(CREATE)
    for customer_id, merchant_id in ((created.id, OTHER), (user_id(9), SHOP), (SHOP, SHOP)):
        change = ChangeCustomer(customer_id=customer_id, merchant_id=merchant_id, name="Bea")
        assert await outcome_of(executor, change) == "customer_not_found"
    assert await outcome_of(executor, replace(CREATE, merchant_id=user_id(9))) == "merchant_not_found"
    assert await outcome_of(executor, replace(CREATE, merchant_id=created.id)) == "merchant_not_found"
    assert await outcome_of(executor, CREATE) == "external_id_taken"
    assert await outcome_of(executor, replace(CREATE, merchant_id=OTHER)) == "done"


async def test_of_many_who_want_an_external_id_at_once_one_has_it(storage: Storage, executor: CommandExecutor) -> None:
    others = [await executor.execute(replace(CREATE, external_id=None)) for _ in range(4)]
    wanting = [
        *(CREATE for _ in range(4)),
        *(ChangeCustomer(customer_id=each.id, merchant_id=SHOP, external_id="1") for each in others),
    ]
    outcomes = await asyncio.gather(*(outcome_of(executor, command) for command in wanting))
    assert sorted(outcomes) == ["done", *["external_id_taken"] * 7]
    assert len(await storage.customers.customers(CustomerFilter(external_id="1"), before=None, limit=9)) == 1


async def test_an_external_id_that_is_given_back_is_free_in_the_same_batch(
    storage: Storage, executor: CommandExecutor
) -> None:
    created = await executor.execute(CREATE)
    group = GroupCommit(retrying(a_batch(storage).run, RetryLimits()), GroupLimits())
    commands = (
        ChangeCustomer(customer_id=created.id, merchant_id=SHOP, external_id="2"),
        CREATE,
        replace(CREATE, external_id="2"),
    )
    # Submitted at once, they are one batch.
    answers = await asyncio.gather(*map(group.submit, submissions(*commands)))
    await group.close()
    assert [answer.refused for answer in answers] == [False, False, True]
    found = await storage.customers.customers(CustomerFilter(merchant_id=SHOP), before=None, limit=9)
    assert [each.customer.external_id for each in found] == ["1", "2"]


async def test_a_managed_customer_pays_its_merchant_alone(storage: Storage, executor: CommandExecutor) -> None:
    ada = await funded(executor)
    to_shop = PaymentRequest(merchant_id=SHOP, customer_id=ada.id, amount=usd(400), reference="order-1")
    paid = await executor.execute(ChargeCustomer(request=to_shop))
    assert (paid.status, paid.customer_id) == (PaymentStatus.CAPTURED, ada.id)
    assert await outcome_of(executor, ChargeCustomer(request=to_shop)) == "duplicate_reference"
    order = PaymentOrder(customer_id=ada.id, merchant_id=SHOP, amount=usd(100))
    assert (await executor.execute(Pay(order=order))).payment.status is PaymentStatus.CAPTURED
    too_much = replace(to_shop, reference=None, amount=usd(501))
    assert await outcome_of(executor, ChargeCustomer(request=too_much)) == "insufficient_funds"
    in_euros = replace(to_shop.amount, currency=EUR)
    no_account = replace(to_shop, amount=in_euros)
    await executor.execute(OpenAccount(key=AccountKey(SHOP, EUR, AccountKind.MERCHANT)))
    await executor.execute(OpenAccount(key=AccountKey(OTHER, EUR, AccountKind.MERCHANT)))
    assert await outcome_of(executor, ChargeCustomer(request=no_account)) == "currency_mismatch"
    for customer_id in (ada.id, user_id(9)):
        for amount in (usd(1), in_euros):
            asked = PaymentRequest(merchant_id=OTHER, customer_id=customer_id, amount=amount)
            order = PaymentOrder(customer_id=customer_id, merchant_id=OTHER, amount=amount)
            for command in (ChargeCustomer(request=asked), RequestPayment(request=asked), Pay(order=order)):
                assert await outcome_of(executor, command) == "user_not_found", (customer_id, command)
    async with storage.audit() as audit:
        assert (await verify(audit)).ok


async def test_an_account_that_is_opened_later_is_managed_and_the_id_cannot_register(
    storage: Storage, executor: CommandExecutor
) -> None:
    ada = await executor.execute(CREATE)
    opened = await executor.execute(OpenAccount(key=AccountKey(ada.id, EUR, AccountKind.CUSTOMER)))
    assert opened.managed_by == SHOP
    found = await storage.customers.customer(ada.id)
    assert found is not None
    assert found.accounts == (opened, ada.accounts[0])
    taking_over = Register(
        user_id=ada.id, email="x@example.com", password_hash="x", role=Role.CUSTOMER, name=None, currency=USD
    )
    assert await outcome_of(executor, taking_over) == "user_exists"


async def test_an_invited_customer_becomes_a_user_once(storage: Storage, executor: CommandExecutor) -> None:
    ada = await funded(executor)
    hold = PaymentRequest(merchant_id=SHOP, customer_id=ada.id, amount=usd(300), capture=CaptureMethod.MANUAL)
    held = await executor.execute(ChargeCustomer(request=hold))
    invite = InviteCustomer(customer_id=ada.id, merchant_id=SHOP, secret_hash=b"1" * 32)
    assert await outcome_of(executor, replace(invite, merchant_id=OTHER)) == "customer_not_found"
    await executor.execute(invite)
    await executor.execute(replace(invite, secret_hash=b"2" * 32))
    accept = AcceptCustomerInvitation(
        customer_id=ada.id,
        merchant_id=SHOP,
        secret_hash=b"2" * 32,
        email="ada@example.com",
        password_hash="$argon2id$",
    )
    assert await outcome_of(executor, replace(accept, merchant_id=OTHER)) == "invitation_invalid"
    assert await outcome_of(executor, replace(accept, secret_hash=b"1" * 32)) == "invitation_invalid"
    assert await outcome_of(executor, replace(accept, customer_id=user_id(9))) == "invitation_invalid"
    assert await outcome_of(executor, replace(accept, email="user2@example.com")) == "email_taken"
    outcomes = await asyncio.gather(*(outcome_of(executor, accept) for _ in range(4)))
    assert sorted(outcomes) == ["done", *["invitation_invalid"] * 3]

    found = await storage.customers.customer(ada.id)
    assert found is not None
    assert (found.customer.managed_by, found.customer.joined_at is None, found.accounts) == (None, False, ())
    account = await storage.reader.account(ada.accounts[0].id)
    assert account is not None
    assert (account.managed_by, account.held, account.available) == (None, 300, 700)
    for command in (invite, ChangeCustomer(customer_id=ada.id, merchant_id=SHOP, name="Bea")):
        assert await outcome_of(executor, command) == "customer_joined"
    # The merchant captures what was held, and asks for the rest as everybody does.
    await executor.execute(CapturePayment(payment_id=held.id, merchant_id=SHOP))
    asked = await executor.execute(ChargeCustomer(request=replace(hold, amount=usd(100))))
    assert asked.status is PaymentStatus.REQUIRES_CONFIRMATION
    order = PaymentOrder(customer_id=ada.id, merchant_id=OTHER, amount=usd(100))
    assert (await executor.execute(Pay(order=order))).payment.status is PaymentStatus.CAPTURED
    opened = await executor.execute(OpenAccount(key=AccountKey(ada.id, EUR, AccountKind.CUSTOMER)))
    assert opened.managed_by is None
    # Events about the user go on counting.
    await executor.execute(DisableUser(user_id=ada.id, reason="a stolen laptop"))
    events = [each for each in await storage.events.read(after=0, limit=1_000) if each.object_id == ada.id]
    assert [(each.type.value, each.sequence) for each in events] == [
        ("customer.created", 1),
        *(("customer.invited", sequence) for sequence in (2, 3)),
        ("customer.joined", 4),
        ("user.disabled", 5),
    ]
    async with storage.audit() as audit:
        assert (await verify(audit)).ok


async def test_a_disabled_merchant_neither_creates_nor_invites_customers_and_its_invitations_wait(
    storage: Storage, executor: CommandExecutor
) -> None:
    ada = await executor.execute(CREATE)
    invite = InviteCustomer(customer_id=ada.id, merchant_id=SHOP, secret_hash=b"1" * 32)
    await executor.execute(DisableUser(user_id=SHOP, reason="a stolen key"))
    for command in (replace(CREATE, external_id="2"), replace(CREATE, currency=EUR, external_id=None), invite):
        assert await outcome_of(executor, command) == "user_disabled"
    found = await storage.customers.customers(CustomerFilter(merchant_id=SHOP), before=None, limit=10)
    assert [(each.id, each.customer.invitation) for each in found] == [(ada.id, None)]
    await executor.execute(EnableUser(user_id=SHOP, reason="another key"))
    for command in (replace(CREATE, external_id="2"), invite):
        assert await outcome_of(executor, command) == "done"
    accept = AcceptCustomerInvitation(
        customer_id=ada.id,
        merchant_id=SHOP,
        secret_hash=b"1" * 32,
        email="ada@example.com",
        password_hash="$argon2id$",
    )
    await executor.execute(DisableUser(user_id=SHOP, reason="the new key, too"))
    assert await outcome_of(executor, accept) == "invitation_invalid"
    await executor.execute(EnableUser(user_id=SHOP, reason="a third key"))
    assert await outcome_of(executor, accept) == "done"


async def test_an_invitation_expires(storage: Storage) -> None:
    clock = StandingClock()
    batch = a_batch(storage, clock)
    executor = CommandExecutor(OneByOne(batch.run), batch.identifiers)
    await executor.execute(register(2, Role.MERCHANT))
    ada = await executor.execute(CREATE)
    await executor.execute(
        InviteCustomer(customer_id=ada.id, merchant_id=SHOP, secret_hash=b"1" * 32, valid_seconds=60)
    )
    accept = AcceptCustomerInvitation(
        customer_id=ada.id,
        merchant_id=SHOP,
        secret_hash=b"1" * 32,
        email="ada@example.com",
        password_hash="$argon2id$",
    )
    clock.advance(60)
    assert await outcome_of(executor, accept) == "invitation_invalid"
    clock.advance(-1)
    assert await outcome_of(executor, accept) == "done"


async def test_rules_of_risk_are_asked_of_payments_on_behalf(storage: Storage, executor: CommandExecutor) -> None:
    ada = await funded(executor)
    charge = ChargeCustomer(request=PaymentRequest(merchant_id=SHOP, customer_id=ada.id, amount=usd(10)))
    batch = a_batch(storage, StandingClock(), refusing("sum.USD.1h=25"))
    limited = CommandExecutor(OneByOne(retrying(batch.run, RetryLimits(attempts_max=50))), time_ordered_id)
    assert [await outcome_of(limited, charge) for _ in range(3)] == ["done", "done", "limit_exceeded"]
    batch = a_batch(storage, StandingClock(), reviewing("amount.customer.USD=5"))
    reviewed = CommandExecutor(OneByOne(retrying(batch.run, RetryLimits(attempts_max=50))), time_ordered_id)
    payment = await reviewed.execute(charge)
    assert (payment.status, payment.customer_id) == (PaymentStatus.REQUIRES_REVIEW, ada.id)
    approved = await reviewed.execute(ApprovePayment(payment_id=payment.id, reason="Known"))
    assert approved.status is PaymentStatus.CAPTURED
    async with storage.audit() as audit:
        assert (await verify(audit)).named == []
