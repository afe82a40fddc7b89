"""Does it stay as fast? The same load on ledgers of very different age and size, taking turns."""

import contextlib
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from bench import closed_loop, databases, history, lists, machine, plans
from bench.filters import Filtered, measure_filters
from bench.ledger import must_add_up, must_balance
from bench.lists import Pages
from bench.population import People, minter
from bench.runs import Arm, Field, Run, median, run
from bench.servers import Server, gateway, serving
from gateway.adapters.jose.keys import generate_pem
from gateway.domain.user import Role, UserId
from support.postgres import LocalPostgres

CONNECTIONS: Final = (64, 1)
ACCOUNTS: Final = 10_000
READERS: Final = 100
OPERATOR: Final = UserId("usr_00000000000000000000000000")
WARM_UP_SECONDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A ledger of some size, with what was found of it. `runs` are medians by connections."""

    accounts: int
    history: int
    url: str
    people: People
    runs: dict[int, Run] = field(default_factory=dict)
    pages: list[Pages] = field(default_factory=list)

    @property
    def title(self) -> str:
        """In a few words."""
        return f"{self.accounts:,} accounts, {self.history:,} payments"

    @property
    def cost_us(self) -> float:
        """Of a payment at full load, in microseconds of the clock."""
        return 1e6 / self.runs[CONNECTIONS[0]].payments_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What was found. The first world is the empty one; `plans` are of the one with the longest history."""

    machine: Sequence[str]
    worlds: Sequence[World]
    plans: Sequence[str]
    filters: Sequence[Filtered]


async def growth(
    histories: Sequence[int], accounts: Sequence[int], *, rounds: int, seconds: float, console: Console
) -> Growth:
    """Run everything.

    Args:
        histories: Payments before the load begins, beside none, with 10,000 accounts.
        accounts: Numbers of accounts beside 10,000, without history.
        rounds: How often each ledger is measured.
        seconds: Of each run.
        console: Where to tell what goes on.

    Raises:
        VoidRun: The figures would mean nothing.
    """
    closed_loop.require_wrk()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, databases.running() as postgres:
        await databases.configure(postgres)
        description = f"{await databases.version(postgres)} ({postgres.origin}), fsync on"
        about = machine.describe(description)
        sizes = [(ACCOUNTS, 0), *((ACCOUNTS, past) for past in histories), *((count, 0) for count in accounts)]
        worlds = [await _load(postgres, number, *size, console) for number, size in enumerate(sizes)]
        await _measure(postgres, worlds, Path(name), rounds=rounds, seconds=seconds, console=console)
        oldest = max(worlds, key=lambda world: world.history)
        return Growth(
            machine=about,
            worlds=worlds,
            plans=await plans.hot_plans(oldest.url, oldest.people),
            filters=[each for past in histories for each in await _filters(postgres, past, console)],
        )


async def filters_alone(histories: Sequence[int], console: Console) -> tuple[Sequence[str], Sequence[Filtered]]:
    """Only the filters of lists: about the machine, and what was found at each size.

    Raises:
        VoidRun: The figures would mean nothing.
    """
    with databases.running() as postgres:
        await databases.configure(postgres)
        about = machine.describe(f"{await databases.version(postgres)} ({postgres.origin}), fsync on")
        return about, [each for past in histories for each in await _filters(postgres, past, console)]


async def _filters(postgres: LocalPostgres, past: int, console: Console) -> Sequence[Filtered]:
    console.print(f"Asking for every filter of every list with {past:,} payments of one merchant")
    found = await measure_filters(postgres, past)
    slowest = max(found, key=lambda each: each.p99_ms)
    console.print(f"The slowest filter: p99 {slowest.p99_ms:.1f} ms  {slowest.name}")
    return found


async def _load(postgres: LocalPostgres, number: int, accounts: int, past: int, console: Console) -> World:
    start = time.perf_counter()
    url = await history.load(postgres, f"world_{number}", accounts=accounts, history=past)
    world = World(accounts=accounts, history=past, url=url, people=await history.people_of(url))
    console.print(f"Loaded {world.title} in {time.perf_counter() - start:.0f} s")
    return world


async def _measure(
    postgres: LocalPostgres, worlds: Sequence[World], folder: Path, *, rounds: int, seconds: float, console: Console
) -> None:
    pem = generate_pem()
    with contextlib.ExitStack() as servers:
        arms: list[tuple[World, Arm, Server, Field]] = []
        for number, world in enumerate(worlds):
            settings = {
                "GATEWAY_TOKEN_PRIVATE_KEY": pem,
                "GATEWAY_LOG_LEVEL": "warning",
                "GATEWAY_DATABASE_URL": world.url,
            }
            arm = Arm(name=world.title, command=gateway(), settings=settings, url=world.url, load="uniform")
            server = servers.enter_context(serving(arm.command, arm.settings))
            arms.append((world, arm, server, _field(postgres, world, folder / str(number), pem)))
        for _, arm, server, field in arms:
            console.print(f"Warming up: {arm.name}")
            await run(field, arm, server, connections=CONNECTIONS[0], seconds=WARM_UP_SECONDS)
        taken: dict[tuple[str, int], list[Run]] = {}
        for turn in range(1, rounds + 1):
            for _, arm, server, field in arms:
                for connections in CONNECTIONS:
                    one = await run(field, arm, server, connections=connections, seconds=seconds)
                    taken.setdefault((arm.name, connections), []).append(one)
                    console.print(
                        f"Round {turn}, {connections:3} connections: {one.payments_per_second:7,.0f}/s, "
                        f"p50 {one.p50_ms:7.2f} ms  {arm.name}"
                    )
        for world, arm, server, _ in arms:
            world.runs.update({connections: median(taken[arm.name, connections]) for connections in CONNECTIONS})
            world.pages.extend(_pages(world, server, pem))
    for world in worlds:
        console.print(f"Verifying the ledger: {world.title}")
        await (must_balance if world.history <= history.KEPT_MAX else must_add_up)(world.url)


def _field(postgres: LocalPostgres, world: World, folder: Path, pem: str) -> Field:
    folder.mkdir()
    mint = minter(pem)
    tokens = [mint(customer, Role.CUSTOMER) for customer in world.people.customers]
    return Field(
        postgres=postgres,
        credentials={"tokens": closed_loop.write_lines(folder / "tokens", tokens)},
        payees={"uniform": closed_loop.write_lines(folder / "payees", world.people.payees("uniform"))},
    )


def _pages(world: World, server: Server, pem: str) -> list[Pages]:
    mint = minter(pem)
    customers = [mint(user, Role.CUSTOMER) for user in random.sample(world.people.customers, READERS)]
    merchants = [mint(user, Role.MERCHANT) for user in random.sample(world.people.merchants, READERS)]
    lists_of: Mapping[tuple[str, str], Sequence[str]] = {
        ("payments of a customer", "/payments"): customers,
        ("payments of a merchant", "/payments"): merchants,
        ("transactions of a customer", "/transactions"): customers,
        ("transactions of a merchant", "/transactions"): merchants,
        ("all payments", "/payments"): [mint(OPERATOR, Role.OPERATOR)] * READERS,
    }
    return [lists.turn_pages(server, name, path, tokens) for (name, path), tokens in lists_of.items()]
