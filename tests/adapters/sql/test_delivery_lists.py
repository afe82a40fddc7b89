"""The list of an endpoint's deliveries goes down its index also by the plan that Postgres keeps for all values."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql import SqlLimits
from gateway.adapters.sql.deliveries import list_statement
from gateway.adapters.sql.engine import deliveries_engine

ROWS_MAX = 200
"""Rows that a part of the statement may look at, for a page of 21."""

FILL = """INSERT INTO webhook_deliveries
    SELECT 'dlv_' || lpad(n::text, 26, '0'), 'whe_1', 'evt_1', n, 'payment.captured', 'pay_1', now(), NULL, NOW(),
        CASE WHEN n = 1 THEN 'failed' ELSE 'delivered' END, '[]' FROM generate_series(1, 20000) AS n"""
"""All delivered but the oldest: what is rare is behind all others."""


@pytest.mark.parametrize(
    "outcomes",
    [("failed",), ("canceled",), (None,), ("delivered",), (None, "delivered", "failed", "canceled")],
    ids=str,
)
async def test_deliveries_of_an_outcome_are_found_by_the_kept_plan(
    postgres_url: str, outcomes: Sequence[str | None]
) -> None:
    engine = deliveries_engine(postgres_url, SqlLimits())
    async with engine.connect() as connection:
        await connection.execute(text(FILL))
        await connection.execute(text("ANALYZE webhook_deliveries"))
        plan = await kept_plan(connection, outcomes)
    await engine.dispose()
    assert max(map(_looked_at, _nodes(plan))) <= ROWS_MAX, json.dumps(plan, indent=1)


async def kept_plan(connection: AsyncConnection, outcomes: Sequence[str | None]) -> dict[str, Any]:
    """The plan for any values, as it was run for these: `EXPLAIN` of the statement itself plans for its values."""
    statement = list_statement(frozenset(outcomes)).params(endpoint_id="whe_1", before="~", limit=21)
    compiled: Any = statement.compile(dialect=connection.dialect)
    values = [compiled.params[name] for name in compiled.positiontup]
    await connection.exec_driver_sql(f"PREPARE page AS {compiled}")
    given = ", ".join(str(value) if isinstance(value, int) else f"'{value}'" for value in values)
    explain = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE page({given})"
    [[found]] = (await connection.exec_driver_sql(explain)).all()
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(below for child in node.get("Plans", ()) for below in _nodes(child))]


def _looked_at(node: dict[str, Any]) -> int:
    removed = sum(number for name, number in node.items() if name.startswith("Rows Removed by"))
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])
