"""What causes the events of customers whom a merchant manages."""

import secrets
from collections.abc import Mapping
from typing import Final

from gateway.domain.event_type import EventType
from gateway.entrypoints.remote.cast import Cast, Scenario, Told
from gateway.entrypoints.remote.gateway import Json
from gateway.entrypoints.remote.sign_in import Credentials, sign_in_at


async def created(cast: Cast) -> Told:
    """`customer.created`."""
    return Told((await _new_customer(cast))["id"], cast.shop)


async def updated(cast: Cast) -> Told:
    """`customer.updated`."""
    customer = await _new_customer(cast)
    await cast.shop.ask("PATCH", f"/customers/{customer['id']}", {"name": "gateway trigger, again"})
    return Told(customer["id"], cast.shop)


async def invited(cast: Cast) -> Told:
    """`customer.invited`."""
    customer = await _new_customer(cast)
    await _invite(cast, customer)
    return Told(customer["id"], cast.shop)


async def joined(cast: Cast) -> Told:
    """`customer.joined`."""
    customer = await _new_customer(cast)
    await _accept(cast, customer)
    return Told(customer["id"], cast.shop)


async def handed_over(cast: Cast) -> Told:
    """`account.handed_over`, which is told to the customer alone."""
    customer = await _new_customer(cast)
    credentials = await _accept(cast, customer)
    return Told(customer["accounts"][0]["id"], await sign_in_at(cast.remote, credentials))


async def _new_customer(cast: Cast) -> Json:
    return await cast.shop.ask("POST", "/customers", {"name": "gateway trigger", "currency": cast.currency})


async def _invite(cast: Cast, customer: Json) -> str:
    token: str = (await cast.shop.ask("POST", f"/customers/{customer['id']}/invitations", {}))["token"]
    return token


async def _accept(cast: Cast, customer: Json) -> Credentials:
    token = await _invite(cast, customer)
    credentials = Credentials(f"trigger.{secrets.token_hex(8)}@example.com", secrets.token_urlsafe(24))
    body = {"token": token, "email": credentials.email, "password": credentials.password}
    await cast.remote.ask("POST", "/customers/accept-invitation", body)
    return credentials


CUSTOMERS: Final[Mapping[EventType, Scenario]] = {
    EventType.CUSTOMER_CREATED: Scenario("a merchant creates a customer", created),
    EventType.CUSTOMER_UPDATED: Scenario("a merchant changes a new customer", updated),
    EventType.CUSTOMER_INVITED: Scenario("a merchant invites a new customer", invited),
    EventType.CUSTOMER_JOINED: Scenario("a new customer accepts the invitation of the merchant", joined),
    EventType.ACCOUNT_HANDED_OVER: Scenario("a new customer accepts the invitation of the merchant", handed_over),
}
