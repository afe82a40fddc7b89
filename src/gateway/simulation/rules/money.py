"""Money in and out: deposits, payouts, and their reversals."""

from datetime import datetime
from typing import Final

from gateway.application.commands.deposit import MakeDeposit
from gateway.application.commands.payout import MakePayout
from gateway.application.commands.reverse_transaction import ReverseTransaction
from gateway.domain.account import AccountKind
from gateway.domain.user import SYSTEM
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model, Refused, Rules
from gateway.simulation.model_records import Move, own_key


def deposit(model: Model, command: MakeDeposit, now: datetime) -> Effect:
    """Deposit: from the funding account to an account, also a frozen one."""
    key = model.key_of(command.account_id)
    if command.owner_id not in {None, key.owner_id}:
        raise Refused("account_not_found")
    if key.currency != command.amount.currency:
        raise Refused("currency_mismatch")
    model.must_receive(key)
    amount = command.amount.amount_minor
    return Effect(
        told=("deposit", amount),
        moves=(Move("post", own_key(AccountKind.FUNDING, key.currency), key, amount),),
        transaction="deposit",
        recorded="deposit.made" if command.owner_id is None else "",
        events=("deposit.succeeded",),
    )


def payout(model: Model, command: MakePayout, now: datetime) -> Effect:
    """Payout: from an account of its owner's to the funding account."""
    key = model.key_of(command.account_id)
    if command.owner_id != key.owner_id:
        raise Refused("account_not_found")
    if key.currency != command.amount.currency:
        raise Refused("currency_mismatch")
    amount = command.amount.amount_minor
    if model.must_pay(key).available < amount:
        raise Refused("insufficient_funds")
    return Effect(
        told=("payout", amount),
        moves=(Move("post", key, own_key(AccountKind.FUNDING, key.currency), amount),),
        transaction="payout",
        events=("payout.succeeded",),
    )


def reverse(model: Model, command: ReverseTransaction, now: datetime) -> Effect:
    """Reverse a transaction: the same amount the other way, once."""
    original = model.transactions.get(command.transaction_id)
    if original is None:
        raise Refused("transaction_not_found")
    if original.type == "reversal":
        raise Refused("transaction_not_reversible")
    if original.type not in {"deposit", "payout"}:
        raise Refused("use_refund")
    if original.reversed:
        raise Refused("already_reversed")
    back = original.move
    short = model.must_pay(back.credit).available < back.amount
    model.must_not_be_closed(back.debit)
    if short and back.credit.owner_id != SYSTEM:
        raise Refused("insufficient_funds")
    return Effect(
        told=("reversal", back.amount),
        moves=(Move("post", back.credit, back.debit, back.amount),),
        transaction="reversal",
        recorded="transaction.reversed",
        reverses=command.transaction_id,
        events=("transaction.reversed",),
    )


RULES: Final[Rules] = {MakeDeposit: deposit, MakePayout: payout, ReverseTransaction: reverse}
