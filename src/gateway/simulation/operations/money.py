"""Deposits, payouts and reversals."""

from typing import Final

from gateway.application.commands.deposit import MakeDeposit
from gateway.application.commands.payout import MakePayout
from gateway.application.commands.reverse_transaction import ReverseTransaction
from gateway.domain.account import AccountId
from gateway.domain.money import CurrencyCode, Money
from gateway.domain.user import UserId
from gateway.simulation.world import CURRENCIES, NOBODY, World

USUAL_MINOR: Final = 20_000
"""The typical amount of a deposit."""


def deposit(world: World) -> MakeDeposit:
    """A deposit by an operator or the owner; seldom by another user, or in another currency."""
    account_id = world.account()
    owner, currency = owner_of(world, account_id)
    return MakeDeposit(
        account_id=account_id,
        amount=Money(world.amount(USUAL_MINOR), currency),
        owner_id=None if world.chance(50) else owner,
    )


def payout(world: World) -> MakePayout:
    """A payout by the owner: a part, exactly all, or one minor unit more than available."""
    account_id = world.account()
    owner, currency = owner_of(world, account_id)
    key = world.model.keys.get(account_id)
    available = 0 if key is None else world.model.accounts[key].available
    return MakePayout(account_id=account_id, amount=Money(world.amount(available), currency), owner_id=owner)


def reverse(world: World) -> ReverseTransaction:
    """An operator reverses a transaction, which only some types allow."""
    return ReverseTransaction(transaction_id=world.transaction(), reason="a mistake")


def owner_of(world: World, account_id: AccountId) -> tuple[UserId, CurrencyCode]:
    """The user and the currency of a command on an account: mostly the right ones."""
    key = world.model.keys.get(account_id)
    owner = NOBODY if key is None or world.chance(2) else key.owner_id
    currency = world.one_of(CURRENCIES) if key is None or world.chance(2) else key.currency
    return owner, currency


OPERATIONS: Final = ((14, deposit), (6, payout), (4, reverse))
