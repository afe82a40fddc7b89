"""Accounts: one per owner, currency and kind; frozen ones receive and do not pay; merchants' have fees."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.application.commands.freeze_account import FreezeAccount, UnfreezeAccount
from gateway.application.commands.open_account import OpenAccount
from gateway.application.commands.register import Register
from gateway.application.commands.set_fees import SetFees
from gateway.domain.account import AccountKey, AccountKind
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model, Refused, Rules
from gateway.simulation.model_records import ModelAccount, customer_key, merchant_key, own_key


def register(model: Model, command: Register, now: datetime) -> Effect:
    """An address registers once, and so does an id; customers and merchants get an account."""
    if command.email in model.emails:
        raise Refused("email_taken")
    if command.user_id in model.user_ids:
        raise Refused("user_exists")
    if command.role == "operator":
        return Effect(email=command.email, user_id=command.user_id, told=("registered", 0))
    key_of = customer_key if command.role == "customer" else merchant_key
    opened = _missing(model, key_of(command.user_id, command.currency))
    return Effect(
        email=command.email,
        user_id=command.user_id,
        told=("registered", 1),
        opened=opened,
        events=("account.opened",) * len(opened),
    )


def open_account(model: Model, command: OpenAccount, now: datetime) -> Effect:
    """Open an account: one for each key."""
    if command.key in model.accounts:
        raise Refused("account_exists")
    opened = _missing(model, command.key)
    return Effect(told=ModelAccount(), opened=opened, events=("account.opened",) * len(opened))


def freeze(model: Model, command: FreezeAccount, now: datetime) -> Effect:
    """Freeze an account: it may not pay."""
    return _with_status(model, model.key_of(command.account_id), frozen=True)


def unfreeze(model: Model, command: UnfreezeAccount, now: datetime) -> Effect:
    """Unfreeze an account: it may pay again."""
    return _with_status(model, model.key_of(command.account_id), frozen=False)


def set_fees(model: Model, command: SetFees, now: datetime) -> Effect:
    """Set the fees of later captures."""
    key = model.payee(command.merchant_id, command.currency)
    before = model.accounts[key]
    wanted = (command.fees.basis_points, command.fees.fixed_minor)
    if wanted == (before.basis_points, before.fixed_minor):
        return Effect(told=before)
    after = replace(before, basis_points=wanted[0], fixed_minor=wanted[1], version=before.version + 1)
    return Effect(told=after, changed={key: after}, events=("account.fees_changed",))


def _with_status(model: Model, key: AccountKey, *, frozen: bool) -> Effect:
    before = model.accounts[key]
    if before.frozen is frozen:
        return Effect(told=before)
    after = replace(before, frozen=frozen, version=before.version + 1)
    return Effect(told=after, changed={key: after}, events=("account.frozen" if frozen else "account.unfrozen",))


def _missing(model: Model, key: AccountKey) -> tuple[AccountKey, ...]:
    own = [own_key(kind, key.currency) for kind in (AccountKind.FUNDING, AccountKind.FEES, AccountKind.EXCHANGE)]
    return tuple(each for each in (key, *own) if each not in model.accounts)


RULES: Final[Rules] = {
    Register: register,
    OpenAccount: open_account,
    FreezeAccount: freeze,
    UnfreezeAccount: unfreeze,
    SetFees: set_fees,
}
