"""The only way money moves: out of one account, into another, in one step."""

from enum import StrEnum
from typing import Final, NamedTuple

from gateway.domain.account import MAY_BE_NEGATIVE, Account, AccountId, AccountStatus
from gateway.domain.checks import check_integer
from gateway.domain.errors import (
    AccountClosed,
    AccountFrozen,
    CurrencyMismatch,
    InsufficientFunds,
    SameAccount,
    UserDisabled,
)
from gateway.domain.immutable import immutable
from gateway.domain.money import COUNTER_MAX, CurrencyCode


class TransferKind(StrEnum):
    """Which of an account's counters a transfer moves."""

    POST = "post"
    HOLD = "hold"
    POST_HELD = "post_held"
    RELEASE = "release"


_OF_DISABLED_USERS: Final = frozenset({AccountStatus.SUSPENDED, AccountStatus.SUSPENDED_FROZEN})
_FROZEN: Final = frozenset({AccountStatus.FROZEN, AccountStatus.SUSPENDED_FROZEN})


class Effect(NamedTuple):
    """The factors (-1, 0 or 1) by which an amount is added to the debits of one account and the credits of another."""

    pending: int
    posted: int


EFFECTS: Final = {
    TransferKind.POST: Effect(pending=0, posted=1),
    TransferKind.HOLD: Effect(pending=1, posted=0),
    TransferKind.POST_HELD: Effect(pending=-1, posted=1),
    TransferKind.RELEASE: Effect(pending=-1, posted=0),
}


class BalanceAfter(NamedTuple):
    """What one account held right after a transfer, in minor units, and the version that the transfer gave it."""

    posted: int
    held: int
    version: int

    @property
    def available(self) -> int:
        """What could be spent right after the transfer."""
        return self.posted - self.held


@immutable
class Transfer:
    """One amount from the debited to the credited account. Immutable: corrections are new transfers."""

    kind: TransferKind
    amount_minor: int
    currency: CurrencyCode
    debit_account_id: AccountId
    debit_after: BalanceAfter
    credit_account_id: AccountId
    credit_after: BalanceAfter


class TransferResult(NamedTuple):
    """A transfer, with both accounts as it leaves them."""

    debit: Account
    credit: Account
    transfer: Transfer


def post(debit: Account, credit: Account, amount_minor: int) -> TransferResult:
    """Move `amount_minor` (≥ 1) from `debit` to `credit`, at once and for good.

    Raises:
        SameAccount: Both are one account.
        CurrencyMismatch: They count different currencies.
        AccountFrozen: The debited account may not pay.
        UserDisabled: The owner of one of them is disabled.
        AccountClosed: One of them is closed.
        InsufficientFunds: The debited account would fall below zero and is not one that may.
        BalanceOverflow: A counter would pass `COUNTER_MAX`.
    """
    _check_distinct_of_a_currency(debit, credit)
    _must_be_open(debit, credit)
    _must_be_available(debit, amount_minor)
    return _transfer(TransferKind.POST, debit, credit, amount_minor)


def give_back(debit: Account, credit: Account, amount_minor: int) -> TransferResult:
    """Post what belongs to an earlier transaction, such as a refund. The credited account may be suspended.

    Raises:
        SameAccount, CurrencyMismatch, AccountFrozen, AccountClosed, InsufficientFunds, BalanceOverflow: As `post`.
        UserDisabled: The owner of the debited account is disabled.
    """
    _check_distinct_of_a_currency(debit, credit)
    must_pay(debit)
    must_not_be_closed(credit)
    _must_be_available(debit, amount_minor)
    return _transfer(TransferKind.POST, debit, credit, amount_minor)


def charge(debit: Account, credit: Account, amount_minor: int) -> TransferResult:
    """Post a fee out of what has just arrived at `debit`. A frozen account is charged too: it receives less the fee.

    Raises:
        SameAccount, CurrencyMismatch, InsufficientFunds, BalanceOverflow: As `post`.
    """
    _check_distinct_of_a_currency(debit, credit)
    _must_be_available(debit, amount_minor)
    return _transfer(TransferKind.POST, debit, credit, amount_minor)


def hold(debit: Account, credit: Account, amount_minor: int) -> TransferResult:
    """Promise `amount_minor` (≥ 1) of `debit` to `credit`: it can be spent no more, and has not arrived yet.

    Raises:
        SameAccount, CurrencyMismatch, AccountFrozen, UserDisabled, AccountClosed, InsufficientFunds, BalanceOverflow:
            As `post`.
    """
    _check_distinct_of_a_currency(debit, credit)
    _must_be_open(debit, credit)
    _must_be_available(debit, amount_minor)
    return _transfer(TransferKind.HOLD, debit, credit, amount_minor)


