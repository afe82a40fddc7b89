"""Held money is promised: it can be spent by nobody, and is taken or given back to the last unit."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contracts.records import EUR, an_account
from gateway.domain.account import MAY_BE_NEGATIVE, Account, AccountStatus
from gateway.domain.errors import (
    AccountClosed,
    AccountFrozen,
    BalanceOverflow,
    CurrencyMismatch,
    InsufficientFunds,
    Refusal,
    SameAccount,
)
from gateway.domain.money import COUNTER_MAX
from gateway.domain.transfer import EFFECTS, TransferKind, TransferResult, charge, hold, post, post_held, release

MOVES: dict[TransferKind, Callable[[Account, Account, int], TransferResult]] = {
    TransferKind.POST: post,
    TransferKind.HOLD: hold,
    TransferKind.POST_HELD: post_held,
    TransferKind.RELEASE: release,
}
every_kind = pytest.mark.parametrize("kind", TransferKind)


def payer(**fields: object) -> Account:
    return an_account(1, **{"credits_posted": 100, **fields})


def counters(account: Account) -> tuple[int, int, int, int]:
    return account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted


def test_a_hold_can_be_taken_in_parts_and_the_rest_given_back() -> None:
    held = hold(payer(), an_account(2), 60)
    assert (held.debit.available, held.debit.held, held.credit.incoming, held.credit.available) == (40, 60, 60, 0)
    taken = post_held(held.debit, held.credit, 50)
    assert (taken.debit.available, taken.debit.held, taken.credit.incoming, taken.credit.available) == (40, 10, 10, 50)
    back = release(taken.debit, taken.credit, 10)
    assert (back.debit.available, back.debit.held, back.credit.incoming, back.credit.available) == (50, 0, 0, 50)
    assert (back.debit.version, back.credit.version) == (4, 4)


@every_kind
def test_a_transfer_moves_the_counters_that_its_kind_says(kind: TransferKind) -> None:
    debit, credit = payer(debits_pending=30), an_account(2, credits_pending=30)
    moved = MOVES[kind](debit, credit, 7)
    effect = EFFECTS[kind]
    assert counters(moved.debit) == (30 + 7 * effect.pending, 7 * effect.posted, 0, 100)
    assert counters(moved.credit) == (0, 0, 30 + 7 * effect.pending, 7 * effect.posted)
    assert (moved.transfer.kind, moved.transfer.amount_minor) == (kind, 7)
    assert moved.transfer.debit_after == (moved.debit.posted, moved.debit.held, moved.debit.version)
    assert moved.transfer.credit_after == (moved.credit.posted, moved.credit.held, moved.credit.version)


@every_kind
def test_every_transfer_is_between_two_accounts_of_a_currency(kind: TransferKind) -> None:
    with pytest.raises(SameAccount):
        MOVES[kind](payer(), payer(), 1)
    with pytest.raises(CurrencyMismatch):
        MOVES[kind](payer(), an_account(2, currency=EUR), 1)


@pytest.mark.parametrize("kind", [TransferKind.POST_HELD, TransferKind.RELEASE])
def test_no_more_than_is_held_can_be_taken_or_given_back(kind: TransferKind) -> None:
    debit, credit = payer(debits_pending=10), an_account(2, credits_pending=10)
    assert MOVES[kind](debit, credit, 10).debit.held == 0
    with pytest.raises(InsufficientFunds):
        MOVES[kind](debit, credit, 11)
    with pytest.raises(InsufficientFunds):
        MOVES[kind](debit, an_account(3), 1)


def test_what_is_held_cannot_be_held_again() -> None:
    with pytest.raises(InsufficientFunds):
        hold(payer(debits_pending=60), an_account(2), 41)


@pytest.mark.parametrize("kind", [TransferKind.POST, TransferKind.HOLD, TransferKind.POST_HELD])
def test_a_frozen_account_does_not_pay(kind: TransferKind) -> None:
    with pytest.raises(AccountFrozen):
        MOVES[kind](payer(debits_pending=10).frozen(), an_account(2, credits_pending=10), 1)
    with pytest.raises(AccountClosed):
        MOVES[kind](payer(debits_pending=10), an_account(2, credits_pending=10, status=AccountStatus.CLOSED), 1)


def test_what_is_held_goes_back_to_a_frozen_account_too() -> None:
    assert release(payer(debits_pending=10).frozen(), an_account(2, credits_pending=10).frozen(), 10).debit.held == 0


def test_a_frozen_account_is_charged_out_of_what_it_receives() -> None:
    assert charge(payer().frozen(), an_account(2), 3).debit.available == 97
    with pytest.raises(InsufficientFunds):
        charge(payer(), an_account(2), 101)


def test_a_hold_that_no_counter_can_take_is_refused() -> None:
    with pytest.raises(BalanceOverflow):
        hold(payer(), an_account(2, credits_pending=COUNTER_MAX), 1)


kinds = st.sampled_from(list(TransferKind))
histories = st.lists(st.tuples(kinds, st.integers(0, 2), st.integers(0, 2), st.integers(1, 60)), max_size=40)


@given(histories)
def test_no_history_makes_or_loses_money(history: list[tuple[TransferKind, int, int, int]]) -> None:
    accounts = [an_account(n, credits_posted=100) for n in range(3)]
    for kind, debit, credit, amount_minor in history:
        try:
            moved = MOVES[kind](accounts[debit], accounts[credit], amount_minor)
        except Refusal:
            continue
        accounts[debit], accounts[credit] = moved.debit, moved.credit
        assert min(counter for account in accounts for counter in counters(account)) >= 0
        assert all(account.available >= 0 for account in accounts if account.kind not in MAY_BE_NEGATIVE)
    assert sum(account.posted for account in accounts) == 300
    assert sum(account.held for account in accounts) == sum(account.incoming for account in accounts)
