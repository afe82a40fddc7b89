"""Look-ups of customers whom merchants manage."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, bindparam, literal_column, select, true
from typing_extensions import override

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.postgres_reads import given
from gateway.adapters.sql.rows.accounts import to_account
from gateway.adapters.sql.rows.customers import to_customer
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.tables.customers import customers
from gateway.adapters.sql.tables.ledger import accounts
from gateway.adapters.sql.types import Found
from gateway.application.ports.customers import CustomerFilter, StoredCustomers, newest_first
from gateway.domain.account import Account
from gateway.domain.customer import CustomerWithAccounts
from gateway.domain.user import UserId

_table: Final = customers.c

CUSTOMER: Final = select(customers).where(_table.id == bindparam("id"))

ACCOUNTS_PER_OWNER_MAX: Final = 200
"""More than there are currencies."""


def _accounts_of_each() -> Select[*tuple[Any, ...]]:
    """Owner by owner: the limit keeps the planner of Postgres from reading the whole table for a page."""
    wanted = given("wanted", (accounts.c.owner_id,))
    row = (
        select(accounts)
        .where(accounts.c.owner_id == wanted.c.owner_id, accounts.c.managed_by.is_not(None))
        .limit(literal_column(str(ACCOUNTS_PER_OWNER_MAX)))
        .lateral("row")
    )
    return select(*row.c).select_from(wanted.join(row, true()))


ACCOUNTS_OF: Final[Mapping[str, Select[*tuple[Any, ...]]]] = {
    POSTGRES: _accounts_of_each(),
    SQLITE: select(accounts).where(
        accounts.c.owner_id.in_(bindparam("wanted_owner_id", expanding=True)), accounts.c.managed_by.is_not(None)
    ),
}


class SqlCustomers(StoredCustomers):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions
        self._accounts_of = ACCOUNTS_OF[transactions.dialect_name]

    @override
    async def customer(self, customer_id: UserId) -> CustomerWithAccounts | None:
        found = await self._with_accounts(await self._transactions.read(CUSTOMER, {"id": customer_id}))
        return found[0] if found else None

    @override
    async def customers(
        self, where: CustomerFilter, *, before: UserId | None, limit: int
    ) -> Sequence[CustomerWithAccounts]:
        # At most one has the external id; asked for both, Postgres may look at all customers with the address.
        is_one = where.merchant_id is not None and where.external_id is not None
        statement = select(customers).limit(limit)
        for column, value in (
            (_table.merchant_id, where.merchant_id),
            (_table.external_id, where.external_id),
            (_table.email, None if is_one else where.email),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if not is_one:
            statement = statement.order_by(_table.id.desc())
        if before is not None:
            statement = statement.where(_table.id < before)
        rows = await self._transactions.read(statement)
        return await self._with_accounts([row for row in rows if where.email in (None, row.email)])

    async def _with_accounts(self, rows: Sequence[Found]) -> Sequence[CustomerWithAccounts]:
        """In a second statement: an account that is opened meanwhile may be missing, and none is wrong."""
        found = [to_customer(row) for row in rows]
        if not found:
            return ()
        accounts_of: defaultdict[UserId, list[Account]] = defaultdict(list)
        for row in await self._transactions.read(self._accounts_of, {"wanted_owner_id": [each.id for each in found]}):
            account = to_account(row)
            accounts_of[account.owner_id].append(account)
        return [CustomerWithAccounts(customer=each, accounts=newest_first(accounts_of[each.id])) for each in found]