def post_held(debit: Account, credit: Account, amount_minor: int) -> TransferResult:
    """Move `amount_minor` (≥ 1) that was held, all of it or a part, from `debit` to `credit`.

    The hold was begun before: suspended accounts do not prevent it.

    Raises:
        SameAccount, CurrencyMismatch, AccountFrozen, BalanceOverflow: As `post`.
        InsufficientFunds: Less is held between them.
    """
    _check_distinct_of_a_currency(debit, credit)
    if debit.status in _FROZEN:
        raise AccountFrozen("The paying account is frozen.")
    must_not_be_closed(credit)
    _must_be_held(debit, credit, amount_minor)
    return _transfer(TransferKind.POST_HELD, debit, credit, amount_minor)


def release(debit: Account, credit: Account, amount_minor: int) -> TransferResult:
    """Give `amount_minor` (≥ 1) that was held back to `debit`. Frozen accounts too: a hold never outlives its payment.

    Raises:
        SameAccount, CurrencyMismatch: As `post`.
        InsufficientFunds: Less is held between them.
    """
    _check_distinct_of_a_currency(debit, credit)
    _must_be_held(debit, credit, amount_minor)
    return _transfer(TransferKind.RELEASE, debit, credit, amount_minor)


def _check_distinct_of_a_currency(debit: Account, credit: Account) -> None:
    if debit.id == credit.id:
        raise SameAccount("An account cannot pay itself.")
    if debit.currency != credit.currency:
        raise CurrencyMismatch(f"The payer's account is in {debit.currency}, the payee's in {credit.currency}.")


def _must_be_open(debit: Account, credit: Account) -> None:
    if debit.status is not AccountStatus.OPEN:
        must_pay(debit)
    # Nearly every account is open: the statuses that do not receive are looked at after that.
    if credit.status is not AccountStatus.OPEN:
        must_receive(credit)


def must_receive(account: Account) -> None:
    """Check that an account may be paid something new. A frozen one may.

    Raises:
        UserDisabled: Its owner is disabled.
        AccountClosed: It is closed.
    """
    must_not_be_closed(account)
    if account.status in _OF_DISABLED_USERS:
        raise UserDisabled("The owner of the receiving account is disabled.")


def must_pay(account: Account) -> None:
    """Check that an account may pay something new.

    Raises:
        AccountFrozen: It is frozen.
        UserDisabled: Its owner is disabled.
        AccountClosed: It is closed.
    """
    if account.status is AccountStatus.CLOSED:
        raise AccountClosed("The paying account is closed.")
    if account.status in _OF_DISABLED_USERS:
        raise UserDisabled("The owner of the paying account is disabled.")
    if account.status is AccountStatus.FROZEN:
        raise AccountFrozen("The paying account is frozen.")


def must_not_be_closed(account: Account) -> None:
    """Check that an account may take back what was its own, also if its owner is disabled.

    Raises:
        AccountClosed: It is closed.
    """
    if account.status is AccountStatus.CLOSED:
        raise AccountClosed("The receiving account is closed.")


def _must_be_available(debit: Account, amount_minor: int) -> None:
    if debit.kind not in MAY_BE_NEGATIVE and debit.available < amount_minor:
        raise InsufficientFunds("The available balance does not cover the amount.")


def _must_be_held(debit: Account, credit: Account, amount_minor: int) -> None:
    if min(debit.debits_pending, credit.credits_pending) < amount_minor:
        raise InsufficientFunds("What is held does not cover the amount.")


def _transfer(kind: TransferKind, debit: Account, credit: Account, amount_minor: int) -> TransferResult:
    if type(amount_minor) is not int or amount_minor < 1:
        check_integer("amount_minor", amount_minor, 1, COUNTER_MAX)
    effect = EFFECTS[kind]
    pending, posted = effect.pending * amount_minor, effect.posted * amount_minor
    debit_after = debit.changed(debits_pending=pending, debits_posted=posted)
    credit_after = credit.changed(credits_pending=pending, credits_posted=posted)
    return TransferResult(
        debit_after,
        credit_after,
        Transfer(
            kind=kind,
            amount_minor=amount_minor,
            currency=debit.currency,
            debit_account_id=debit.id,
            debit_after=BalanceAfter(debit_after.posted, debit_after.held, debit_after.version),
            credit_account_id=credit.id,
            credit_after=BalanceAfter(credit_after.posted, credit_after.held, credit_after.version),
        ),
    )
