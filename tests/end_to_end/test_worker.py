"""`gateway worker` ends what is due, several of them once, and finishes at SIGTERM."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway import Pay
from gateway.adapters.sql import open_sql_storage
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.ports.storage import Storage
from gateway.application.verification.verify import verify
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_terms import PaymentOrder
from support.builders import CUSTOMER, MERCHANT, StandingClock, a_batch, balances, opened, usd
from support.processes import started
from support.servers import until

HOLDS = 20
SECONDS_MAX = 60


async def hold_an_hour_ago(storage: Storage) -> None:
    """Holds whose time was a minute, and has been over for long."""
    await opened(storage)
    clock = StandingClock(datetime.now(UTC) - timedelta(hours=1))
    executor = CommandExecutor(OneByOne(a_batch(storage, clock).run), time_ordered_id)
    order = PaymentOrder(
        customer_id=CUSTOMER,
        merchant_id=MERCHANT,
        amount=usd(1),
        metadata={},
        capture=CaptureMethod.MANUAL,
        expires_in_seconds=60,
    )
    for _ in range(HOLDS):
        await executor.execute(Pay(order=order))


def a_worker(url: str, folder: str) -> AbstractContextManager[subprocess.Popen[str]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environ |= {"GATEWAY_DATABASE_URL": url, "GATEWAY_DATA_DIR": folder, "GATEWAY_EXPIRY_INTERVAL_SECONDS": "0.05"}
    return started([sys.executable, "-m", "gateway", "worker"], env=environ, stderr=subprocess.STDOUT)


async def until_it_works(worker: subprocess.Popen[str]) -> None:
    assert worker.stdout is not None
    assert "ends payments" in await asyncio.to_thread(worker.stdout.readline)


async def test_several_workers_end_each_payment_once_and_finish_at_sigterm(postgres_url: str, tmp_path: Path) -> None:
    async with open_sql_storage(postgres_url) as storage:
        await hold_an_hour_ago(storage)
        with a_worker(postgres_url, str(tmp_path)) as one, a_worker(postgres_url, str(tmp_path)) as other:
            workers = (one, other)
            async with asyncio.timeout(SECONDS_MAX):
                await asyncio.gather(*(until_it_works(worker) for worker in workers))

            async def all_have_ended() -> bool:
                return await balances(storage) == (100, 0)

            await until(all_have_ended, SECONDS_MAX)
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
            said = [worker.communicate(timeout=SECONDS_MAX)[0] for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0], said
        assert all("has finished" in each for each in said)
        async with storage.audit() as audit:
            assert (await verify(audit)).named == []
