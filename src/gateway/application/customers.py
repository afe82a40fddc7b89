"""Customers without passwords, whom a merchant manages."""

import re
from dataclasses import dataclass, field
from typing import Final

from gateway.application.access.access import Access
from gateway.application.access.api_key_format import SECRET_DIGITS, hash_of_key_secret, new_key_secret
from gateway.application.access.caller import Caller
from gateway.application.access.passwords import check_new_password
from gateway.application.commands.accept_customer_invitation import AcceptCustomerInvitation
from gateway.application.commands.create_customer import CreateCustomer
from gateway.application.commands.invite_customer import InviteCustomer
from gateway.application.emails import canonical_email
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.ports.customers import CustomerFilter, StoredCustomers
from gateway.application.queries import Page, check_list, may_see, page_of
from gateway.domain.audit import Origin, actor_of
from gateway.domain.checks import check_id, check_text
from gateway.domain.customer import Customer, CustomerWithAccounts, invitation_invalid
from gateway.domain.customer_errors import CustomerNotFound
from gateway.domain.immutable import immutable
from gateway.domain.limits import (
    CUSTOMER_INVITATION_SECONDS_DEFAULT,
    CUSTOMER_INVITATION_TOKEN_LENGTH_MAX,
    EMAIL_LENGTH_MAX,
    LIST_LIMIT_DEFAULT,
)
from gateway.domain.money import currency_code
from gateway.domain.user import Role, UserId
from gateway.domain.user_with_accounts import UserWithAccounts

TOKEN_PREFIX: Final = "inv_"  # noqa: S105 - begins every token.
_TOKEN: Final = re.compile(rf"{TOKEN_PREFIX}([0-9A-Za-z_-]{{1,64}})_([0-9A-Za-z]{{{SECRET_DIGITS}}})")


@immutable
class NewCustomerInvitation:
    """An invitation that was made just now. `token` is what the customer accepts it with; it is stored nowhere."""

    customer: Customer
    token: str = field(repr=False)


