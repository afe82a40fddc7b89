"""Servers whose connections speak the gateway's protocol, in this process: with the lane, and without it."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from litestar import Litestar
from uvicorn import Config
from uvicorn.server import ServerState

from gateway import FreezeAccount
from gateway.adapters.http import HttpLimits, Layer, create_app
from gateway.adapters.http.access_log import Entry
from gateway.adapters.http.lane import Lane
from gateway.adapters.jose.access_tokens import JoseAccessTokens
from gateway.adapters.jose.keys import generate_pem, signing_key_from_pem
from gateway.adapters.memory.rate_budgets import MemoryRateBudgets
from gateway.application.gateway import Gateway
from gateway.application.ports.sessions import SessionId, StoredToken
from gateway.application.rate_limits.bucket import RateLimit
from gateway.application.rate_limits.limiter import RateLimiter
from gateway.application.rate_limits.rate_limits import RateLimits
from gateway.bootstrap.wiring import in_memory_gateway
from gateway.contracts.records import NOW, SequentialIdentifiers, user_id
from gateway.domain.user import Role
from gateway.entrypoints.connection.protocol import GatewayProtocol
from support.api_client import CURSOR_KEYS, started
from support.builders import StandingClock, deposit, register, usd
from support.lane_requests import CUSTOMERS, FROZEN, MERCHANTS, OPERATOR, Burst

SECONDS_MAX: Final = 60.0
RANDOM: Final = re.compile(rb'req_[0-9a-f]{24}|(?<="next_cursor":")[^"]+')
"""Fresh ids of requests, and cursors, which are signed: the only random parts of responses."""
TOKENS: Final = JoseAccessTokens(issuer="gateway", audience="gateway", signing_key=signing_key_from_pem(generate_pem()))
"""Shared by all servers of a process: a signature is never the same again."""
ACCOUNTS: Final = (*CUSTOMERS, *MERCHANTS, FROZEN)
"""Who has one."""


class CountingProtocol(GatewayProtocol):
    """A connection.

    Attributes:
        begun: How many requests its parser has begun to read.
    """

    begun = 0

    def on_message_begin(self) -> None:
        """Count it."""
        self.begun += 1
        super().on_message_begin()


def token_of(user: int, *, session: str = "ses_1", clock: StandingClock | None = None) -> bytes:
    """A token of a user, issued now."""
    role = "operator" if user == OPERATOR else "merchant" if user in MERCHANTS else "customer"
    now = NOW if clock is None else clock.now
    return TOKENS.issue(subject=user_id(user), role=role, token_id=f"{session}.{user}", now=now).encode()


@dataclass(slots=True)
class LaneServer:
    """One server.

    Attributes:
        entries: Of the access log.
        ticks: The clock of rate limits, in nanoseconds.
    """

    app: Litestar
    gateway: Gateway
    clock: StandingClock
    port: int
    state: ServerState
    entries: list[Entry]
    ticks: list[int]
    protocols: list[CountingProtocol] = field(default_factory=list)

    @property
    def parsed(self) -> int:
        """How many requests its parsers have begun to read."""
        return sum(protocol.begun for protocol in self.protocols)

    @property
    def lane(self) -> Lane:
        """Its lane."""
        lane: Lane = self.app.state["lane"][0]
        return lane

    @property
    def taken(self) -> int:
        """How many requests went through its lane."""
        return self.lane.taken if "lane" in self.app.state else 0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += timedelta(seconds=seconds)
        self.ticks[0] += int(seconds * 1e9)

    async def sent(self, bursts: Sequence[Burst]) -> bytes:
        """Send bursts on a connection of their own. All that came back, with what is random replaced."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        came = bytearray()
        try:
            async with asyncio.timeout(SECONDS_MAX):
                for burst in bursts:
                    for piece in burst.pieces:
                        writer.write(piece)
                        await asyncio.sleep(0)  # The server's turn to read a piece, often before the next one.
                    for _ in range(burst.requests):
                        came += await response(reader)
                writer.write_eof()
                came += await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            came += getattr(error, "partial", b"")
        finally:
            writer.close()
        return RANDOM.sub(b"random", bytes(came))

    async def answers(self, *requests: bytes) -> bytes:
        """Send requests in one piece, and read a response to each."""
        return await self.sent([Burst([b"".join(requests)], len(requests))])


