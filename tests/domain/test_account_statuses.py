"""What accounts of each status may do, and which status follows which."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.contracts.records import an_account
from gateway.domain.account import Account, AccountStatus
from gateway.domain.errors import AccountNotEmpty, Refusal
from gateway.domain.transfer import charge, give_back, hold, post, post_held, release

OPEN, FROZEN, SUSPENDED, BOTH, CLOSED = AccountStatus
PAYER = an_account(1, credits_posted=100, debits_pending=10)
PAYEE = an_account(2, credits_pending=10)

MAY_NOT_PAY = {FROZEN: "account_frozen", SUSPENDED: "user_disabled", BOTH: "user_disabled", CLOSED: "account_closed"}
MAY_NOT_BE_PAID = {SUSPENDED: "user_disabled", BOTH: "user_disabled", CLOSED: "account_closed"}
REFUSED: dict[Callable[[Account, Account, int], object], tuple[dict[AccountStatus, str], dict[AccountStatus, str]]] = {
    post: (MAY_NOT_PAY, MAY_NOT_BE_PAID),
    hold: (MAY_NOT_PAY, MAY_NOT_BE_PAID),
    give_back: (MAY_NOT_PAY, {CLOSED: "account_closed"}),
    post_held: ({FROZEN: "account_frozen", BOTH: "account_frozen"}, {CLOSED: "account_closed"}),
    charge: ({}, {}),
    release: ({}, {}),
}
"""Of each way to move money, the statuses of the debited and of the credited account that refuse it."""


def code_of(move: Callable[[Account, Account, int], object], payer: Account, payee: Account) -> str:
    try:
        move(payer, payee, 10)
    except Refusal as refusal:
        return refusal.code
    return ""


@pytest.mark.parametrize("move", REFUSED)
@pytest.mark.parametrize("status", AccountStatus)
def test_a_status_refuses_what_it_must(move: Callable[[Account, Account, int], object], status: AccountStatus) -> None:
    paying, paid = REFUSED[move]
    assert code_of(move, replace(PAYER, status=status), PAYEE) == paying.get(status, "")
    assert code_of(move, PAYER, replace(PAYEE, status=status)) == paid.get(status, "")


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (Account.frozen, {OPEN: FROZEN, SUSPENDED: BOTH}),
        (Account.unfrozen, {FROZEN: OPEN, BOTH: SUSPENDED}),
        (Account.suspended, {OPEN: SUSPENDED, FROZEN: BOTH}),
        (Account.resumed, {SUSPENDED: OPEN, BOTH: FROZEN}),
        (Account.closed, {status: CLOSED for status in AccountStatus if status is not CLOSED}),
    ],
)
def test_a_change_of_the_status_is_one_version_or_none(
    change: Callable[[Account], Account], after: dict[AccountStatus, AccountStatus]
) -> None:
    for status in AccountStatus:
        before = an_account(1, status=status, version=7)
        changed = change(before)
        if status in after:
            assert changed == replace(before, status=after[status], version=8)
        else:
            assert changed is before


@pytest.mark.parametrize(
    ("counters", "told"),
    [
        ({"credits_posted": 5}, {"posted": 5, "held": 0, "incoming": 0}),
        ({"credits_posted": 5, "debits_pending": 5}, {"posted": 5, "held": 5, "incoming": 0}),
        ({"credits_pending": 3}, {"posted": 0, "held": 0, "incoming": 3}),
    ],
)
def test_an_account_that_is_not_empty_is_not_closed(counters: dict[str, int], told: dict[str, int]) -> None:
    with pytest.raises(AccountNotEmpty) as refused:
        an_account(1, **counters).closed()
    assert refused.value.facts == told


def test_an_account_that_has_been_emptied_is_closed() -> None:
    used = an_account(1, credits_posted=5, debits_posted=5, version=3)
    assert used.closed().status is CLOSED
