"""Customers without passwords, whom a merchant manages."""

from dataclasses import dataclass, field

from gateway.application.access.caller import Caller
from gateway.application.commands.create_customer import CreateCustomer
from gateway.application.emails import canonical_email
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.ports.customers import CustomerFilter, StoredCustomers
from gateway.application.queries import Page, check_list, may_see, page_of
from gateway.domain.checks import check_id, check_text
from gateway.domain.customer import CustomerWithAccounts
from gateway.domain.customer_errors import CustomerNotFound
from gateway.domain.limits import EMAIL_LENGTH_MAX, LIST_LIMIT_DEFAULT
from gateway.domain.money import currency_code
from gateway.domain.user import Role, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """Customers whom merchants manage. `CreateCustomer` and `ChangeCustomer` change them.

    Every method raises `StorageUnavailable` when the storage is away.
    """

    executor: CommandExecutor
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
        return await self.executor.execute(command, idempotency_key=idempotency_key, owner_id=merchant_id)

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


def canonical(email: str | None) -> str | None:
    """The canonical spelling of an address, if there is one. An empty one stays, where it clears the field.

    Raises:
        InvalidInput: It is no address.
    """
    if email is None:
        return None
    check_text("email", email, EMAIL_LENGTH_MAX, length_min=0)
    return canonical_email(email) if email else email
