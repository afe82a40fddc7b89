"""Customers whom merchants manage, in a dictionary."""

from collections import defaultdict
from collections.abc import Sequence

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.customers import CustomerFilter, StoredCustomers, newest_first
from gateway.domain.account import Account
from gateway.domain.customer import Customer, CustomerWithAccounts
from gateway.domain.user import UserId


class MemoryCustomers(StoredCustomers):
    """See the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def customer(self, customer_id: UserId) -> CustomerWithAccounts | None:
        found = self._database.customers.get(customer_id)
        return None if found is None else self._with_accounts([found])[0]

    @override
    async def customers(
        self, where: CustomerFilter, *, before: UserId | None, limit: int
    ) -> Sequence[CustomerWithAccounts]:
        customers = self._database.customers
        found = [
            customers[customer_id]
            for customer_id in sorted(customers, reverse=True)
            if (before is None or customer_id < before) and _matches(where, customers[customer_id])
        ]
        return self._with_accounts(found[:limit])

    def _with_accounts(self, customers: Sequence[Customer]) -> Sequence[CustomerWithAccounts]:
        accounts_of: defaultdict[UserId, list[Account]] = defaultdict(list)
        wanted = {each.id for each in customers}
        for account in self._database.accounts.values():
            if account.managed_by is not None and account.owner_id in wanted:
                accounts_of[account.owner_id].append(account)
        return [CustomerWithAccounts(customer=each, accounts=newest_first(accounts_of[each.id])) for each in customers]


def _matches(where: CustomerFilter, customer: Customer) -> bool:
    return (
        where.merchant_id in (None, customer.merchant_id)
        and where.external_id in (None, customer.external_id)
        and where.email in (None, customer.email)
    )
