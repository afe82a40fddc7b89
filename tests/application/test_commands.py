"""What each command decides, through the executor."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from application.conftest import OpenExecutor
from gateway import FreezeAccount, MakeDeposit, OpenAccount, UnfreezeAccount
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.ports.reader import AccountFilter
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.records import EUR, JPY, NOW, USD, account_id, an_account, by_email, commit, user_id
from gateway.domain.account import Account, AccountKey, AccountKind, AccountStatus, system_account
from gateway.domain.deposit import Deposit
from gateway.domain.errors import (
    AccountExists,
    AccountFrozen,
    AccountNotFound,
    BalanceOverflow,
    CurrencyMismatch,
    DuplicateReference,
    EmailTaken,
    InsufficientFunds,
    MerchantNotFound,
    Refusal,
    SameAccount,
    UserNotFound,
)
from gateway.domain.event_type import EventType
from gateway.domain.money import COUNTER_MAX
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.transaction import TransactionType
from gateway.domain.user import SYSTEM, Role
from support.builders import (
    CUSTOMER,
    CUSTOMER_ACCOUNT,
    MERCHANT,
    MERCHANT_ACCOUNT,
    Watch,
    a_batch,
    balances,
    deposit,
    eur,
    opened,
    pay,
    register,
    usd,
    watched,
)

FUNDING_ACCOUNT = account_id(2)


@pytest.fixture
def watch() -> Watch:
    """What was committed through `executor`."""
    return Watch()


@pytest.fixture
async def executor(storage: Storage, watch: Watch, open_executor: OpenExecutor) -> AsyncIterator[CommandExecutor]:
    """An executor before a customer with a dollar, and a merchant."""
    await opened(storage)
    async with open_executor(a_batch(watched(storage, watch)).run) as executor:
        yield CommandExecutor(executor, time_ordered_id)


async def refused(executor: CommandExecutor, watch: Watch, command: Command[Any], kind: type[Refusal]) -> Refusal:
    """The refusal, which has written nothing but its answer."""
    with pytest.raises(kind) as raised:
        await executor.execute(command)
    written = [
        *(record for changes in watch.commits for record in changes.users_new),
        *(record for changes in watch.commits for record in changes.accounts_new),
        *(record for changes in watch.commits for record in changes.accounts_changed),
        *(record for changes in watch.commits for record in changes.payments_new),
        *(record for changes in watch.commits for record in changes.payments_changed),
        *(record for changes in watch.commits for record in changes.transactions_new),
        *(record for changes in watch.commits for record in changes.events_new),
    ]
    assert written == []
    return raised.value


async def test_who_registers_gets_a_user_and_an_account(
    executor: CommandExecutor, storage: Storage, watch: Watch
) -> None:
    registered = await executor.execute(register(7, Role.MERCHANT, EUR))
    [account] = registered.accounts
    assert (account.owner_id, account.currency, account.kind) == (user_id(7), EUR, AccountKind.MERCHANT)
    assert (account.posted, account.status, account.version) == (0, AccountStatus.OPEN, 1)
    credentials = await by_email(storage, "user7@example.com")
    assert credentials is not None
    assert (credentials.user, credentials.password_hash) == (registered.user, "$argon2id$")
    assert await storage.reader.account(account.id) == account
    [changes] = watch.commits
    assert [event.type for event in changes.events_new] == [EventType.ACCOUNT_OPENED] * 4
    assert [event.merchant_id for event in changes.events_new] == [user_id(7), None, None, None]


async def test_the_first_account_of_a_currency_brings_the_gateways_own(
    executor: CommandExecutor, storage: Storage
) -> None:
    await executor.execute(register(7, currency=EUR))
    await executor.execute(register(8, currency=EUR))
    own = await storage.reader.accounts(AccountFilter(owner_id=SYSTEM, currency=EUR), before=None, limit=100)
    assert {account.kind for account in own} == {AccountKind.FUNDING, AccountKind.FEES, AccountKind.EXCHANGE}
    assert len(own) == 3


async def test_an_operator_gets_no_account(executor: CommandExecutor, storage: Storage) -> None:
    registered = await executor.execute(register(7, Role.OPERATOR, JPY))
    assert registered.accounts == ()
    assert not await storage.reader.accounts(AccountFilter(currency=JPY), before=None, limit=100)


async def test_an_address_registers_once(executor: CommandExecutor, watch: Watch) -> None:
    await refused(executor, watch, register(1), EmailTaken)


async def test_an_owner_opens_an_account_in_another_currency(executor: CommandExecutor, storage: Storage) -> None:
    key = AccountKey(CUSTOMER, JPY, AccountKind.CUSTOMER)
    account = await executor.execute(OpenAccount(key=key))
    assert account.key == key
    assert await storage.reader.account(account.id) == account


async def test_an_account_is_opened_once(executor: CommandExecutor, watch: Watch) -> None:
    await refused(executor, watch, OpenAccount(key=AccountKey(CUSTOMER, USD, AccountKind.CUSTOMER)), AccountExists)


async def test_a_deposit_comes_from_outside(executor: CommandExecutor, storage: Storage, watch: Watch) -> None:
    made = await executor.execute(
        MakeDeposit(account_id=CUSTOMER_ACCOUNT, amount=usd(23), owner_id=CUSTOMER, reference="transfer 7")
    )
    assert (made.account_id, made.amount, made.reference, made.created_at) == (
        CUSTOMER_ACCOUNT,
        usd(23),
        "transfer 7",
        NOW,
    )
    assert await balances(storage) == (123, 0)
    funding = await storage.reader.account(FUNDING_ACCOUNT)
    assert funding is not None
    assert funding.available == -123
    transaction = await storage.reader.transaction(made.transaction_id)
    assert transaction is not None
    assert (transaction.type, transaction.description) == (TransactionType.DEPOSIT, "transfer 7")
    assert (transaction.customer_id, transaction.merchant_id) == (CUSTOMER, None)
    [transfer] = transaction.transfers
    assert (transfer.debit_account_id, transfer.credit_account_id) == (FUNDING_ACCOUNT, CUSTOMER_ACCOUNT)
    [changes] = watch.commits
    [event] = changes.events_new
    assert (event.type, event.object, event.customer_id) == (EventType.DEPOSIT_SUCCEEDED, made, CUSTOMER)


async def test_an_operator_deposits_to_anybodys_account(executor: CommandExecutor, storage: Storage) -> None:
    made: Deposit = await executor.execute(deposit(usd(5), MERCHANT_ACCOUNT))
    transaction = await storage.reader.transaction(made.transaction_id)
    assert transaction is not None
    assert (transaction.customer_id, transaction.merchant_id) == (None, MERCHANT)
    assert await balances(storage) == (100, 5)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (MakeDeposit(account_id=MERCHANT_ACCOUNT, amount=usd(1), owner_id=CUSTOMER), AccountNotFound),
        (deposit(usd(1), account_id(99)), AccountNotFound),
        (deposit(usd(1), FUNDING_ACCOUNT), AccountNotFound),
        (deposit(eur(1)), CurrencyMismatch),
        (FreezeAccount(account_id=account_id(99)), AccountNotFound),
        (FreezeAccount(account_id=FUNDING_ACCOUNT), AccountNotFound),
        (UnfreezeAccount(account_id=FUNDING_ACCOUNT), AccountNotFound),
        (pay(usd(1), merchant=1), SameAccount),
        (pay(usd(1), merchant=99), MerchantNotFound),
        (pay(usd(1), customer=2, merchant=1), MerchantNotFound),
        (pay(usd(1), customer=99), UserNotFound),
        (pay(eur(1)), CurrencyMismatch),
    ],
)
async def test_the_rules_say_no(
    executor: CommandExecutor, watch: Watch, command: Command[Any], kind: type[Refusal]
) -> None:
    await refused(executor, watch, command, kind)


async def test_a_deposit_in_a_currency_that_others_use_is_refused_too(executor: CommandExecutor, watch: Watch) -> None:
    await executor.execute(register(7, currency=EUR))
    watch.commits.clear()
    await refused(executor, watch, deposit(eur(1)), CurrencyMismatch)


async def test_a_customer_without_an_account_in_the_merchants_currency_cannot_pay(
    executor: CommandExecutor, watch: Watch
) -> None:
    await executor.execute(register(7, Role.MERCHANT, EUR))
    watch.commits.clear()
    await refused(executor, watch, pay(eur(1), merchant=7), CurrencyMismatch)


async def test_a_merchant_is_no_customer(executor: CommandExecutor, watch: Watch) -> None:
    await executor.execute(register(7, Role.MERCHANT))
    watch.commits.clear()
    await refused(executor, watch, pay(usd(1), customer=2, merchant=7), UserNotFound)


async def test_a_payment_moves_money_from_the_customer_to_the_merchant(
    executor: CommandExecutor, storage: Storage, watch: Watch
) -> None:
    paid = await executor.execute(pay(usd(40), reference="order-1"))
    payment, transaction = paid.payment, paid.transaction
    assert (payment.status, payment.amount_captured_minor) == (PaymentStatus.CAPTURED, 40)
    assert (transaction.type, transaction.payment_id) == (TransactionType.PAYMENT, payment.id)
    assert (transaction.customer_id, transaction.merchant_id) == (CUSTOMER, MERCHANT)
    [transfer] = transaction.transfers
    assert (transfer.debit_account_id, transfer.credit_account_id) == (CUSTOMER_ACCOUNT, MERCHANT_ACCOUNT)
    assert (transfer.debit_after.available, transfer.credit_after.available) == (60, 40)
    assert await balances(storage) == (60, 40)
    [changes] = watch.commits
    [event] = changes.events_new
    assert (event.type, event.object, event.sequence) == (EventType.PAYMENT_CAPTURED, payment, 1)
    assert (event.customer_id, event.merchant_id) == (CUSTOMER, MERCHANT)


async def test_a_reference_names_one_payment_of_a_merchant(executor: CommandExecutor, watch: Watch) -> None:
    await executor.execute(pay(usd(1), reference="order-1"))
    watch.commits.clear()
    await refused(executor, watch, pay(usd(1), reference="order-1"), DuplicateReference)


async def test_two_merchants_may_use_the_same_reference(executor: CommandExecutor) -> None:
    await executor.execute(register(7, Role.MERCHANT))
    await executor.execute(pay(usd(1), reference="order-1"))
    await executor.execute(pay(usd(1), reference="order-1", merchant=7))


async def test_a_payment_that_failed_for_lack_of_funds_gives_its_reference_back(executor: CommandExecutor) -> None:
    with pytest.raises(InsufficientFunds):
        await executor.execute(pay(usd(101), reference="order-1"))
    await executor.execute(deposit(usd(1)))
    paid = await executor.execute(pay(usd(101), reference="order-1"))
    assert paid.payment.reference == "order-1"


async def test_a_frozen_account_receives_but_does_not_pay(
    executor: CommandExecutor, storage: Storage, watch: Watch
) -> None:
    frozen: Account = await executor.execute(FreezeAccount(account_id=CUSTOMER_ACCOUNT))
    assert frozen.status is AccountStatus.FROZEN
    await executor.execute(deposit(usd(5)))
    assert (await balances(storage))[0] == 105
    watch.commits.clear()
    await refused(executor, watch, pay(usd(1)), AccountFrozen)
    unfrozen: Account = await executor.execute(UnfreezeAccount(account_id=CUSTOMER_ACCOUNT))
    assert (unfrozen.status, unfrozen.version) == (AccountStatus.OPEN, frozen.version + 2)
    await executor.execute(pay(usd(1)))


async def test_freezing_what_is_frozen_is_no_event(executor: CommandExecutor, watch: Watch) -> None:
    first = await executor.execute(FreezeAccount(account_id=CUSTOMER_ACCOUNT))
    again = await executor.execute(FreezeAccount(account_id=CUSTOMER_ACCOUNT))
    assert again == first
    frozen, unchanged = watch.commits
    assert [(event.type, event.object, event.sequence) for event in frozen.events_new] == [
        (EventType.ACCOUNT_FROZEN, first, first.version)
    ]
    assert (len(unchanged.events_new), len(unchanged.accounts_changed), len(unchanged.answers_new)) == (0, 0, 1)


async def test_a_counter_that_is_full_refuses(executor: CommandExecutor, storage: Storage, watch: Watch) -> None:
    full = an_account(99, currency=EUR, credits_posted=COUNTER_MAX, debits_posted=COUNTER_MAX)
    funding = an_account(98, owner_id=SYSTEM, kind=AccountKind.FUNDING, currency=EUR)
    assert funding.key == system_account(AccountKind.FUNDING, EUR)
    await commit(storage, Changes(accounts_new=[full, funding]))
    await refused(executor, watch, deposit(eur(1), full.id), BalanceOverflow)
