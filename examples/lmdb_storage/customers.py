"""Customers whom merchants manage."""

from collections.abc import Iterator

from gateway import Customer, CustomerFilter, CustomerWithAccounts, UserId
from lmdb_storage.database import Database, first
from lmdb_storage.records import ACCOUNTS, CUSTOMERS
from lmdb_storage.tables import Txn, name


class LmdbCustomers:
    """The port `StoredCustomers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def customer(self, customer_id: UserId) -> CustomerWithAccounts | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            found = CUSTOMERS.get(txn, customer_id)
            return None if found is None else with_accounts(txn, found)

    async def customers(
        self, where: CustomerFilter, *, before: UserId | None, limit: int
    ) -> list[CustomerWithAccounts]:
        """As the port says."""

        def matches(customer: Customer) -> bool:
            return (
                where.merchant_id in (None, customer.merchant_id)
                and where.external_id in (None, customer.external_id)
                and where.email in (None, customer.email)
            )

        with self._database.snapshot() as txn:
            found = first(filter(matches, candidates(txn, where, before)), limit)
            return [with_accounts(txn, customer) for customer in found]


def candidates(txn: Txn, where: CustomerFilter, before: UserId | None) -> Iterator[Customer]:
    """Customers by the index that leaves the least to look at, newest first."""
    values = {"external_id": where.external_id, "email": where.email, "merchant": where.merchant_id}
    for index, value in values.items():
        if value is not None:
            return CUSTOMERS.newest_of(txn, index, name(value), before)
    return CUSTOMERS.newest(txn, before)


def with_accounts(txn: Txn, customer: Customer) -> CustomerWithAccounts:
    """A customer with the accounts that their merchant manages, newest first."""
    accounts = ACCOUNTS.newest_of(txn, "owner", name(customer.id))
    managed = tuple(account for account in accounts if account.managed_by is not None)
    return CustomerWithAccounts(customer=customer, accounts=managed)
