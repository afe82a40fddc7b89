"""Looking into the ledger of a run: were these payments, and does it balance?"""

from dataclasses import dataclass

from bench.connection import connected
from gateway.adapters.sql import open_sql_storage
from gateway.application.verification.verify import verify


class VoidRun(Exception):  # noqa: N818 - it says what is the matter.
    """A run whose figures mean nothing; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Payments since a moment, and in how many transactions they were written."""

    payments: int
    transactions: int


async def last_payment(url: str) -> str:
    """The id of the newest payment, or "" if there is none."""
    async with connected(url) as connection:
        return await connection.fetchval("SELECT coalesce(max(id), '') FROM payments") or ""


async def written_since(url: str, payment_id: str) -> Written:
    """What was paid after that payment. Rows of one transaction have the same xmin."""
    async with connected(url) as connection:
        row = await connection.fetchrow(
            "SELECT count(*), count(DISTINCT xmin::text) FROM payments WHERE id > $1 AND status = 'captured'",
            payment_id,
        )
    if row is None:
        raise VoidRun("Postgres did not count.")
    return Written(payments=row[0], transactions=row[1])


async def must_balance(url: str) -> None:
    """Work the whole ledger out again, as `gateway verify` does.

    Raises:
        VoidRun: It is not what its history says.
    """
    async with open_sql_storage(url) as storage, storage.audit() as audit:
        findings = await verify(audit)
    if not findings.ok:
        raise VoidRun(f"The ledger is not sound: {findings.named[:3]}")


async def must_add_up(url: str) -> None:
    """Check the totals in SQL: for a history too long to be worked out again between two runs.

    Raises:
        VoidRun: Debits are not credits, or accounts do not have what their transfers say.
    """
    async with connected(url) as connection:
        row = await connection.fetchrow(
            "SELECT (SELECT sum(debits_posted) FROM accounts), (SELECT sum(credits_posted) FROM accounts), "
            "(SELECT sum(amount) FROM transfers)"
        )
    if row is None or not row[0] == row[1] == row[2]:
        raise VoidRun(f"The ledger does not add up: {row}")
