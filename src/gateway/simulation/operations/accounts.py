"""Users come, open and close accounts, and are frozen, disabled and charged by operators."""

from typing import Final

from gateway.application.commands.close_account import CloseAccount
from gateway.application.commands.disable_user import DisableUser, EnableUser
from gateway.application.commands.end_sessions import EndSessions
from gateway.application.commands.freeze_account import FreezeAccount, UnfreezeAccount
from gateway.application.commands.open_account import OpenAccount
from gateway.application.commands.register import Register
from gateway.application.commands.set_fees import SetFees
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import CurrencyCode
from gateway.domain.user import SYSTEM, Role, UserId
from gateway.simulation.world import CURRENCIES, CUSTOMERS_MAX, MERCHANTS_MAX, NO_ACCOUNT, NOBODY, TRIES, World

OPERATORS_MAX: Final = 2

BASIS_POINTS: Final = (0, 1, 250, 290, 3_333, 5_000, 10_000)
FIXED_MINOR: Final = (0, 0, 1, 30)


def register(world: World) -> Register:
    """A user registers, or tries to register again, perhaps with another address."""
    number = world.random.randrange(CUSTOMERS_MAX + MERCHANTS_MAX + OPERATORS_MAX)
    role = Role.CUSTOMER
    if number >= CUSTOMERS_MAX:
        role = Role.MERCHANT if number < CUSTOMERS_MAX + MERCHANTS_MAX else Role.OPERATOR
    return registration(number, role, world.one_of(CURRENCIES), mailbox="other" if world.chance(20) else "user")


def registration(number: int, role: Role, currency: CurrencyCode, *, mailbox: str = "user") -> Register:
    """User `number` registers."""
    return Register(
        user_id=UserId(f"usr_{number:04d}"),
        email=f"{mailbox}{number}@example.com",
        password_hash="$argon2id$",  # noqa: S106 - no hash of anything.
        role=role,
        name=None,
        currency=currency,
    )


def open_account(world: World) -> OpenAccount:
    """A customer or a merchant opens an account, or tries to open it again."""
    kind, owners = world.one_of(((AccountKind.CUSTOMER, world.customers), (AccountKind.MERCHANT, world.merchants)))
    return OpenAccount(key=AccountKey(world.one_of(owners), world.one_of(CURRENCIES), kind))


def freeze(world: World) -> FreezeAccount:
    """An operator freezes an account."""
    return FreezeAccount(account_id=world.account())


def unfreeze(world: World) -> UnfreezeAccount:
    """An operator unfreezes an account: a frozen one if a few draws find one."""
    accounts = world.model.accounts
    tries = [world.account() for _ in range(TRIES)]
    frozen = [each for each in tries if (key := world.model.keys.get(each)) is not None and accounts[key].frozen]
    return UnfreezeAccount(account_id=(frozen or tries)[0])


def close(world: World) -> CloseAccount:
    """An operator or the owner closes an account.

    The more accounts are closed, the seldomer an empty one is asked for: it is lost to all that follows.
    """
    accounts = world.model.accounts
    closed = sum(account.closed for account in accounts.values())
    wants_empty = world.chance(50 / (1 + closed))
    tries = [world.account() for _ in range(TRIES)]
    wanted = [
        each
        for each in tries
        if (key := world.model.keys.get(each)) is not None and bool(accounts[key].posted) is not wants_empty
    ]
    account_id = (wanted or [NO_ACCOUNT])[0]
    key = world.model.keys.get(account_id)
    owner = key.owner_id if key is not None and key.owner_id != SYSTEM and world.chance(50) else None
    return CloseAccount(account_id=account_id, owner_id=owner)


def disable(world: World) -> DisableUser:
    """An operator disables a user, seldom one who does not exist."""
    return DisableUser(user_id=_user(world), reason="A stolen laptop")


def enable(world: World) -> EnableUser:
    """An operator enables a user: mostly a disabled one, if there are any."""
    disabled = [user for user, is_disabled in world.model.disabled.items() if is_disabled]
    user_id = world.one_of(disabled) if disabled and world.chance(90) else _user(world)
    return EnableUser(user_id=user_id, reason="A new laptop")


def end_sessions(world: World) -> EndSessions:
    """An operator ends the sessions of a user."""
    return EndSessions(user_id=_user(world), reason="A token was lost")


def _user(world: World) -> UserId:
    return world.one_of((NOBODY, *world.customers, *world.merchants))


def set_fees(world: World) -> SetFees:
    """An operator sets the fees of a merchant."""
    currency = world.one_of(CURRENCIES)
    fees = FeeSchedule(world.one_of(BASIS_POINTS), world.one_of(FIXED_MINOR))
    return SetFees(merchant_id=world.merchant(currency), currency=currency, fees=fees)


OPERATIONS: Final = (
    (1, register),
    (1, open_account),
    (1, close),
    (1, freeze),
    (4, unfreeze),
    (1, disable),
    (2, enable),
    (1, end_sessions),
    (2, set_fees),
)
