"""Commits on Postgres that take long, as a disk that hangs would make them."""

import asyncio

from sqlalchemy import text

from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction


async def slow_commits(somebody_else: DatabaseTransaction, *, seconds: float) -> None:
    """From now on, committing an answer takes this long, as a disk that hangs would make it."""
    for statement in (
        f"""CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$""",
        """CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON answers
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()""",
    ):
        await somebody_else.change(text(statement))
    await somebody_else.commit()


async def in_commit(somebody_else: DatabaseTransaction) -> int:
    """Wait until somebody's COMMIT is running; the process id of their backend."""
    running = text("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    async with asyncio.timeout(10):
        while not (found := await somebody_else.rows(running)):
            await somebody_else.commit()  # Within a transaction, the view stays as it was first seen.
            await asyncio.sleep(0.01)
    await somebody_else.commit()
    backend: int = found[0][0]
    return backend
