"""With the lane and without it, a connection carries the same bytes; and usual payments go through the lane."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.adapters.http.app import lane_of
from gateway.adapters.http.endpoint import HttpLimits
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.submission import Answer, Submission
from gateway.application.errors import Overloaded
from gateway.application.gateway import Gateway
from gateway.contracts.records import user_id
from gateway.domain.user import UserId
from gateway.entrypoints.api import app_of
from gateway.entrypoints.connection.protocol import GatewayProtocol
from gateway.settings.values import Settings
from support.lane_requests import (
    CUSTOMERS,
    FROZEN,
    MERCHANTS,
    OPERATOR,
    Burst,
    RandomRequests,
    corpus,
    framed,
    payment_body,
)
from support.lane_servers import LaneServer, open_lane_server, response, token_of

CONNECTIONS = int(os.environ.get("GATEWAY_TEST_LANE_CONNECTIONS", "800"))
"""Of all comparisons; some 3 requests each. 32,000 are 10^5 requests, and take ten minutes on a busy machine."""
SEED = int(os.environ.get("GATEWAY_TEST_LANE_SEED", "38"))
BODY = payment_body(MERCHANTS[0])
TOKEN = token_of(CUSTOMERS[0])


@asynccontextmanager
async def both(**options: Any) -> AsyncGenerator[tuple[LaneServer, LaneServer]]:
    """A server with the lane, and one without it. Each has seen the tokens of all people."""
    async with (
        open_lane_server(payment_lane=True, **options) as taking,
        open_lane_server(payment_lane=False, **options) as plain,
    ):
        for server in (taking, plain):
            await server.answers(framed(TOKEN, b"first", BODY))
        yield taking, plain


@asynccontextmanager
async def lane(**options: Any) -> AsyncGenerator[LaneServer]:
    """A server with the lane, which knows the token of the first customer."""
    async with open_lane_server(payment_lane=True, **options) as server:
        assert (await server.answers(framed(TOKEN, b"first", BODY))).startswith(b"HTTP/1.1 201 ")
        assert server.taken == 0
        yield server


def tokens_at(server: LaneServer) -> dict[int | str, bytes]:
    """Tokens that were issued now, and those that are not valid."""
    clock = server.clock
    valid: dict[int | str, bytes] = {
        number: token_of(number, clock=clock) for number in (*CUSTOMERS, *MERCHANTS, FROZEN, OPERATOR)
    }
    good = valid[CUSTOMERS[0]]
    return {
        **valid,
        "expired": TOKEN,
        "revoked": token_of(CUSTOMERS[0], session="ses_revoked", clock=clock),
        "forged": good[:-4] + b"AAAA",
        "garbage": b"x.y.z",
    }


@pytest.mark.parametrize("origins", [(), ("https://shop.example",), ("*",)])
async def test_the_lane_changes_no_byte(origins: tuple[str, ...]) -> None:
    random = Random(f"{SEED} {origins}")  # noqa: S311 - tests choose, and choose again.
    count = CONNECTIONS // 2 if not origins else CONNECTIONS // 4
    async with both(requests_a_minute=600, cors_allowed_origins=origins) as (taking, plain):
        tokens = tokens_at(taking)
        requests = RandomRequests(random, tokens)
        for number in range(count):
            if number % 40 == 39:
                # The tokens so far have expired: one of them is `late`, which was known until now.
                tokens["late"] = tokens[CUSTOMERS[1]]
                for server in (taking, plain):
                    server.advance(901)
                tokens.update(tokens_at(taking))
            bursts = requests.connection()
            seconds = random.choice((0.0, 0.01, 0.2, 2.5))
            for server in (taking, plain):
                server.advance(seconds)
            compare(await taking.sent(bursts), await plain.sent(bursts), f"{SEED=} {number=} {bursts=}")
        assert entries(taking) == entries(plain)
        assert taking.state.total_requests == plain.state.total_requests
        assert (taking.lane.endpoint.running, len(taking.lane.endpoint.deadlines.running)) == (0, 0)
        assert await balances(taking) == await balances(plain)
        # Otherwise the comparison was one of the endpoint with itself.
        assert taking.taken > count / 2


async def test_the_lane_changes_no_byte_of_requests_whose_heads_repeat() -> None:
    random = Random(SEED)  # noqa: S311 - as above.
    async with both() as (taking, plain):
        requests = RandomRequests(random, tokens_at(taking))
        for token in map(token_of, CUSTOMERS):
            for server in (taking, plain):
                await server.answers(framed(token, b"known", BODY))
        requests.tokens.update({user: token_of(user) for user in CUSTOMERS})
        before = taking.parsed
        for number in range(CONNECTIONS // 2):
            bursts = requests.repeating()
            compare(await taking.sent(bursts), await plain.sent(bursts), f"{SEED=} {number=} {bursts=}")
        assert entries(taking) == entries(plain)
        assert taking.state.total_requests == plain.state.total_requests
        assert await balances(taking) == await balances(plain)
        # The parser gets the first and the last request of each connection, and of some what follows the last one.
        assert taking.parsed - before < CONNECTIONS // 2 * 2.5
        assert plain.parsed > taking.parsed + CONNECTIONS // 2


@pytest.mark.parametrize("origins", [(), ("https://shop.example",), ("*",)])
async def test_the_lane_changes_no_byte_of_one_unusual_request(origins: tuple[str, ...]) -> None:
    async with both(cors_allowed_origins=origins) as (taking, plain):
        for request in corpus(tokens_at(taking)):
            # First whatever it is, then again, with all that the first one left behind.
            for sent in ([request], [request, framed(TOKEN, b"behind", BODY)]):
                bursts = [Burst([b"".join(sent)], len(sent))]
                compare(await taking.sent(bursts), await plain.sent(bursts), repr(sent))
        assert entries(taking) == entries(plain)
        assert taking.taken > 0


def compare(taking: bytes, plain: bytes, sent: str) -> None:
    """Show where they differ, if they do."""
    if taking != plain:
        at = next((at for at, pair in enumerate(zip(taking, plain, strict=False)) if pair[0] != pair[1]), -1)
        around = slice(max(0, at - 700), at + 200)
        pytest.fail(f"With the lane: {taking[around]!r}\nwithout: {plain[around]!r}\nsent: {sent}")


def entries(server: LaneServer) -> list[Any]:
    """The access log without what differs: fresh ids, and times."""
    return [
        entry._replace(seconds=0.0, request_id="" if entry.request_id.startswith("req_") else entry.request_id)
        for entry in server.entries
    ]


async def balances(server: LaneServer) -> list[Any]:
    """All accounts, as they are stored."""
    async with server.gateway.storage.audit() as audit:
        return [account async for page in audit.accounts() for account in page]


async def test_a_usual_payment_takes_the_lane_in_whatever_order_its_headers_come() -> None:
    async with lane() as server:
        usual = framed(TOKEN, b"usual-1", BODY)
        assert (await server.answers(usual)).startswith(b"HTTP/1.1 201 Created\r\n")
        assert server.taken == 1
        replayed = await server.answers(usual)
        assert b"idempotency-replayed: true" in replayed
        assert server.taken == 2
        head, _, body = framed(TOKEN, b"usual-2", BODY, more=[b"Accept: */*", b"X-Real-IP: ::1"]).partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        shuffled = b"\r\n".join([line, *reversed(fields), b"", b""]) + body
        assert (await server.answers(shuffled)).startswith(b"HTTP/1.1 201 ")
        assert server.taken == 3


async def test_a_body_of_4096_bytes_and_texts_with_escapes_take_the_lane() -> None:
    """Many clients send everything beyond ASCII as escapes. The rules refuse a character that cannot be kept."""
    text = BODY[:-1] + b', "description": "caf\\u00e9"}'
    async with lane() as server:
        assert (await server.answers(framed(TOKEN, b"a", BODY + b" " * (4_096 - len(BODY))))).startswith(
            b"HTTP/1.1 201 "
        )
        assert "café".encode() in await server.answers(framed(TOKEN, b"b", text))
        assert server.taken == 2
        refused = await server.answers(framed(TOKEN, b"c", text.replace(b"00e9", b"0000")))
        assert b'"code":"text_invalid"' in refused
        assert server.taken == 2


async def test_a_merchant_s_request_and_a_refusal_of_the_ledger_take_the_lane() -> None:
    async with lane() as server:
        merchant, poor = token_of(MERCHANTS[0]), token_of(CUSTOMERS[1])
        asked = b'{"amount": 5, "currency": "USD"}'
        too_much = BODY.replace(b": 5", b": 999999")
        for token, key in ((merchant, b"a"), (poor, b"b")):
            await server.answers(framed(token, key, asked if token == merchant else BODY))
        assert (await server.answers(framed(merchant, b"c", asked))).startswith(b"HTTP/1.1 201 ")
        assert b"insufficient_funds" in await server.answers(framed(poor, b"d", too_much))
        assert server.taken == 2


async def test_a_head_that_repeats_with_other_values_is_not_parsed() -> None:
    async with lane() as server:
        other = token_of(CUSTOMERS[1])
        await server.answers(framed(other, b"known", BODY))
        trace = [b"Traceparent: 00-%032x-%016x-01" % (number, number) for number in range(4)]
        longer = BODY[:-1] + b', "reference": "order-1"}'
        sent = [
            framed(TOKEN, b"a", BODY, more=trace[:1]),
            framed(TOKEN, b"another-key", longer, more=trace[1:2]),
            framed(other, b"c", BODY, more=trace[2:3]),
            framed(TOKEN, b"a", BODY, more=trace[3:]),
        ]
        before = server.parsed
        came = await server.sent([Burst([request], 1) for request in sent])
        assert came.count(b"HTTP/1.1 201 ") == 4
        assert came.count(b"idempotency-replayed: true") == 1
        assert (server.taken, server.parsed - before) == (4, 1)


async def test_a_repeated_head_that_the_lane_does_not_take_is_parsed() -> None:
    """The token ends in between; then the body is no payment; then the client changes its headers."""
    async with lane() as server, connected(server) as (reader, writer):

        async def answer(request: bytes) -> bytes:
            writer.write(request)
            return await response(reader)

        session = token_of(CUSTOMERS[0], session="ses_to_end")
        for key in (b"a", b"b"):
            await server.answers(framed(session, key, BODY))
        for key in (b"c", b"d"):
            assert b" 201 " in await answer(framed(session, key, BODY))
        await end_session(server, "ses_to_end")
        server.advance(2.5)
        assert b"token_revoked" in await answer(framed(session, b"e", BODY))
        assert b"json_malformed" in await answer(framed(TOKEN, b"f", b"{"))
        before, taken = server.parsed, server.taken
        for key in (b"g", b"h"):
            assert b" 201 " in await answer(framed(TOKEN, key, BODY))
        assert (server.parsed, server.taken) == (before, taken + 2)
        for key in (b"i", b"j"):
            assert b" 201 " in await answer(framed(TOKEN, key, BODY, more=[b"Accept: */*"]))
        assert (server.parsed, server.taken) == (before + 1, taken + 4)


UNUSUAL = {
    "another target": framed(TOKEN, b"u", BODY, line=b"POST /payments/ HTTP/1.1"),
    "a query": framed(TOKEN, b"u", BODY, line=b"POST /payments?a=1 HTTP/1.1"),
    "another method": framed(TOKEN, b"u", BODY, line=b"PUT /payments HTTP/1.1"),
    "HTTP/1.0": framed(TOKEN, b"u", BODY, line=b"POST /payments HTTP/1.0"),
    "the last request": framed(TOKEN, b"u", BODY, more=[b"Connection: close"]),
    "a repeated header": framed(TOKEN, b"u", BODY, more=[b"Accept: a", b"Accept: b"]),
    "an unknown header": framed(TOKEN, b"u", BODY, more=[b"X-Other: 1"]),
    "an origin": framed(TOKEN, b"u", BODY, more=[b"Origin: https://shop.example"]),
    "an expectation": framed(TOKEN, b"u", BODY, more=[b"Expect: 100-continue"]),
    "chunks": framed(TOKEN, b"u", b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), length=b"Transfer-Encoding: chunked"),
    "no token": framed(TOKEN, b"u", BODY, authorization=None),
    "a token that is not known": framed(token_of(CUSTOMERS[2]), b"u", BODY),
    "a role that may not pay": framed(token_of(OPERATOR), b"u", BODY),
    "no key": framed(TOKEN, None, BODY),
    "a malformed key": framed(TOKEN, b"a b", BODY),
    "another type": framed(TOKEN, b"u", BODY, content_type=b"text/plain"),
    "no JSON": framed(TOKEN, b"u", b"{"),
    "a field of another role": framed(TOKEN, b"u", b'{"amount": 5, "currency": "USD"}'),
    "a body that counts twice": framed(TOKEN, b"u", BODY + b" " * (4_097 - len(BODY))),
}


@pytest.mark.parametrize("name", UNUSUAL)
async def test_an_unusual_request_does_not_take_the_lane(name: str) -> None:
    async with lane() as server:
        assert (await server.answers(UNUSUAL[name])).startswith(b"HTTP/1.1 ")
        assert server.taken == 0


async def test_a_request_in_two_pieces_does_not_take_the_lane() -> None:
    async with lane() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        content = framed(TOKEN, b"pieces", BODY)
        writer.write(content[:-7])
        while not server.lane.endpoint.running:  # noqa: ASYNC110 - the request has begun without its body.
            await asyncio.sleep(0)
        writer.write(content[-7:])
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201 ")
        writer.close()
        assert server.taken == 0


async def test_only_the_first_of_pipelined_requests_takes_the_lane() -> None:
    async with both() as (taking, plain):
        pipelined = [framed(TOKEN, b"p-%d" % number, BODY) for number in range(4)]
        answers = await taking.answers(*pipelined)
        assert answers == await plain.answers(*pipelined)
        assert answers.count(b"HTTP/1.1 201 ") == 4
        assert taking.taken == 1


async def test_the_lane_is_off_with_layers_with_a_wrapper_and_by_its_setting() -> None:
    def layer(app: Any) -> Any:
        async def handle(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        return handle

    usual = framed(TOKEN, b"usual", BODY)
    async with open_lane_server(payment_lane=True, layers=[layer]) as server:
        await server.answers(usual)
        await server.answers(usual)
        assert "lane" not in server.app.state
    async with lane() as server:
        server.app.asgi_handler = layer(server.app.asgi_handler)
        assert (await server.answers(usual)).startswith(b"HTTP/1.1 201 ")
        assert server.taken == 0
    async with lane(options={"root_path": "/gateway"}) as server:
        await server.answers(usual)
        assert server.taken == 0


async def test_the_lane_is_open_behind_trusted_proxies() -> None:
    async with lane(options={"proxy_headers": True, "forwarded_allow_ips": ["127.0.0.1"]}) as server:
        usual = framed(TOKEN, b"usual", BODY, more=[b"X-Forwarded-For: 192.0.2.7"])
        assert (await server.answers(usual)).startswith(b"HTTP/1.1 201 ")
        assert server.taken == 1


async def test_a_token_is_refused_as_soon_as_without_the_lane() -> None:
    async with both() as (taking, plain):
        for server in (taking, plain):
            session = token_of(CUSTOMERS[0], session="ses_to_end")
            for key in (b"a", b"b"):
                assert (await server.answers(framed(session, key, BODY))).startswith(b"HTTP/1.1 201 ")
            await server.gateway.access.sessions.revoke_user(user_id(CUSTOMERS[0]), now=server.clock.now)
            await end_session(server, "ses_to_end")
            server.advance(2.5)
            assert b"token_revoked" in await server.answers(framed(session, b"c", BODY))
            server.advance(900)
            assert b"token_expired" in await server.answers(framed(TOKEN, b"d", BODY))
        assert taking.taken == 1


async def test_a_key_takes_the_lane_as_soon_as_it_is_known_and_is_refused_as_without_the_lane() -> None:
    async with both() as (taking, plain):
        answers: dict[int, list[bytes]] = {}
        for server in (taking, plain):
            create, owner = server.gateway.api_keys.create, user_id(CUSTOMERS[0])
            new = await create(owner_id=owner, name="Till", scopes=["payments:write"])
            reader = await create(owner_id=owner, name="Till", scopes=["payments:read"])
            sent = answers[id(server)] = []
            for text, key in ((new.text, b"a"), (new.text, b"b"), (reader.text, b"c"), (reader.text, b"d")):
                sent.append(await server.answers(framed(text.encode(), key, BODY)))
            await server.gateway.api_keys.revoke(new.key.id)
            server.advance(2.5)
            sent.append(await server.answers(framed(new.text.encode(), b"e", BODY)))
            # The first entry is of a token, the last one of nobody.
            assert [entry.api_key_id for entry in server.entries] == ["", *[new.key.id] * 2, *[reader.key.id] * 2, ""]
        assert answers[id(taking)] == answers[id(plain)]
        for answer, shown in zip(
            answers[id(taking)],
            (b"201", b"201", b"scope_missing", b"scope_missing", b"api_key_invalid"),
            strict=True,
        ):
            assert shown in answer
        assert taking.taken == 1


async def end_session(server: LaneServer, session: str) -> None:
    """End a session that has no refresh token, as another process would."""
    revoked = await server.gateway.storage.sessions.revoked_since(server.clock.now)

    async def revoked_since(_since: Any) -> set[str]:
        return {*revoked, session}

    server.gateway.access.sessions.revoked_since = revoked_since  # type: ignore[method-assign,assignment]


async def test_requests_in_the_lane_count_for_the_rate_limit() -> None:
    # 10 requests from a bucket of the process, and 100 that are drawn.
    async with both(requests_a_minute=100) as (taking, plain):
        requests = [framed(TOKEN, b"r-%d" % number, BODY) for number in range(115)]
        for request in requests:
            assert await taking.answers(request) == await plain.answers(request)
        last = await taking.answers(requests[-1])
        assert last.startswith(b"HTTP/1.1 429 ")
        assert taking.taken > 50


class Held:
    """An executor that keeps submissions until they are let go."""

    def __init__(self, gateway: Gateway) -> None:
        self.submitted: list[tuple[Submission, asyncio.Future[Answer]]] = []
        self.room = True
        self._executor = gateway.executor

    async def perform(self, submission: Submission) -> Answer:
        return await self.submit(submission)

    def submit(self, submission: Submission) -> asyncio.Future[Answer]:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.submitted.append((submission, answer))
        return answer

    def check_room(self, caller: UserId, size: int) -> None:
        if not self.room:
            raise Overloaded("Too much is waiting.")
        self._executor.check_room(caller, size)

    async def has(self, count: int) -> None:
        """Wait until so many submissions are there."""
        async with asyncio.timeout(60):
            while len(self.submitted) < count:  # noqa: ASYNC110 - a submission tells nobody.
                await asyncio.sleep(0)

    async def let_go(self, number: int) -> None:
        """Answer a submission."""
        submission, answer = self.submitted[number]
        done = await self._executor.perform(submission)
        if not answer.done():
            answer.set_result(done)


@asynccontextmanager
async def held(*, payment_lane: bool = True, **options: Any) -> AsyncGenerator[tuple[LaneServer, Held]]:
    """A server whose payments wait, and which knows the token of the first customer."""
    executors: list[Held] = []

    def with_held(gateway: Gateway) -> Gateway:
        executors.append(Held(gateway))
        switch: Any = Switch(gateway.executor, executors[0])
        return replace(gateway, executor=switch)

    async with open_lane_server(payment_lane=payment_lane, changed=with_held, **options) as server:
        await server.answers(framed(TOKEN, b"first", BODY))
        switch: Any = server.gateway.executor
        switch.held = True
        yield server, executors[0]


class Switch:
    """The executor of a gateway, until `held`."""

    def __init__(self, executor: CommandExecutor, then: Held) -> None:
        self.held = False
        self._executors = (executor, then)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executors[self.held], name)


@asynccontextmanager
async def connected(server: LaneServer) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def asking(server: LaneServer, *requests: bytes) -> AsyncGenerator[asyncio.StreamReader]:
    """A connection that has sent these requests."""
    async with connected(server) as (reader, writer):
        writer.write(b"".join(requests))
        yield reader


async def test_a_payment_waits_no_longer_than_a_request_may_take_and_is_made_all_the_same() -> None:
    async with held(limits=HttpLimits(request_seconds_max=0.05)) as (server, executor):
        answer = await server.answers(framed(TOKEN, b"slow", BODY))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"code":"storage_unavailable"' in answer
        assert server.taken == 1
        await executor.let_go(0)
        assert (server.lane.endpoint.running, len(server.lane.endpoint.deadlines.running)) == (0, 0)


async def test_payments_in_the_lane_count_as_running_requests() -> None:
    async with held(limits=HttpLimits(requests_max=1)) as (server, executor):
        async with asking(server, framed(TOKEN, b"running", BODY)) as reader:
            await executor.has(1)
            await one_more_is_overloaded(server, executor)
            await executor.let_go(0)
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201 ")
        assert server.lane.endpoint.running == 0


async def test_a_repeated_head_waits_for_the_response_before_it() -> None:
    async with held() as (server, executor), connected(server) as (reader, writer):
        for number in range(3):
            writer.write(framed(TOKEN, b"in-turn-%d" % number, BODY))
            if number < 2:
                await executor.has(number + 1)
            if number == 0:
                await executor.let_go(0)
                assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201 ")
        # The second one is in the lane, and the third one arrives.
        while server.protocols[-1].begun < 2 and len(executor.submitted) == 2:  # noqa: ASYNC110 - it tells nobody.
            await asyncio.sleep(0)
        assert len(executor.submitted) == 2


async def test_a_reserved_connection_has_no_lane() -> None:
    first = framed(TOKEN, b"has-the-place", BODY)
    async with held(options={"limit_concurrency": 1}) as (server, executor), asking(server, first):
        await executor.has(1)
        await one_more_is_overloaded(server, executor)
        await executor.let_go(0)


async def one_more_is_overloaded(server: LaneServer, executor: Held) -> None:
    """While the executor has one submission, another payment is refused, and not submitted."""
    more = asyncio.create_task(server.answers(framed(TOKEN, b"one-more", BODY)))
    submitted = asyncio.create_task(executor.has(2))
    await asyncio.wait([more, submitted], return_when=asyncio.FIRST_COMPLETED)
    submitted.cancel()
    assert len(executor.submitted) == 1
    assert b'"code":"overloaded"' in await more


async def test_the_setting_closes_the_lane(tmp_path: Path) -> None:
    assert lane_of(app_of(Settings(data_dir=str(tmp_path)))) is not None
    assert lane_of(app_of(Settings(data_dir=str(tmp_path), payment_lane=False))) is None


async def test_a_full_queue_refuses_the_same_way() -> None:
    async with held() as (server, executor):
        executor.room = False
        task = asyncio.create_task(server.answers(framed(TOKEN, b"refused", BODY)))
        await executor.has(1)  # The endpoint asks `perform`, which decides.
        executor.submitted[0][1].set_exception(Overloaded("Too much is waiting."))
        assert b'"code":"overloaded"' in await task
        assert server.taken == 0


async def test_a_bug_and_an_outage_are_answered_the_same_way(caplog: pytest.LogCaptureFixture) -> None:
    async with held() as (taking, lane_executor), held(payment_lane=False) as (plain, plain_executor):
        for number, error in enumerate((KeyError("planted"), TimeoutError("planted"))):
            answers: list[bytes] = []
            for server, executor in ((taking, lane_executor), (plain, plain_executor)):
                task = asyncio.create_task(server.answers(framed(TOKEN, b"bug-%d" % number, BODY)))
                await executor.has(number + 1)
                executor.submitted[number][1].set_exception(error)
                answers.append(await task)
            assert answers[0] == answers[1]
        assert taking.taken == 2
    assert [record.message for record in caplog.records].count("request_failed") == 2
    assert all(record.exc_info for record in caplog.records if record.message == "request_failed")


def unanswered(server: LaneServer) -> list[GatewayProtocol]:
    """The connections with a request that has no response yet."""
    cycles = [(each, cast("RequestResponseCycle | None", each.cycle)) for each in server.protocols]
    return [each for each, cycle in cycles if cycle is not None and not cycle.response_complete]


async def test_a_client_who_leaves_has_paid_and_is_logged() -> None:
    async with held() as (server, executor):
        async with asking(server, framed(TOKEN, b"gone", BODY)):
            await executor.has(1)
        [connection] = unanswered(server)
        async with asyncio.timeout(60):
            while not connection.cycle.disconnected:  # noqa: ASYNC110 - a transport tells only its protocol.
                await asyncio.sleep(0)
        logged, total = len(server.entries), server.state.total_requests
        await executor.let_go(0)
        async with asyncio.timeout(60):
            while server.state.tasks:  # noqa: ASYNC110 - as above.
                await asyncio.sleep(0)
        assert len(server.entries) == logged + 1
        assert server.state.total_requests == total
        assert server.taken == 1


async def test_a_server_that_ends_waits_for_the_lane_and_closes_its_connections() -> None:
    async with held() as (server, executor), asking(server, framed(TOKEN, b"last", BODY)) as reader:
        await executor.has(1)
        assert len(server.state.tasks) == 1
        for connection in list(server.state.connections):
            connection.shutdown()
        await executor.let_go(0)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert b"\r\nconnection: close\r\n" in answer
        assert not server.state.tasks


async def test_a_server_that_has_waited_for_long_enough_gives_up_waiting_and_not_the_payment() -> None:
    async with held() as (server, executor), asking(server, framed(TOKEN, b"last", BODY)) as reader:
        await executor.has(1)
        for connection in list(server.state.connections):
            connection.shutdown()
        for task in server.state.tasks:
            task.cancel(msg="Task cancelled, timeout graceful shutdown exceeded")  # As uvicorn.
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"code":"storage_unavailable"' in answer
        await executor.let_go(0)
        assert server.lane.endpoint.running == 0


async def test_a_client_who_does_not_read_gets_its_response_later() -> None:
    async with held() as (server, executor), asking(server, framed(TOKEN, b"slow", BODY)) as reader:
        await executor.has(1)
        [connection] = unanswered(server)
        connection.flow.pause_writing()
        await executor.let_go(0)
        async with asyncio.timeout(60):
            while server.lane.endpoint.running:  # noqa: ASYNC110 - the answer is there.
                await asyncio.sleep(0)
        assert not connection.cycle.response_started
        connection.flow.resume_writing()
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201 ")


async def test_a_connection_can_be_used_again_and_is_idle_in_between() -> None:
    async with lane() as server:
        usual = [Burst([framed(TOKEN, b"again-%d" % number, BODY)], 1) for number in range(5)]
        assert (await server.sent(usual)).count(b"HTTP/1.1 201 ") == 5
        assert server.taken == 5
        async with asking(server, framed(TOKEN, b"idle", BODY)) as reader:
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201 ")
            [connection] = server.state.connections
            assert isinstance(connection, GatewayProtocol)
            assert connection.timeout_keep_alive_task is not None
            connection.shutdown()
            await reader.read()