@immutable
class CustomerInvitationCommand:
    """A command that invites a customer, and the token of the invitation."""

    command: InviteCustomer
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """Customers whom merchants manage. Commands change them; the secrets of invitations are drawn here, before.

    Every method raises `StorageUnavailable` when the storage is away.
    """

    access: Access
    stored: StoredCustomers
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def create(
        self,
        *,
        merchant_id: UserId,
        currency: str = "USD",
        name: str | None = None,
        email: str | None = None,
        external_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> CustomerWithAccounts:
        """Create a customer, with an account in `currency`.

        Args:
            merchant_id: Who manages the customer, and whom they pay alone.
            currency: A code of ISO 4217.
            name: 1 to 200 characters.
            email: Any spelling of an e-mail address, which other customers may have, too.
            external_id: The merchant's own name for the customer, of 1 to 200 characters.
            idempotency_key: As in `Gateway.execute`, in the scope of the merchant.

        Raises:
            InvalidInput: A value is not valid.
            UnknownCurrency: `currency` is not one of ISO 4217.
            MerchantNotFound: There is no such merchant.
            ExternalIdTaken: Another customer of the merchant has this external id.
        """
        self.loop.check()
        command = CreateCustomer(
            merchant_id=merchant_id,
            currency=currency_code(currency),
            name=name,
            email=canonical(email),
            external_id=external_id,
        )
        return await self.access.executor.execute(command, idempotency_key=idempotency_key, owner_id=merchant_id)

    async def customer(self, caller: Caller, customer_id: UserId) -> CustomerWithAccounts:
        """One customer whom the caller manages; for an operator anybody's.

        Raises:
            CustomerNotFound: There is none that the caller may see.
        """
        self.loop.check()
        check_list(caller, CustomerFilter(), CustomerFilter, None, LIST_LIMIT_DEFAULT)
        check_id("customer_id", customer_id)
        found = await self.stored.customer(customer_id)
        if found is None or not may_see(caller, found.merchant_id):
            raise CustomerNotFound("There is no such customer.")
        return found

    async def customers(
        self,
        caller: Caller,
        where: CustomerFilter,
        *,
        before: UserId | None = None,
        limit: int = LIST_LIMIT_DEFAULT,
    ) -> Page[CustomerWithAccounts]:
        """The customers whom the caller manages, newest first; for an operator anybody's."""
        self.loop.check()
        check_list(caller, where, CustomerFilter, before, limit)
        if caller.role is not Role.OPERATOR:
            if where.merchant_id not in (None, caller.user_id):
                return Page(items=())
            where = CustomerFilter(merchant_id=caller.user_id, external_id=where.external_id, email=where.email)
        return page_of(await self.stored.customers(where, before=before, limit=limit + 1), limit)

    async def invite(
        self,
        customer_id: UserId,
        *,
        merchant_id: UserId,
        valid_seconds: int = CUSTOMER_INVITATION_SECONDS_DEFAULT,
        origin: Origin | None = None,
    ) -> NewCustomerInvitation:
        """Invite a customer to become a user of their own. An earlier invitation ends.

        Args:
            customer_id: The customer.
            merchant_id: The merchant who must manage the customer.
            valid_seconds: How long the invitation can be accepted, 60 to 2,592,000.
            origin: Who invites, for the audit log; the merchant unless given.

        Raises:
            CustomerNotFound: The merchant has no such customer.
            CustomerJoined: The customer is a user of their own.
            InvalidInput: A value is not valid.
        """
        made = self.invite_command(customer_id, merchant_id=merchant_id, valid_seconds=valid_seconds)
        invited = await self.access.executor.execute(made.command, owner_id=merchant_id, origin=origin)
        return NewCustomerInvitation(customer=invited.customer, token=made.token)

    def invite_command(
        self, customer_id: UserId, *, merchant_id: UserId, valid_seconds: int = CUSTOMER_INVITATION_SECONDS_DEFAULT
    ) -> CustomerInvitationCommand:
        """The command that invites a customer. Arguments are as in `invite`."""
        self.loop.check()
        secret = new_key_secret()
        command = InviteCustomer(
            customer_id=customer_id,
            merchant_id=merchant_id,
            secret_hash=hash_of_key_secret(secret),
            valid_seconds=valid_seconds,
        )
        return CustomerInvitationCommand(command=command, token=f"{TOKEN_PREFIX}{customer_id}_{secret}")

    async def accept_invitation(
        self, token: str, *, email: str, password: str, address: str | None = None, request_id: str | None = None
    ) -> UserWithAccounts:
        """Make a user of the customer who was invited, who logs in with this address and password from now on.

        Args:
            token: Of the invitation.
            email: Any spelling of an e-mail address, which no user may have.
            password: 8 to 128 characters, not a common one.
            address: The network address of the client, for the audit log.
            request_id: Of the request over HTTP, for the audit log.

        Raises:
            InvitationInvalid: There is no such invitation, it is over, or its merchant is disabled.
            EmailTaken: A user has this address.
            InvalidInput: A value is not valid.
            Overloaded: Too many passwords wait to be hashed.
        """
        self.loop.check()
        check_text("token", token, CUSTOMER_INVITATION_TOKEN_LENGTH_MAX, length_min=0)
        check_text("email", email, EMAIL_LENGTH_MAX, length_min=0)
        spelling = canonical_email(email)
        form = _TOKEN.fullmatch(token)
        if form is None:
            raise invitation_invalid()
        customer_id, secret_hash = UserId(form[1]), hash_of_key_secret(form[2])
        found = await self.stored.customer(customer_id)
        # Hashing a password is expensive: nobody without an invitation causes it.
        if found is None or found.customer.invitation is None:
            raise invitation_invalid()
        if not found.customer.invitation.accepts(secret_hash, self.access.clock()):
            raise invitation_invalid()
        check_new_password(password)
        command = AcceptCustomerInvitation(
            customer_id=customer_id,
            merchant_id=found.customer.merchant_id,
            secret_hash=secret_hash,
            email=spelling,
            password_hash=await self.access.hash_new_password(password),
        )
        origin = Origin(actor=actor_of(customer_id, Role.CUSTOMER), address=address, request_id=request_id)
        return await self.access.executor.execute(command, owner_id=customer_id, origin=origin)


def canonical(email: str | None) -> str | None:
    """The canonical spelling of an address, if there is one. An empty one stays, where it clears the field.

    Raises:
        InvalidInput: It is no address.
    """
    if email is None:
        return None
    check_text("email", email, EMAIL_LENGTH_MAX, length_min=0)
    return canonical_email(email) if email else email
