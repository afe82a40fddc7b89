"""Processes die in the middle of their work: nothing acknowledged is lost, and nothing happens twice."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
from sqlalchemy import text

from support.load import Load, code_of, keys, open_shop
from support.postgres import LocalPostgres, temporary_database
from support.servers import PATIENT, Installation, Server

PAYMENTS = 1000
ACKNOWLEDGED_PER_SAMPLE = 20
NOT_READY_SECONDS_MAX = 20.0
ANSWERED_SECONDS_MAX = 25.0
REFUSED_SECONDS_MAX = 4.0
"""Shorter than the retries of a payment (5 s), and than the waits for a connection that `LATE` allows."""
LATE = {"GATEWAY_DATABASE_CONNECT_TIMEOUT_SECONDS": "20", "GATEWAY_DATABASE_POOL_TIMEOUT_SECONDS": "20"}
RECOVERED_SECONDS_MAX = 60.0
"""What Postgres may take until it is back, on a busy machine."""

COMMIT_WAITS_FOR_LOCK = (
    """CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END'""",
    """CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON payments DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION wait()""",
)
"""A deferred constraint is looked at by COMMIT, after everything was written."""
SLOW_BATCHES = (
    """CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END'""",
    "CREATE TRIGGER take_time AFTER INSERT ON payments FOR EACH STATEMENT EXECUTE FUNCTION take_time()",
)
"""Otherwise all may be done with before anybody can break in."""


async def test_a_server_killed_amid_payments_on_postgres_loses_none_and_doubles_none(
    postgres_url: str, tmp_path: Path
) -> None:
    await _kill_amid_payments(Installation(tmp_path, postgres_url))


async def test_a_server_killed_amid_payments_on_sqlite_loses_none_and_doubles_none(tmp_path: Path) -> None:
    await _kill_amid_payments(Installation(tmp_path))


