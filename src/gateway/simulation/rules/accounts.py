"""Accounts: one per owner, currency and kind; frozen ones receive and do not pay; merchants' have fees.

The accounts of a disabled user neither pay nor are paid, and a closed account does nothing any more.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.application.commands.close_account import CloseAccount
from gateway.application.commands.disable_user import DisableUser, EnableUser
from gateway.application.commands.end_sessions import EndSessions
from gateway.application.commands.freeze_account import FreezeAccount, UnfreezeAccount
from gateway.application.commands.open_account import OpenAccount
from gateway.application.commands.register import Register
from gateway.application.commands.set_fees import SetFees
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.user import UserId
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
        return Effect(
            email=command.email,
            user_id=command.user_id,
            role="operator",
            told=("registered", 0),
            recorded="operator.created",
        )
    key_of = customer_key if command.role == "customer" else merchant_key
    opened = missing_accounts(model, key_of(command.user_id, command.currency))
    return Effect(
        email=command.email,
        user_id=command.user_id,
        role=command.role.value,
        told=("registered", 1),
        opened=opened,
        events=("account.opened",) * len(opened),
    )


def open_account(model: Model, command: OpenAccount, now: datetime) -> Effect:
    """Open an account: one for each key."""
    if command.key in model.accounts:
        raise Refused("account_exists")
    if model.disabled.get(command.key.owner_id):
        raise Refused("user_disabled")
    opened = missing_accounts(model, command.key)
    return Effect(told=ModelAccount(), opened=opened, events=("account.opened",) * len(opened))


def freeze(model: Model, command: FreezeAccount, now: datetime) -> Effect:
    """Freeze an account: it may not pay."""
    return _with_status(model, model.key_of(command.account_id), frozen=True)


def unfreeze(model: Model, command: UnfreezeAccount, now: datetime) -> Effect:
    """Unfreeze an account: it may pay again."""
    return _with_status(model, model.key_of(command.account_id), frozen=False)


def close(model: Model, command: CloseAccount, now: datetime) -> Effect:
    """Close an empty account: an operator any user's, others their own unless it is frozen. It is closed, no more."""
    key = model.key_of(command.account_id)
    if command.owner_id not in {None, key.owner_id}:
        raise Refused("account_not_found")
    before = model.accounts[key]
    if before.closed:
        return Effect(told=before)
    if command.owner_id is not None:
        model.must_pay(key)
    if before.posted or before.held or before.incoming:
        facts = {"posted": before.posted, "held": before.held, "incoming": before.incoming}
        raise Refused("account_not_empty", **facts)
    after = replace(before, frozen=False, suspended=False, closed=True, version=before.version + 1)
    return Effect(told=after, changed={key: after}, recorded="account.closed", events=("account.closed",))


def disable(model: Model, command: DisableUser, now: datetime) -> Effect:
    """Disable a user: their sessions end, and nothing new begins on their accounts."""
    return _with_user_status(model, command.user_id, disabled=True)


def enable(model: Model, command: EnableUser, now: datetime) -> Effect:
    """Enable a user: their accounts are what they were."""
    return _with_user_status(model, command.user_id, disabled=False)


def end_sessions(model: Model, command: EndSessions, now: datetime) -> Effect:
    """End the sessions of a user, of whom nothing else changes."""
    told = _told(command.user_id, model.disabled.get(command.user_id, False), _accounts_of(model, command.user_id))
    return Effect(told=told, sessions_ended=(command.user_id,), recorded="sessions.ended")


def set_fees(model: Model, command: SetFees, now: datetime) -> Effect:
    """Set the fees of later captures."""
    key = model.payee(command.merchant_id, command.currency)
    model.must_not_be_closed(key)
    before = model.accounts[key]
    wanted = (command.fees.basis_points, command.fees.fixed_minor)
    if wanted == (before.basis_points, before.fixed_minor):
        return Effect(told=before)
    after = replace(before, basis_points=wanted[0], fixed_minor=wanted[1], version=before.version + 1)
    return Effect(told=after, changed={key: after}, recorded="fees.changed", events=("account.fees_changed",))


def _accounts_of(model: Model, user: UserId) -> dict[AccountKey, ModelAccount]:
    if user not in model.user_ids:
        raise Refused("user_not_found")
    return {key: model.accounts[key] for key in sorted(key for key in model.accounts if key.owner_id == user)}


def _told(user: UserId, disabled: bool, accounts: dict[AccountKey, ModelAccount]) -> object:  # noqa: FBT001 - as a record.
    return user, "disabled" if disabled else "active", accounts


def _with_user_status(model: Model, user: UserId, *, disabled: bool) -> Effect:
    accounts = _accounts_of(model, user)
    if model.disabled.get(user, False) is disabled:
        return Effect(told=_told(user, disabled, accounts))
    changed = {
        key: replace(account, suspended=disabled, version=account.version + 1)
        for key, account in accounts.items()
        if not account.closed and account.suspended is not disabled
    }
    kinds = ("user.disabled", "account.suspended") if disabled else ("user.enabled", "account.resumed")
    return Effect(
        told=_told(user, disabled, accounts | changed),
        changed=changed,
        disabled={user: disabled},
        sessions_ended=(user,) if disabled else (),
        recorded=kinds[0],
        events=(kinds[0], *(kinds[1] for _ in changed)),
    )


def _with_status(model: Model, key: AccountKey, *, frozen: bool) -> Effect:
    before = model.accounts[key]
    if before.closed or before.frozen is frozen:
        return Effect(told=before)
    after = replace(before, frozen=frozen, version=before.version + 1)
    action = "account.frozen" if frozen else "account.unfrozen"
    return Effect(told=after, changed={key: after}, recorded=action, events=(action,))


def missing_accounts(model: Model, key: AccountKey) -> tuple[AccountKey, ...]:
    """A new account, and those of the gateway that its currency lacks."""
    own = [own_key(kind, key.currency) for kind in (AccountKind.FUNDING, AccountKind.FEES, AccountKind.EXCHANGE)]
    return tuple(each for each in (key, *own) if each not in model.accounts)


RULES: Final[Rules] = {
    Register: register,
    OpenAccount: open_account,
    FreezeAccount: freeze,
    UnfreezeAccount: unfreeze,
    CloseAccount: close,
    DisableUser: disable,
    EnableUser: enable,
    EndSessions: end_sessions,
    SetFees: set_fees,
}
