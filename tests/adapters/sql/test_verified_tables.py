"""docs/audit.md tells which tables `gateway verify` reads, and how to find an operator whom nobody has made."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Table

from gateway import Role, open_gateway
from gateway.adapters.sql import audit
from gateway.adapters.sql.tables import metadata

PAGE = (Path(__file__).parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("### What `gateway verify` checks")[2].partition("\n### ")[0]


def test_the_page_names_each_table_that_is_read_and_no_other() -> None:
    rows = [line.split("|")[1] for line in SECTION.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {each.name for each in vars(audit).values() if isinstance(each, Table)}
    unchecked = SECTION.partition("**No other table is checked**")[2].partition("Who can write")[0]
    others = set(re.findall(r"`(\w+)`", unchecked))
    assert others <= metadata.tables.keys() - named
    assert {"users", "members", "api_keys"} <= others


async def test_an_operator_whom_nobody_has_made_is_found(tmp_path: Path) -> None:
    file = tmp_path / "gateway.sqlite3"
    async with open_gateway(file) as gateway:
        register = gateway.access.register
        await register(email="ops@example.com", password="a passphrase", role=Role.OPERATOR)
        await register(email="ada@example.com", password="a passphrase", role=Role.CUSTOMER)
        eve = await register(email="eve@example.com", password="a passphrase", role=Role.CUSTOMER)
    [statement] = re.findall(r"```sql\n(.*?)```", SECTION, re.DOTALL)
    with closing(sqlite3.connect(file)) as connection, connection:
        assert connection.execute(statement).fetchall() == []
        connection.execute("UPDATE users SET role = 'operator' WHERE id = ?", [eve.user.id])
        assert [row[0] for row in connection.execute(statement)] == [eve.user.id]