async def _kill_amid_payments(gateway: Installation) -> None:
    async with gateway.serving() as server:
        async with server.client() as http:
            shop = await open_shop(http)
        load, asked = Load(shop), keys(PAYMENTS)
        # Not all of them at once: the server could be done with them before it dies.
        sending = asyncio.create_task(load.send(asked, server.url, at_once=PAYMENTS // 4))
        await load.until_answered(PAYMENTS // 10)
        await server.kill()
        await sending
        assert set(load.statuses()) == {201}
        assert PAYMENTS // 10 <= len(load.answers) < PAYMENTS

        await server.start()
        async with server.client() as http:
            found = await shop.customer.payments(http)
        assert set(load.paid().values()) <= set(found)
        await _send_again_and_check(load, asked, server)
    done = await gateway.run("verify")
    assert (done.exit_code, done.complained) == (0, "")
    assert done.said.startswith("The ledger is sound: ")


async def _send_again_and_check(before: Load, asked: list[str], server: Server) -> None:
    """What was not acknowledged is sent again, and some that was; in the end each has paid once."""
    acknowledged = before.paid()
    some = [*acknowledged][::ACKNOWLEDGED_PER_SAMPLE]
    after = Load(before.shop)
    await after.send([key for key in asked if key not in acknowledged] + some, server.url)
    assert set(after.statuses()) == {201}
    for key in some:
        assert after.answers[key].content == before.answers[key].content
        assert after.answers[key].headers["idempotency-replayed"] == "true"
    paid = acknowledged | after.paid()
    assert set(paid) == set(asked)
    async with server.client() as http:
        await before.shop.check(http, paid.values())


async def test_a_payment_whose_server_died_while_postgres_committed_it_is_found_by_its_key(
    postgres_url: str, tmp_path: Path
) -> None:
    gateway = Installation(tmp_path, postgres_url)
    async with gateway.serving(**PATIENT) as server, gateway.connected() as database:
        async with server.client() as http:
            shop = await open_shop(http)
        for statement in COMMIT_WAITS_FOR_LOCK:
            await database.execute(text(statement))
        await database.commit()
        await database.execute(text("SELECT pg_advisory_lock(1)"))
        _, writer = await server.ask(shop.raw_payment("order-1"))
        await gateway.until_sessions("waiting for a lock")
        await server.kill()
        writer.close()
        await database.execute(text("SELECT pg_advisory_unlock(1)"))

        await server.start()
        async with server.client() as http:
            answer = await shop.pay(http, "order-1")
            assert answer.status_code == 201
            assert answer.headers["idempotency-replayed"] == "true"
            await shop.check(http, [answer.json()["id"]])
    await gateway.verify()


async def test_postgres_killed_amid_payments_is_said_at_once_and_survived(
    private_postgres: LocalPostgres, tmp_path: Path
) -> None:
    async with temporary_database(private_postgres) as database:
        gateway = Installation(tmp_path, private_postgres.url(database))
        async with gateway.serving(**LATE, GATEWAY_BATCH_SIZE_MAX="16") as server, server.client() as http:
            shop = await open_shop(http)
            await _slow_down(gateway)
            load, asked = Load(shop), keys(400)
            sending = asyncio.create_task(load.send(asked, server.url))
            await load.until_answered(40)
            assert len(load.answers) < len(asked)
            await asyncio.to_thread(private_postgres.kill)
            async with asyncio.timeout(ANSWERED_SECONDS_MAX):
                await sending
            _check_that_each_was_told(load, asked)
            assert load.statuses()[503] > 0

            await server.until_ready(503, NOT_READY_SECONDS_MAX)
            async with asyncio.timeout(REFUSED_SECONDS_MAX):
                refused = await shop.pay(http, asked[0])
            assert (refused.status_code, code_of(refused)) == (503, "storage_unavailable")
            assert (await http.get("/health/live")).status_code == 200

            await asyncio.to_thread(private_postgres.start)
            await server.until_ready(200, RECOVERED_SECONDS_MAX)
            await _send_again_and_check(load, asked, server)
        await gateway.verify()


async def test_a_backend_of_postgres_killed_amid_payments_is_survived(
    private_postgres: LocalPostgres, tmp_path: Path
) -> None:
    async with temporary_database(private_postgres) as database:
        gateway = Installation(tmp_path, private_postgres.url(database))
        async with gateway.serving(GATEWAY_BATCH_SIZE_MAX="16") as server:
            async with server.client() as http:
                shop = await open_shop(http)
            async with gateway.connected() as connection:
                pids = text("SELECT pid FROM pg_stat_activity WHERE application_name = 'gateway'")
                backend = (await connection.execute(pids)).scalars().first()
            assert backend is not None
            await _slow_down(gateway)
            load, asked = Load(shop), keys(400)
            sending = asyncio.create_task(load.send(asked, server.url))
            await load.until_answered(40)
            assert len(load.answers) < len(asked)
            # Postgres then ends every session and recovers, for the dead one may have left anything in shared memory.
            os.kill(backend, signal.SIGKILL)
            async with asyncio.timeout(ANSWERED_SECONDS_MAX):
                await sending
            _check_that_each_was_told(load, asked)
            await server.until_ready(200, RECOVERED_SECONDS_MAX)
            await _send_again_and_check(load, asked, server)
        await gateway.verify()


async def _slow_down(gateway: Installation) -> None:
    async with gateway.connected() as database:
        for statement in SLOW_BATCHES:
            await database.execute(text(statement))
        await database.commit()


def _check_that_each_was_told(load: Load, asked: list[str]) -> None:
    """Paid, or that the storage is away: nothing else, and to everybody."""
    assert set(load.answers) == set(asked)
    assert set(load.statuses()) <= {201, 503}
    for answer in load.answers.values():
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            assert code_of(answer) == "storage_unavailable"
            assert int(answer.headers["retry-after"]) >= 1
