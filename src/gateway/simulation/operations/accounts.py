"""Users come, open accounts, and are frozen, unfrozen and charged by operators."""

from typing import Final

from gateway.application.commands.freeze_account import FreezeAccount, UnfreezeAccount
from gateway.application.commands.open_account import OpenAccount
from gateway.application.commands.register import Register
from gateway.application.commands.set_fees import SetFees
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import CurrencyCode
from gateway.domain.user import Role, UserId
from gateway.simulation.world import CURRENCIES, CUSTOMERS_MAX, MERCHANTS_MAX, TRIES, World

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


def set_fees(world: World) -> SetFees:
    """An operator sets the fees of a merchant."""
    currency = world.one_of(CURRENCIES)
    fees = FeeSchedule(world.one_of(BASIS_POINTS), world.one_of(FIXED_MINOR))
    return SetFees(merchant_id=world.merchant(currency), currency=currency, fees=fees)


OPERATIONS: Final = ((1, register), (1, open_account), (1, freeze), (4, unfreeze), (2, set_fees))
