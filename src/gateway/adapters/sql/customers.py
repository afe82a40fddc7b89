"""Look-ups of customers whom merchants manage."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sqlalchemy import ARRAY, any_, bindparam, select
from typing_extensions import override

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.rows.accounts import to_account
from gateway.adapters.sql.rows.customers import to_customer
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.tables.customers import customers
from gateway.adapters.sql.tables.ledger import accounts
from gateway.adapters.sql.types import TEXT, Found
from gateway.application.ports.customers import CustomerFilter, StoredCustomers, newest_first
from gateway.domain.account import Account
from gateway.domain.customer import CustomerWithAccounts
from gateway.domain.user import UserId

_table: Final = customers.c

CUSTOMER: Final = select(customers).where(_table.id == bindparam("id"))

_IS_AMONG: Final = {
    POSTGRES: accounts.c.owner_id == any_(bindparam("ids", type_=ARRAY(TEXT))),
    SQLITE: accounts.c.owner_id.in_(bindparam("ids", expanding=True)),
}
ACCOUNTS_OF: Final = {
    dialect: select(accounts).where(is_among, accounts.c.managed_by.is_not(None))
    for dialect, is_among in _IS_AMONG.items()
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
        statement = select(customers).limit(limit)
        for column, value in (
            (_table.merchant_id, where.merchant_id),
            (_table.external_id, where.external_id),
            (_table.email, where.email),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if where.merchant_id is None or where.external_id is None:
            statement = statement.order_by(_table.id.desc())
        if before is not None:
            statement = statement.where(_table.id < before)
        return await self._with_accounts(await self._transactions.read(statement))

    async def _with_accounts(self, rows: Sequence[Found]) -> Sequence[CustomerWithAccounts]:
        """In a second statement: an account that is opened meanwhile may be missing, and none is wrong."""
        found = [to_customer(row) for row in rows]
        if not found:
            return ()
        accounts_of: defaultdict[UserId, list[Account]] = defaultdict(list)
        for row in await self._transactions.read(self._accounts_of, {"ids": [each.id for each in found]}):
            account = to_account(row)
            accounts_of[account.owner_id].append(account)
        return [CustomerWithAccounts(customer=each, accounts=newest_first(accounts_of[each.id])) for each in found]
