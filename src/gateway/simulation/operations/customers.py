"""Merchants create customers, change them, and pay on their behalf."""

from dataclasses import replace
from typing import Final

from gateway.application.commands.accept_customer_invitation import AcceptCustomerInvitation
from gateway.application.commands.change_customer import ChangeCustomer
from gateway.application.commands.create_customer import CreateCustomer
from gateway.application.commands.invite_customer import InviteCustomer
from gateway.application.commands.pay import ChargeCustomer
from gateway.domain.money import Money
from gateway.domain.user import UserId
from gateway.simulation.operations.payments import request
from gateway.simulation.world import CURRENCIES, NOBODY, World

MANAGED_MAX: Final = 8
"""Few, so that they are used often, and their names are taken."""

VALID_SECONDS: Final = (60, 3_600, 2_592_000)

NAMES: Final = (None, "", "Ada", "Bea")
EMAILS: Final = (None, "", "ada@example.com", "bea@example.com")


def create_customer(world: World) -> CreateCustomer:
    """A merchant creates a customer; once there are many, only under a name that is taken, or as nobody."""
    currency = world.one_of(CURRENCIES)
    managed = world.model.customers
    merchant = world.one_of(world.merchants)
    external_id = f"customer-{world.random.randrange(MANAGED_MAX)}" if world.chance(80) else None
    named = [each for each in managed.values() if each.external_id is not None]
    if sum(each.joined_at is None for each in managed.values()) >= MANAGED_MAX:
        merchant = NOBODY
        if named and world.chance(80):
            chosen = world.one_of(named)
            merchant, external_id = chosen.merchant, chosen.external_id
    return CreateCustomer(
        merchant_id=merchant,
        currency=currency,
        name=world.one_of(NAMES) or None,
        email=world.one_of(EMAILS) or None,
        external_id=external_id,
    )


def change_customer(world: World) -> ChangeCustomer:
    """A merchant changes a customer; seldom another merchant tries to."""
    customer_id = _managed(world)
    customer = world.model.customers.get(customer_id)
    is_theirs = customer is not None and not world.chance(10)
    number = world.random.randrange(MANAGED_MAX)
    return ChangeCustomer(
        customer_id=customer_id,
        merchant_id=customer.merchant if customer is not None and is_theirs else world.one_of(world.merchants),
        name=world.one_of(NAMES),
        email=world.one_of(EMAILS),
        external_id=world.one_of((None, None, "", f"customer-{number}")),
    )


def charge(world: World) -> ChargeCustomer:
    """A merchant asks a payment of a customer: mostly of one whom it manages, in the currency of their account."""
    asked = request(world).request
    customer_id = _managed(world)
    customer = world.model.customers.get(customer_id)
    if customer is None or world.chance(10):
        return ChargeCustomer(request=replace(asked, customer_id=asked.customer_id or NOBODY))
    merchant = asked.merchant_id if world.chance(15) else customer.merchant
    owned = [key.currency for key in world.payers if key.owner_id == customer_id]
    amount = asked.amount if world.chance(10) else Money(asked.amount.amount_minor, world.one_of(owned))
    return ChargeCustomer(request=replace(asked, customer_id=customer_id, merchant_id=merchant, amount=amount))


def invite(world: World) -> InviteCustomer:
    """A merchant invites a customer, seldom: one who joins is managed no more."""
    customer_id = _managed(world)
    customer = world.model.customers.get(customer_id)
    is_theirs = customer is not None and not world.chance(10)
    return InviteCustomer(
        customer_id=customer_id,
        merchant_id=customer.merchant if customer is not None and is_theirs else world.one_of(world.merchants),
        secret_hash=world.random.randbytes(32),
        valid_seconds=world.one_of(VALID_SECONDS),
    )


def accept(world: World) -> AcceptCustomerInvitation:
    """A customer accepts an invitation, perhaps one that is over, or with an address that is taken.

    The more customers have joined, the seldomer one does: then nobody manages them.
    """
    customers = world.model.customers
    customer_id = _managed(world)
    customer = customers.get(customer_id)
    joined = sum(each.joined_at is not None for each in customers.values())
    is_right = customer is not None and customer.secret_hash is not None and world.chance(50 / (1 + joined))
    secret_hash = customer.secret_hash if customer is not None and is_right else None
    return AcceptCustomerInvitation(
        customer_id=customer_id,
        merchant_id=NOBODY if customer is None else customer.merchant,
        secret_hash=secret_hash or world.random.randbytes(32),
        email="user0@example.com" if world.chance(20) else f"{customer_id}@example.com",
        password_hash="$argon2id$",  # noqa: S106 - no hash of anything.
    )


def _managed(world: World) -> UserId:
    managed = list(world.model.customers)
    return NOBODY if not managed or world.chance(3) else world.one_of(managed)


OPERATIONS: Final = ((1, create_customer), (1, change_customer), (4, charge), (1, invite), (1, accept))