async def response(reader: asyncio.StreamReader) -> bytes:
    """The next final response, with the interim ones before it. Raises `IncompleteReadError` at the end."""
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 1"):
        return head + await response(reader)
    length = re.search(rb"content-length: (\d+)", head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


@asynccontextmanager
async def open_lane_server(
    *,
    payment_lane: bool,
    limits: HttpLimits | None = None,
    requests_a_minute: int = 0,
    cors_allowed_origins: Sequence[str] = (),
    layers: Sequence[Layer] = (),
    changed: Callable[[Gateway], Gateway] = lambda gateway: gateway,
    options: dict[str, Any] | None = None,
) -> AsyncGenerator[LaneServer]:
    """A server on memory, with people who have some money. `options` are uvicorn's."""
    clock, ticks, entries = StandingClock(), [1], list[Entry]()
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(in_memory_gateway(clock=clock, identifiers=SequentialIdentifiers()))
        access = replace(gateway.access, tokens=TOKENS)
        rate_limits = _rate_limits(requests_a_minute, ticks)
        gateway = changed(replace(gateway, access=access, tokens=TOKENS, rate_limits=rate_limits))
        await _populated(gateway, clock)

        @asynccontextmanager
        async def opener() -> AsyncGenerator[Gateway]:
            yield gateway

        app = create_app(
            opener,
            cursor_keys=CURSOR_KEYS,
            sandbox=True,
            limits=limits or HttpLimits(),
            cors_allowed_origins=cors_allowed_origins,
            layers=layers,
            access_log=entries.append,
            payment_lane=payment_lane,
        )
        await stack.enter_async_context(started(app))
        defaults: dict[str, Any] = {"proxy_headers": False}
        config = Config(app, log_config=None, lifespan="off", access_log=False, **(defaults | (options or {})))
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", b"Sat, 28 Nov 2026 07:00:00 GMT"), *config.encoded_headers]
        protocols: list[CountingProtocol] = []

        def protocol() -> CountingProtocol:
            protocols.append(CountingProtocol(config, state, {}))
            return protocols[-1]

        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        async with server:
            port: int = server.sockets[0].getsockname()[1]
            yield LaneServer(app, gateway, clock, port, state, entries, ticks, protocols)
        for connection in protocols:
            if connection.transport is not None:
                connection.transport.abort()


def _rate_limits(requests_a_minute: int, ticks: list[int]) -> RateLimits:
    if not requests_a_minute:
        return RateLimits(requests=None, of_addresses={})
    limit = RateLimit(name="requests", count=requests_a_minute)
    budgets = MemoryRateBudgets(lambda: ticks[0])
    return RateLimits(requests=RateLimiter(limit, budgets, lambda: ticks[0], processes_max=1), of_addresses={})


async def _populated(gateway: Gateway, clock: StandingClock) -> None:
    for number in ACCOUNTS:
        role = Role.MERCHANT if number in MERCHANTS else Role.CUSTOMER
        [account] = (await gateway.execute(register(number, role))).accounts
        if role is Role.CUSTOMER:
            await gateway.execute(deposit(usd(100_000 if number == CUSTOMERS[0] else 3_000), to=account.id))
        if number == FROZEN:
            await gateway.execute(FreezeAccount(account_id=account.id))
    session = SessionId("ses_revoked")
    stored = StoredToken(token_hash=b"revoked", expires_at=clock.now + timedelta(days=1))
    await gateway.storage.sessions.start(
        session, user_id(CUSTOMERS[0]), stored, password_hash="$argon2id$", network="192.0.2.0/24", now=clock.now
    )
    await gateway.storage.sessions.revoke(session, now=clock.now)
