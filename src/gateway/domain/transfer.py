"""The only way money moves: out of one account, into another, in one step."""

from enum import StrEnum
from typing import NamedTuple

from gateway.domain.account import MAY_BE_NEGATIVE, Account, AccountId, AccountStatus
from gateway.domain.errors import AccountFrozen, CurrencyMismatch, InsufficientFunds, SameAccount
from gateway.domain.money import CurrencyCode
from gateway.domain.value import value


class TransferKind(StrEnum):
    """Which of an account's counters a transfer moves."""

    POST = "post"


class BalanceAfter(NamedTuple):
    """What one account held right after a transfer, in minor units, and the version that the transfer gave it."""

    posted: int
    held: int
    version: int

    @property
    def available(self) -> int:
        """What could be spent right after the transfer."""
        return self.posted - self.held


@value
class Transfer:
    """One amount from the debited to the credited account. Immutable: corrections are new transfers."""

    kind: TransferKind
    amount_minor: int
    currency: CurrencyCode
    debit_account_id: AccountId
    debit_after: BalanceAfter
    credit_account_id: AccountId
    credit_after: BalanceAfter


class Moved(NamedTuple):
    """A transfer, with both accounts as it leaves them."""

    debit: Account
    credit: Account
    transfer: Transfer


def post(debit: Account, credit: Account, amount_minor: int) -> Moved:
    """Move `amount_minor` (≥ 1) from `debit` to `credit`, at once and for good.

    Raises:
        SameAccount: Both are one account.
        CurrencyMismatch: They count different currencies.
        AccountFrozen: The debited account may not pay, or the credited one is closed.
        InsufficientFunds: The debited account would fall below zero and is not one that may.
        BalanceOverflow: A counter would pass `COUNTER_MAX`.
    """
    if debit.id == credit.id:
        raise SameAccount("An account cannot pay itself.")
    if debit.currency != credit.currency:
        raise CurrencyMismatch(f"The payer's account is in {debit.currency}, the payee's in {credit.currency}.")
    if debit.status is not AccountStatus.OPEN:
        raise AccountFrozen("The paying account is frozen.")
    if credit.status is AccountStatus.CLOSED:
        raise AccountFrozen("The receiving account is closed.")
    if debit.kind not in MAY_BE_NEGATIVE and debit.available < amount_minor:
        raise InsufficientFunds("The available balance does not cover the amount.")
    debit_after = debit.changed(debits_posted=amount_minor)
    credit_after = credit.changed(credits_posted=amount_minor)
    return Moved(
        debit_after,
        credit_after,
        Transfer(
            kind=TransferKind.POST,
            amount_minor=amount_minor,
            currency=debit.currency,
            debit_account_id=debit.id,
            debit_after=BalanceAfter(debit_after.posted, debit_after.held, debit_after.version),
            credit_account_id=credit.id,
            credit_after=BalanceAfter(credit_after.posted, credit_after.held, credit_after.version),
        ),
    )
