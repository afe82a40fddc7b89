"""Customers whom a merchant manages, as clients see them."""

from typing import Annotated, Literal

import msgspec

from gateway.application.views.accounts import AccountView, account_view
from gateway.application.views.times import Instant
from gateway.domain.customer import CustomerInvitation, CustomerWithAccounts


class CustomerView(msgspec.Struct, frozen=True, kw_only=True):
    """A customer whom a merchant manages, with their accounts; or one who was, until `joined_at`, without accounts."""

    id: str
    object: Literal["customer"] = "customer"
    merchant_id: str
    name: str | None
    email: str | None
    external_id: str | None
    created_at: Instant
    invitation_expires_at: Instant | None
    joined_at: Instant | None
    accounts: list[AccountView]


class CustomerInvitationView(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that was made just now, with the token."""

    object: Literal["customer_invitation"] = "customer_invitation"
    customer_id: str
    expires_at: Instant
    token: Annotated[
        str | None,
        msgspec.Meta(
            description="What the customer accepts the invitation with. It is not stored: null where the request is "
            "repeated with the same `Idempotency-Key`."
        ),
    ]


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
        invitation_expires_at=None if customer.invitation is None else customer.invitation.expires_at,
        joined_at=customer.joined_at,
        accounts=[account_view(account) for account in shown.accounts],
    )


def invitation_view(customer_id: str, invitation: CustomerInvitation, token: str | None) -> CustomerInvitationView:
    """An invitation as the merchant sees it once. Without a token, as it is stored for replays."""
    return CustomerInvitationView(customer_id=customer_id, expires_at=invitation.expires_at, token=token)
