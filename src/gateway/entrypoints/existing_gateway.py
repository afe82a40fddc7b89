"""Gateways on databases that are there: for commands that make and migrate none."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.application.access.user_look_ups import user_by_email
from gateway.application.gateway import Gateway
from gateway.bootstrap.schema import require_schema
from gateway.bootstrap.wiring import open_gateway
from gateway.domain.user import User, UserId
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
