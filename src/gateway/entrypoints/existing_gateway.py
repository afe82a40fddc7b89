"""Gateways on databases that are there: for commands that make and migrate none."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.application.access.caller import TRUSTED
from gateway.application.access.user_look_ups import user_by_email
from gateway.application.gateway import Gateway
from gateway.application.ports.customers import CustomerFilter
from gateway.bootstrap.schema import require_schema
from gateway.bootstrap.wiring import open_gateway
from gateway.domain.errors import UserNotFound
from gateway.domain.user import User, UserId, normal_email
from gateway.settings.values import Settings


@asynccontextmanager
async def existing_gateway(settings: Settings) -> AsyncGenerator[Gateway]:
    """Open a gateway on a database with this version's tables. A misspelled URL makes no new ledger.

    Raises:
        SettingsRefused, StartRefused, StorageUnavailable: As `require_schema` and `open_gateway`.
    """
    await require_schema(settings)
    async with open_gateway(settings) as gateway:
        yield gateway


async def user_named(gateway: Gateway, who: str) -> User:
    """The user of an e-mail address or an id.

    Raises:
        UserNotFound: There is none.
    """
    if "@" in who:
        return await user_by_email(gateway.access.users, who)
    return await gateway.access.user(UserId(who))


async def id_named(gateway: Gateway, who: str) -> str:
    """The id of the user of an e-mail address; what is no address stays.

    Raises:
        UserNotFound: No user has the address.
    """
    return (await user_named(gateway, who)).id if "@" in who else who


async def id_of_person(gateway: Gateway, who: str) -> UserId:
    """The id of a user, or of a customer whom a merchant manages: what is no address stays.

    Raises:
        UserNotFound: Nobody has the address.
    """
    try:
        return UserId(await id_named(gateway, who))
    except UserNotFound:
        found = await gateway.customers.customers(TRUSTED, CustomerFilter(email=normal_email(who)), limit=1)
        if not found.items:
            raise
        return found.items[0].id
