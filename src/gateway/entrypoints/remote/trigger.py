"""`gateway trigger`: makes an event of a type happen in a running sandbox, by the requests that cause it."""

import asyncio
from typing import Final

import click

from gateway.domain.event_type import EventType
from gateway.entrypoints.remote.by_operators import BY_OPERATORS
from gateway.entrypoints.remote.cast import Cast, MerchantMustAct, Told
from gateway.entrypoints.remote.event_lines import TYPE_WIDTH, event_line
from gateway.entrypoints.remote.gateway import Json, RemoteGateway, open_remote
from gateway.entrypoints.remote.scenarios import SCENARIOS
from gateway.entrypoints.remote.sign_in import SignedIn, SignIn, make_up, sign_in_at

EVENT_SECONDS_MAX: Final = 10.0
"""How long after its cause an event may take to be seen."""
POLL_SECONDS: Final = 0.1
FORBIDDEN: Final = 403


def show_types() -> None:
    """Print each type with what the command does for it."""
    for event_type in EventType:
        scenario = SCENARIOS.get(event_type)
        what = scenario.summary if scenario else BY_OPERATORS[event_type]
        click.echo(f"{event_type.value:<{TYPE_WIDTH}}  {what}")


def trigger(name: str, url: str, *, merchant_id: str | None, currency: str, sign_in: SignIn | None) -> None:
    """Make one event happen, and print it.

    Raises:
        ClickException: The type is unknown, takes an operator or the merchant; or the sandbox refuses a request.
    """
    event_type = known_type(name)
    if event_type in BY_OPERATORS:
        raise click.ClickException(f"{name} cannot be triggered without an operator: {BY_OPERATORS[event_type]}")
    if merchant_id is not None and sign_in is not None:
        raise click.UsageError("--merchant-id is for a merchant who does not sign in: leave out one of the two.")
    if merchant_id is not None and SCENARIOS[event_type].merchant_acts:
        raise MerchantMustAct(name)
    event = asyncio.run(cause(event_type, url, merchant_id=merchant_id, currency=currency, sign_in=sign_in))
    click.echo(event_line(event))


def known_type(name: str) -> EventType:
    """The type with this name.

    Raises:
        UsageError: There is none.
    """
    try:
        return EventType(name)
    except ValueError as error:
        raise click.UsageError(
            f"There are no events of the type {name}. `gateway trigger --list` lists all."
        ) from error


async def cause(
    event_type: EventType, url: str, *, merchant_id: str | None, currency: str, sign_in: SignIn | None
) -> Json:
    """Play the scenario of a type, and return the event, as soon as a party to it sees it.

    Raises:
        ClickException: No sandbox answers there, it refuses a request, or the event does not happen in time.
    """
    async with open_remote(url) as remote:
        await remote.must_be_sandbox()
        merchant = None if merchant_id is not None else await _merchant(remote, currency, sign_in)
        told = await SCENARIOS[event_type].play(Cast(remote, currency, merchant, merchant_id or ""))
        return await _seen(event_type, told)


async def _merchant(remote: RemoteGateway, currency: str, sign_in: SignIn | None) -> SignedIn:
    if sign_in is None:
        return await make_up(remote, "merchant", name="shop", currency=currency)
    merchant = await sign_in_at(remote, sign_in)
    if merchant.user["role"] != "merchant":
        raise click.ClickException(f"{merchant.user['email']} is no merchant but: {merchant.user['role']}.")
    return merchant


async def _seen(event_type: EventType, told: Told) -> Json:
    path = f"/events?type={event_type.value}&object_id={told.object_id}&limit=1"
    try:
        async with asyncio.timeout(EVENT_SECONDS_MAX + told.seconds):
            while True:
                found = (await told.seen_by.ask("GET", path))["data"]
                if found:
                    event: Json = found[0]
                    return event
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise click.ClickException(f"{event_type.value} of {told.object_id} did not happen in time.") from error
