"""Customers whom a merchant manages, as clients see them."""

from typing import Literal

import msgspec

from gateway.application.views.accounts import AccountView, account_view
from gateway.application.views.times import Instant
from gateway.domain.customer import CustomerWithAccounts


class CustomerView(msgspec.Struct, frozen=True, kw_only=True):
    """A customer whom a merchant manages, with their accounts."""

    id: str
    object: Literal["customer"] = "customer"
    merchant_id: str
    name: str | None
    email: str | None
    external_id: str | None
    created_at: Instant
    accounts: list[AccountView]


def customer_view(shown: CustomerWithAccounts) -> CustomerView:
    """A customer as the merchant sees them."""
    customer = shown.customer
    return CustomerView(
        id=customer.id,
        merchant_id=customer.merchant_id,
        name=customer.name,
        email=customer.email,
        external_id=customer.external_id,
        created_at=customer.created_at,
        accounts=[account_view(account) for account in shown.accounts],
    )
