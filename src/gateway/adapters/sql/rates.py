"""Rates in a table that operators set."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from typing_extensions import override

from gateway.adapters.sql.audit_log import append_audit
from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.exchange import rates
from gateway.adapters.sql.types import Found
from gateway.application.ports.rates import Rates
from gateway.domain.audit import AuditRecord
from gateway.domain.rate import CurrencyPair, ExchangeRate, rate_of, rate_text

PAIR: Final = (rates.c.from_currency, rates.c.to_currency)
RATE: Final = select(rates).where(
    rates.c.from_currency == bindparam("source"), rates.c.to_currency == bindparam("target")
)
RATES: Final = select(rates).order_by(*PAIR)

_given: Final[dict[str, Any]] = {each.name: bindparam(each.name, type_=each.type) for each in rates.c}
_set: Final = {each.name: bindparam(each.name, type_=each.type) for each in rates.c if each not in set(PAIR)}
PUT: Final = {
    POSTGRES: postgresql.insert(rates).values(_given).on_conflict_do_update(index_elements=PAIR, set_=_set),
    SQLITE: sqlite.insert(rates).values(_given).on_conflict_do_update(index_elements=PAIR, set_=_set),
}


class SqlRates(Rates):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions

    @override
    async def rate(self, pair: CurrencyPair) -> ExchangeRate | None:
        rows = await self._transactions.read(RATE, {"source": pair.source, "target": pair.target})
        return _to_rate(rows[0]) if rows else None

    @override
    async def rates(self) -> Sequence[ExchangeRate]:
        return [_to_rate(row) for row in await self._transactions.read(RATES)]

    @override
    async def put(self, rate: ExchangeRate, *, audit: AuditRecord | None = None) -> None:
        given = {
            "from_currency": rate.pair.source,
            "to_currency": rate.pair.target,
            "rate": rate_text(rate.rate),
            "spread_basis_points": rate.spread_basis_points,
            "updated_at": rate.updated_at,
        }

        async def work(transaction: DatabaseTransaction) -> None:
            await transaction.change(PUT[self._transactions.dialect_name], given)
            await append_audit(transaction, audit)

        await self._transactions.write(work)


def _to_rate(row: Found) -> ExchangeRate:
    source, target, rate, spread_basis_points, updated_at = row
    return ExchangeRate(
        pair=CurrencyPair(source, target),
        rate=rate_of(rate),
        spread_basis_points=spread_basis_points,
        updated_at=updated_at,
    )
