"""Customer: a customer who does not sign in, and whom their merchant manages."""

import hmac
from dataclasses import field, replace
from datetime import datetime
from typing import Final, NamedTuple, cast

from gateway.domain.account import Account
from gateway.domain.checks import check_free_text, check_id, check_instant, check_integer, check_text, check_type
from gateway.domain.customer_errors import CustomerJoined, InvitationInvalid
from gateway.domain.errors import invalid
from gateway.domain.immutable import immutable
from gateway.domain.limits import EMAIL_LENGTH_MAX, EXTERNAL_ID_LENGTH_MAX, NAME_LENGTH_MAX, POSITION_MAX
from gateway.domain.user import UserId

SECRET_HASH_BYTES: Final = 32


class ExternalId(NamedTuple):
    """The name that a merchant has for a customer. No other customer of the merchant has it."""

    merchant_id: UserId
    external_id: str


@immutable
class CustomerInvitation:
    """An invitation of a customer to become a user of their own. A later one takes its place.

    Attributes:
        secret_hash: SHA-256 of the secret, which is the last part of the token.
        expires_at: The first moment at which it is no longer accepted.
    """

    secret_hash: bytes = field(repr=False)
    expires_at: datetime

    def __post_init__(self) -> None:
        check_hash(self.secret_hash)
        check_instant("expires_at", self.expires_at)

    def accepts(self, secret_hash: bytes, now: datetime) -> bool:
        """Whether this is its secret, and it has not expired."""
        return hmac.compare_digest(self.secret_hash, secret_hash) and now < self.expires_at


@immutable
class Customer:
    """What a merchant knows of a customer whom it manages.

    Attributes:
        id: A user id: it pays, as any customer's.
        merchant_id: The merchant, whom it pays alone. Nobody else but operators learns that it exists.
        email: In its canonical spelling. Other customers may have the same one: nobody signs in with it.
        external_id: The merchant's own name for it.
        version: Rises by 1 at each change.
        invitation: The last one, until it was accepted.
        joined_at: When the customer became a user of their own, whom the merchant no longer manages.

    Raises:
        InvalidInput: A field is not valid.
    """

    id: UserId
    merchant_id: UserId
    name: str | None = field(repr=False)
    email: str | None = field(repr=False)
    external_id: str | None
    created_at: datetime
    version: int = 1
    invitation: CustomerInvitation | None = None
    joined_at: datetime | None = None

    def __post_init__(self) -> None:
        check_id("id", self.id)
        check_id("merchant_id", self.merchant_id)
        check_fields(name=self.name, email=self.email, external_id=self.external_id)
        check_instant("created_at", self.created_at)
        check_integer("version", self.version, 1, POSITION_MAX)
        if self.invitation is not None:
            check_type("invitation", self.invitation, CustomerInvitation)
        if self.joined_at is not None:
            check_instant("joined_at", self.joined_at)

    @property
    def managed_by(self) -> UserId | None:
        """The merchant who manages the customer, unless the customer is a user of their own by now."""
        return self.merchant_id if self.joined_at is None else None

    @property
    def external_key(self) -> ExternalId | None:
        """The name that nobody else of the merchant's may have, if there is one."""
        return None if self.external_id is None else ExternalId(self.merchant_id, self.external_id)

    def must_be_managed(self) -> None:
        """Check that the merchant may still change what is noted of the customer.

        Raises:
            CustomerJoined: The customer is a user of their own.
        """
        if self.joined_at is not None:
            raise CustomerJoined("The customer is a user of their own, whom nobody manages.")

    def changed(self, *, name: str | None, email: str | None, external_id: str | None) -> "Customer":
        """The customer with the values that are not `None`; an empty one clears a field. Unchanged if none differs.

        Raises:
            CustomerJoined: The customer is a user of their own.
        """
        self.must_be_managed()
        after = replace(
            self,
            name=self.name if name is None else name or None,
            email=self.email if email is None else email or None,
            external_id=self.external_id if external_id is None else external_id or None,
        )
        return self if after == self else replace(after, version=self.version + 1)

    def invited(self, invitation: CustomerInvitation) -> "Customer":
        """The customer with an invitation, in the place of an earlier one.

        Raises:
            CustomerJoined: The customer is a user of their own.
        """
        self.must_be_managed()
        return replace(self, invitation=invitation, version=self.version + 1)

    def joined(self, secret_hash: bytes, *, now: datetime) -> "Customer":
        """The customer as a user of their own: they have accepted the invitation with this secret.

        Raises:
            InvitationInvalid: There is no such invitation, it was accepted, or it has expired.
        """
        if self.invitation is None or not self.invitation.accepts(secret_hash, now):
            raise invitation_invalid()
        return replace(self, invitation=None, joined_at=now, version=self.version + 1)


@immutable
class CustomerWithAccounts:
    """A customer, and their accounts, the newest first, as the merchant sees them."""

    customer: Customer
    accounts: tuple[Account, ...]

    @property
    def id(self) -> UserId:
        """The id of the customer."""
        return self.customer.id

    @property
    def created_at(self) -> datetime:
        """When the merchant created the customer."""
        return self.customer.created_at

    @property
    def customer_id(self) -> UserId | None:
        """Nobody: what a merchant notes of a customer is for the merchant."""
        return None

    @property
    def merchant_id(self) -> UserId | None:
        """The merchant, who sees the events about this customer."""
        return self.customer.merchant_id


def invitation_invalid() -> InvitationInvalid:
    """The refusal of an invitation, the same for all reasons."""
    return InvitationInvalid("There is no such invitation, or it is over. Ask the merchant for another one.")


def check_hash(secret_hash: object) -> None:
    """Refuse what is not a SHA-256."""
    check_type("secret_hash", secret_hash, bytes)
    if len(cast("bytes", secret_hash)) != SECRET_HASH_BYTES:
        raise invalid("secret_hash", "value_invalid", f"A SHA-256 has {SECRET_HASH_BYTES} bytes.")


def check_fields(*, name: object, email: object, external_id: object, may_be_empty: bool = False) -> None:
    """Refuse what a customer may not have: each is `None` or a text, empty only where that clears the field."""
    length_min = 0 if may_be_empty else 1
    if name is not None:
        check_free_text("name", name, NAME_LENGTH_MAX, length_min=length_min)
    if email is not None:
        check_text("email", email, EMAIL_LENGTH_MAX, length_min=length_min)
    if external_id is not None:
        check_text("external_id", external_id, EXTERNAL_ID_LENGTH_MAX, length_min=length_min)
