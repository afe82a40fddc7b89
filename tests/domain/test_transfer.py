"""Money moves from one account to another, in one step, and none is made or lost."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contracts.records import EUR, NOW, USD, account_id, an_account
from gateway.domain.account import (
    MAY_BE_NEGATIVE,
    Account,
    AccountKey,
    AccountKind,
    AccountStatus,
    open_account,
    system_account,
)
from gateway.domain.errors import (
    AccountClosed,
    AccountFrozen,
    BalanceOverflow,
    CurrencyMismatch,
    InsufficientFunds,
    Refusal,
    SameAccount,
)
from gateway.domain.money import AMOUNT_MINOR_MAX, COUNTER_MAX
from gateway.domain.transfer import BalanceAfter, Transfer, post

KINDS = (
    AccountKind.FUNDING,
    AccountKind.CUSTOMER,
    AccountKind.CUSTOMER,
    AccountKind.MERCHANT,
    AccountKind.FEES,
    AccountKind.EXCHANGE,
    AccountKind.CUSTOMER,
)
STATUSES = (*[AccountStatus.OPEN] * 5, AccountStatus.FROZEN, AccountStatus.OPEN)
CURRENCIES = (*[USD] * 6, EUR)

numbers = st.integers(0, len(KINDS) - 1)
amounts = st.one_of(st.integers(1, 50), st.sampled_from([AMOUNT_MINOR_MAX, COUNTER_MAX]))
wishes = st.lists(st.tuples(numbers, numbers, amounts), min_size=1, max_size=40)


def ledger() -> list[Account]:
    return [
        an_account(n, kind=kind, status=status, currency=currency)
        for n, (kind, status, currency) in enumerate(zip(KINDS, STATUSES, CURRENCIES, strict=True))
    ]


def play(accounts: list[Account], history: Sequence[tuple[int, int, int]]) -> list[Transfer]:
    """Try each transfer; those which the rules refuse change nothing."""
    transfers: list[Transfer] = []
    for debit, credit, amount_minor in history:
        try:
            moved = post(accounts[debit], accounts[credit], amount_minor)
        except Refusal:
            continue
        accounts[debit], accounts[credit] = moved.debit, moved.credit
        transfers.append(moved.transfer)
    return transfers


@given(wishes)
def test_money_is_neither_made_nor_lost(history: list[tuple[int, int, int]]) -> None:
    accounts = ledger()
    play(accounts, history)
    for currency in (USD, EUR):
        of_it = [account for account in accounts if account.currency == currency]
        assert sum(account.debits_posted for account in of_it) == sum(account.credits_posted for account in of_it)
        assert sum(account.posted for account in of_it) == 0


@given(wishes)
def test_only_accounts_that_may_fall_below_zero(history: list[tuple[int, int, int]]) -> None:
    accounts = ledger()
    play(accounts, history)
    assert all(account.available >= 0 for account in accounts if account.kind not in MAY_BE_NEGATIVE)


@given(wishes)
def test_counters_never_shrink_and_never_pass_64_bits(history: list[tuple[int, int, int]]) -> None:
    accounts = ledger()
    for wish in history:
        before = list(accounts)
        play(accounts, [wish])
        for old, new in zip(before, accounts, strict=True):
            assert 0 <= old.debits_posted <= new.debits_posted <= COUNTER_MAX
            assert 0 <= old.credits_posted <= new.credits_posted <= COUNTER_MAX
            assert (new.debits_pending, new.credits_pending) == (0, 0)


@given(wishes)
def test_a_transfer_changes_two_accounts_by_its_amount_and_nothing_else(history: list[tuple[int, int, int]]) -> None:
    accounts = ledger()
    for debit, credit, amount_minor in history:
        before = list(accounts)
        transfers = play(accounts, [(debit, credit, amount_minor)])
        if transfers:
            was = before[debit]
            before[debit] = replace(was, debits_posted=was.debits_posted + amount_minor, version=was.version + 1)
            was = before[credit]
            before[credit] = replace(was, credits_posted=was.credits_posted + amount_minor, version=was.version + 1)
        assert accounts == before


@given(wishes)
def test_every_transfer_tells_the_balances_it_left(history: list[tuple[int, int, int]]) -> None:
    accounts = ledger()
    for debit, credit, amount_minor in history:
        for transfer in play(accounts, [(debit, credit, amount_minor)]):
            for account, after in (
                (accounts[debit], transfer.debit_after),
                (accounts[credit], transfer.credit_after),
            ):
                assert after == BalanceAfter(account.posted, account.held, account.version)
                assert after.available == account.available
            assert (transfer.debit_account_id, transfer.credit_account_id) == (accounts[debit].id, accounts[credit].id)
            assert (transfer.amount_minor, transfer.currency) == (amount_minor, accounts[debit].currency)


@given(wishes)
def test_the_versions_of_an_account_have_no_gaps(history: list[tuple[int, int, int]]) -> None:
    accounts = ledger()
    versions: dict[str, list[int]] = {account.id: [account.version] for account in accounts}
    for transfer in play(accounts, history):
        versions[transfer.debit_account_id].append(transfer.debit_after.version)
        versions[transfer.credit_account_id].append(transfer.credit_after.version)
    for account in accounts:
        assert versions[account.id] == list(range(1, account.version + 1))


def test_nobody_pays_themselves() -> None:
    account = an_account(1, credits_posted=100)
    with pytest.raises(SameAccount):
        post(account, account, 1)


def test_money_moves_within_one_currency() -> None:
    with pytest.raises(CurrencyMismatch, match=r"USD.*EUR"):
        post(an_account(1, credits_posted=100), an_account(2, currency=EUR), 1)


def test_the_last_cent_can_be_spent_and_not_one_more() -> None:
    payer, payee = an_account(1, credits_posted=40), an_account(2)
    assert post(payer, payee, 40).debit.available == 0
    with pytest.raises(InsufficientFunds):
        post(payer, payee, 41)


def test_held_money_cannot_be_spent() -> None:
    payer, payee = an_account(1, credits_posted=40, debits_pending=30), an_account(2)
    assert post(payer, payee, 10).debit.available == 0
    with pytest.raises(InsufficientFunds):
        post(payer, payee, 11)


def test_incoming_money_cannot_be_spent_yet() -> None:
    with pytest.raises(InsufficientFunds):
        post(an_account(1, credits_pending=40), an_account(2), 1)


def test_a_frozen_account_receives_but_does_not_pay() -> None:
    frozen, other = an_account(1, credits_posted=40).frozen(), an_account(2, credits_posted=40)
    with pytest.raises(AccountFrozen):
        post(frozen, other, 1)
    assert post(other, frozen, 1).credit.available == 41
    assert post(frozen.unfrozen(), other, 1).debit.available == 39


def test_a_closed_account_neither_receives_nor_pays() -> None:
    closed, other = an_account(1, credits_posted=40, status=AccountStatus.CLOSED), an_account(2, credits_posted=40)
    with pytest.raises(AccountClosed):
        post(closed, other, 1)
    with pytest.raises(AccountClosed):
        post(other, closed, 1)


@pytest.mark.parametrize(("room", "amount_minor"), [(0, 1), (5, 6), (AMOUNT_MINOR_MAX - 1, AMOUNT_MINOR_MAX)])
def test_a_counter_that_is_full_refuses(room: int, amount_minor: int) -> None:
    full = COUNTER_MAX - room
    funding = an_account(2, kind=AccountKind.FUNDING)
    with pytest.raises(BalanceOverflow):
        post(funding, an_account(1, credits_posted=full, debits_posted=full), amount_minor)
    with pytest.raises(BalanceOverflow):
        post(an_account(3, kind=AccountKind.FUNDING, debits_posted=full), an_account(1), amount_minor)
    to_the_brim = post(funding, an_account(1, credits_posted=full, debits_posted=full), room) if room else None
    assert to_the_brim is None or to_the_brim.credit.credits_posted == COUNTER_MAX


@pytest.mark.parametrize("counter", ["debits_pending", "debits_posted", "credits_pending", "credits_posted"])
def test_every_counter_is_bounded(counter: str) -> None:
    account = an_account(1, **{counter: COUNTER_MAX})
    one_more: dict[str, Any] = {counter: 1}
    with pytest.raises(BalanceOverflow):
        account.changed(**one_more)


def test_freezing_what_is_frozen_changes_nothing() -> None:
    account = an_account(1)
    frozen = account.frozen()
    assert (frozen.status, frozen.version) == (AccountStatus.FROZEN, 2)
    assert frozen.frozen() is frozen
    assert account.unfrozen() is account
    assert frozen.unfrozen() == replace(account, version=3)


def test_a_balance_is_told_in_four_ways() -> None:
    account = an_account(1, debits_pending=1, debits_posted=20, credits_pending=300, credits_posted=4000)
    assert (account.posted, account.held, account.available, account.incoming) == (3980, 1, 3979, 300)


def test_a_new_account_is_empty_open_and_at_version_one() -> None:
    key = AccountKey(an_account(1).owner_id, USD, AccountKind.CUSTOMER)
    account = open_account(key, account_id=account_id(1), now=NOW)
    assert account == an_account(1)
    assert account.key == key


def test_the_gateways_own_accounts_belong_to_the_system() -> None:
    assert system_account(AccountKind.FEES, EUR) == ("system", "EUR", "fees")
