"""Health, and the invariants of the ledger."""

import asyncio
from typing import Final, Literal

import msgspec

from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import AnyOperation, Handler, Operation, json_response
from gateway.adapters.http.problems import HttpRefusal
from gateway.application.ports.reader import CurrencyTotals
from gateway.application.ports.unit_of_work import StorageReadOnly

TAG = "Operations"
READY_SECONDS_MAX = 2.0


class HealthView(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life."""

    status: Literal["ok"] = "ok"


class LivenessView(HealthView, frozen=True, kw_only=True):
    """A sign of life, with the environment: tools that make up users and money ask for a sandbox first."""

    environment: Literal["sandbox", "production"]


class CurrencyInvariantsView(msgspec.Struct, frozen=True, kw_only=True):
    """One currency: what all its accounts add up to, in minor units, and whether that is as it must be."""

    currency: str
    accounts_checked: int
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    overdrawn_accounts: int
    ok: bool


class InvariantsView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether every minor unit that left an account has arrived in another."""

    object: Literal["ledger_invariants"] = "ledger_invariants"
    ok: bool
    accounts_checked: int
    currencies: list[CurrencyInvariantsView]


_checks: Final[set[asyncio.Task[None]]] = set()
"""The running checks: the event loop has only weak references to tasks."""


def living(environment: Literal["sandbox", "production"]) -> Handler[None, None]:
    """Show that the process runs, and in which environment."""
    alive = LivenessView(environment=environment)

    async def live(_: Request) -> Response:
        return json_response(200, alive)

    return live


async def ready(request: Request) -> Response:
    """Check that the storage responds and is writable.

    Raises:
        HttpRefusal: `storage_unavailable`: it is read-only.
        StorageUnavailable: It does not respond.
        TimeoutError: It does not respond in `READY_SECONDS_MAX`.
    """
    # After a timeout the check continues: the next one finds its connection in the pool.
    check = asyncio.create_task(request.gateway.storage.reader.check(), name="readiness")
    _checks.add(check)
    check.add_done_callback(_retrieve_exception)
    try:
        async with asyncio.timeout(READY_SECONDS_MAX):
            await asyncio.shield(check)
    except StorageReadOnly as read_only:
        raise HttpRefusal("storage_unavailable", str(read_only)) from read_only
    return json_response(200, HealthView())


def _retrieve_exception(check: asyncio.Task[None]) -> None:
    """Retrieve the exception of a check: the event loop logs exceptions that nobody retrieves."""
    _checks.discard(check)
    if not check.cancelled():
        check.exception()


async def invariants(request: Request) -> Response:
    """Show the totals of the ledger, by currency."""
    currencies = [currency_invariants(totals) for totals in await request.gateway.queries.totals()]
    return json_response(
        200,
        InvariantsView(
            ok=all(currency.ok for currency in currencies),
            accounts_checked=sum(currency.accounts_checked for currency in currencies),
            currencies=currencies,
        ),
    )


def currency_invariants(totals: CurrencyTotals) -> CurrencyInvariantsView:
    """The invariants of one currency: debits equal credits, posted and pending, and no account is overdrawn."""
    return CurrencyInvariantsView(
        currency=totals.currency,
        accounts_checked=totals.accounts,
        debits_posted=totals.debits_posted,
        credits_posted=totals.credits_posted,
        debits_pending=totals.debits_pending,
        credits_pending=totals.credits_pending,
        overdrawn_accounts=totals.overdrawn,
        ok=(
            totals.debits_posted == totals.credits_posted
            and totals.debits_pending == totals.credits_pending
            and totals.overdrawn == 0
        ),
    )


def operations(*, sandbox: bool) -> tuple[AnyOperation, ...]:
    """The operations on the health of the gateway."""
    return (
        Operation(
            method="GET",
            path="/health/live",
            name="getLiveness",
            tag=TAG,
            summary="Whether the process runs",
            handler=living("sandbox" if sandbox else "production"),
            result=LivenessView,
            example_result={"status": "ok", "environment": "production"},
        ),
        Operation(
            method="GET",
            path="/health/ready",
            name="getReadiness",
            tag=TAG,
            summary="Whether the storage answers, and this process can write to it",
            handler=ready,
            result=HealthView,
            example_result={"status": "ok"},
        ),
        Operation(
            method="GET",
            path="/ledger/invariants",
            name="getInvariants",
            tag=TAG,
            summary="Add up all accounts, by currency",
            handler=invariants,
            result=InvariantsView,
            example_result={"object": "ledger_invariants", "ok": True, "accounts_checked": 0, "currencies": []},
        ),
    )
