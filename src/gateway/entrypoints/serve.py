"""`gateway serve`: the HTTP API."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from multiprocessing import resource_tracker
from types import FrameType
from typing import Final

import click
import uvicorn

from gateway.bootstrap.keys import access_tokens
from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.refusal import StartRefused
from gateway.bootstrap.schema import refuse_production_in_sandbox
from gateway.bootstrap.wiring import open_gateway
from gateway.entrypoints.called_as import called_as
from gateway.entrypoints.connection.descriptors import connections_max, raise_descriptor_limit
from gateway.entrypoints.flags import Flags, given, settings_with
from gateway.entrypoints.logs import configure_logging
from gateway.entrypoints.remote import DEFAULT_URL
from gateway.entrypoints.sandbox_key import FirstKey
from gateway.entrypoints.sandbox_key import first_key as first_key_of
from gateway.settings.database_url import without_password
from gateway.settings.loopback import is_loopback
from gateway.settings.values import FIELDS, Settings

logger = logging.getLogger(__name__)


def serve(flags: Flags, *, first_key: bool = False) -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C.

    With `first_key`, print a key of a new sandbox that keeps it.
    """
    settings = settings_with(flags)
    if settings.workers > 1 and not settings.on_postgres:
        raise StartRefused("Several workers need Postgres: its row locks arbitrate between them. Set --workers 1.")
    configure_logging(settings)
    bound = connections_max(settings, raise_descriptor_limit())
    # Tried once before the server takes over: what is wrong is told here, once and in a sentence, and the schema is
    # there before several workers look for it.
    _try_to_listen(settings)
    is_kept_sandbox = settings.environment == "sandbox" and settings.url != MEMORY_URL
    key = asyncio.run(_try_out(settings, make_key=first_key and is_kept_sandbox))
    # The workers are processes of their own, and read the environment again.
    os.environ.update({FIELDS[name].variable: text for name, text in given(flags).items()})
    if settings.environment == "sandbox":
        _warn_of_strangers(settings)
        click.echo(welcome(settings, key))
    # When all is answered, uvicorn raises the signal that ended it once more: to have been asked to end is no failure.
    signal.signal(signal.SIGTERM, _end_well)
    if settings.workers > 1:
        _start_workers_without_ctrl_c()
    uvicorn.run(
        "gateway.entrypoints.api:app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="auto" if sys.platform == "win32" else "gateway.entrypoints.connection.accepting:AcceptingLoop",
        http="gateway.entrypoints.connection.protocol:GatewayProtocol",
        limit_concurrency=bound,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def _start_workers_without_ctrl_c() -> None:
    """Have workers begin with Ctrl-C blocked, which a terminal sends to them too; `entrypoints.api.app` unblocks it.

    Until then it would end them in the middle of their imports, with a traceback. This process ends them anyway.
    """
    if sys.platform != "win32":
        # A thread that does not block it hears it for this process, in which Python calls the handler on the main one.
        threading.Thread(target=threading.Event().wait, name="ctrl-c", daemon=True).start()
        resource_tracker.ensure_running()  # It would unblock it, if `multiprocessing` started it later.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _end_well(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


_OF_STRANGERS: Final = {
    False: "WARNING: other machines reach this sandbox. Only operators make deposits here.\n",
    True: "WARNING: other machines reach this sandbox, and anybody there makes money: GATEWAY_OWNER_DEPOSITS=true.\n",
}


def _warn_of_strangers(settings: Settings) -> None:
    """Say it where other machines reach a sandbox: anybody there registers, and its keys are not for real money."""
    if not is_loopback(settings.host):
        advice = (
            "A sandbox is not for real money: set GATEWAY_ENVIRONMENT=production, or GATEWAY_HOST=127.0.0.1 to keep "
            "others out."
        )
        extra = {"host": settings.host, "owners_may_deposit": settings.owners_may_deposit, "advice": advice}
        logger.warning("sandbox_on_public_address", extra=extra)


_REGISTER: Final = """A first request:

  curl {url}/users/register \\
    --json '{{"email": "ada@example.com", "password": "correct horse battery", "role": "customer"}}'
"""
_SHOW_KEY: Final = """An API key of a customer, shown this once; the customer's account, and a merchant:

  {assignments}
"""


def welcome(settings: Settings, key: FirstKey | None = None) -> str:
    """What a newcomer can do with a sandbox."""
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104 - compared, not bound.
    here = f"http://[{host}]" if ":" in host else f"http://{host}"
    url = f"{here}:{settings.port}{settings.root_path}"
    warning = "" if is_loopback(settings.host) else _OF_STRANGERS[settings.owners_may_deposit]
    docs = f"The API, to read and to try: {url}/docs\n" if settings.serves_docs else ""
    return f"""
The gateway's sandbox serves {url} from {without_password(settings.url)}
{warning}{docs}
{_REGISTER.format(url=url) if key is None else _SHOW_KEY.format(assignments=key.assignments)}
Webhooks, received in another terminal:

  {called_as()} webhooks listen{"" if url == DEFAULT_URL else f" --url {url}"}
"""


def _try_to_listen(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # As the server does: connections of an earlier server on this port may linger.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        raise StartRefused(f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}.") from error


async def _try_out(settings: Settings, *, make_key: bool) -> FirstKey | None:
    tokens = access_tokens(settings)
    await refuse_production_in_sandbox(settings)
    async with open_gateway(settings, tokens=tokens) as gateway:
        await gateway.storage.reader.check()
        return await first_key_of(gateway) if make_key else None
