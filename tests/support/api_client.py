"""A client for tests of the HTTP API: words for what they do often, and a contract that every answer must keep."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from typing import Any, Self, cast

import httpx
import jsonschema  # type: ignore[import-untyped]  # it ships no types.
import msgspec
from litestar import Litestar
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from gateway.adapters.http import AccessLog, HttpLimits, Layer, create_app
from gateway.adapters.http.docs_pages import STATIC_FILES
from gateway.adapters.jose.keys import generate_pem, signing_key_from_pem
from gateway.adapters.jose.signatures import JoseSignatures
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.api_keys import ApiKeys
from gateway.application.audit_ids import audit_ids
from gateway.application.audit_queries import AuditQueries
from gateway.application.customers import Customers
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.events.feed import Events
from gateway.application.events.hub import EventHub, StreamLimits
from gateway.application.gateway import Gateway
from gateway.application.members import Members
from gateway.application.ports.risk import RiskRules
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, Wanted
from gateway.application.recovery import Recovery
from gateway.application.second_factors import SecondFactorEnrolment
from gateway.bootstrap.wiring import in_memory_gateway
from gateway.domain.account import AccountId
from gateway.domain.money import COUNTER_MAX
from gateway.domain.user import Role
from support.builders import StandingClock, a_batch

Json = dict[str, Any]
EVENT_STREAM = "text/event-stream"
PASSWORD = "correct horse battery"
CURSOR_KEYS = JoseSignatures(signing_key_from_pem(generate_pem()))
PLAIN_HEADERS = {
    "access-control-allow-origin",
    "access-control-expose-headers",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "vary",
    "x-accel-buffering",
    "x-content-type-options",
}
"""Headers that every response may have; the document says nothing of them."""

PAGES = {"/", "/openapi.json", "/docs", "/docs/guide", *(f"/docs/static/{name}" for name in STATIC_FILES)}
"""What is served and is no part of the document."""

_numbers = count(1)


class Contract:
    """The OpenAPI document as a judge: no answer may have a status, a code or a body that it does not declare."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self.seen: set[tuple[str, int, str]] = set()
        """Each operation's name, with the statuses and codes that it was seen to answer."""
        self._registry: Registry[Any] = Registry().with_resource("urn:document", DRAFT202012.create_resource(document))
        self._paths = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in document["paths"]]
        self._validators: dict[str, Any] = {}

    def check(self, response: httpx.Response, *, root_path: str = "") -> None:
        """Hold one answer against the document."""
        path = "/" + response.request.url.path.removeprefix(root_path).strip("/")
        method = response.request.method
        assert re.fullmatch("[A-Za-z0-9_-]{8,64}", response.headers["request-id"])
        if response.status_code >= 400:
            check_problem(response)
            if response.request.method != "HEAD":
                assert response.json().keys() <= self.document["components"]["schemas"]["Problem"]["properties"].keys()
        template = next((template for pattern, template in self._paths if pattern.fullmatch(path)), None)
        operation = self.document["paths"].get(template, {}).get("get" if method == "HEAD" else method.lower())
        if operation is None:
            self._check_stray(response, method, path, is_known=template is not None)
            return
        declared = operation["responses"].get(str(response.status_code))
        assert declared is not None, f"{operation['operationId']} answered an undeclared {response.status_code}"
        code = ""
        if method != "HEAD":
            self._check_body(response, declared, template, method.lower())
            code = response.json()["code"] if response.status_code >= 400 else ""
        self.seen.add((operation["operationId"], response.status_code, code))

    def validate(self, instance: object, *steps: str) -> None:
        """Hold a value against the schema which stands in the document behind these steps."""
        pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
        # In a fragment of a URI, which is what a reference has, braces are percent-encoded.
        reference = "urn:document#" + pointer.replace("{", "%7B").replace("}", "%7D")
        if reference not in self._validators:
            self._validators[reference] = jsonschema.Draft202012Validator(
                {"$ref": reference},
                registry=self._registry,
                format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
            )
        self._validators[reference].validate(instance)

    def _check_body(self, response: httpx.Response, declared: Json, template: str | None, method: str) -> None:
        assert template is not None
        steps: tuple[str, ...] = ("paths", template, method, "responses", str(response.status_code))
        if "$ref" in declared:
            steps = ("components", "responses", declared["$ref"].rpartition("/")[2])
            declared = self.document["components"]["responses"][steps[-1]]
        described = {name.lower() for name in declared["headers"]}
        assert described >= response.headers.keys() - PLAIN_HEADERS
        content = declared.get("content")
        if content is None:
            assert response.content == b""
            return
        [media_type] = content
        assert response.headers["content-type"] == media_type
        for body in messages_of(response.text) if media_type == EVENT_STREAM else [response.json()]:
            self.validate(body, *steps, "content", media_type, "schema")

    def _check_stray(self, response: httpx.Response, method: str, path: str, *, is_known: bool) -> None:
        if method == "OPTIONS" and response.status_code == 204:
            assert response.headers["allow"]
        elif is_known or path in PAGES:
            assert response.status_code in {200, 304, 307, 400, 405}
        else:
            assert response.status_code == 404


def messages_of(stream: str) -> list[dict[str, str]]:
    """The messages of server-sent events, without comments."""
    blocks = [[line.partition(": ") for line in block.splitlines()] for block in stream.split("\n\n")]
    messages = [{name: value for name, _, value in lines if name in {"id", "event", "data"}} for lines in blocks]
    return [message for message in messages if message]


def check_problem(response: httpx.Response) -> None:
    """What every refusal has in common (RFC 9457, and the headers that HTTP asks for)."""
    status = response.status_code
    assert response.headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in response.headers) == (status == 401)
    assert ("allow" in response.headers) == (status == 405)
    if status in {429, 503}:
        assert int(response.headers["retry-after"]) >= 1
    if response.request.method == "HEAD":
        return
    problem = response.json()
    assert problem["status"] == status
    assert problem["type"] == f"urn:gateway:problem:{problem['code']}"
    assert problem["instance"]
    if response.headers.get("idempotency-replayed") is None:
        assert problem["request_id"] == response.headers["request-id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Sends requests, signed in or not."""

    http: httpx.AsyncClient
    contract: Contract
    token: str | None = None
    merchant_id: str | None = None
    root_path: str = ""

    def with_token(self, token: str | None) -> Self:
        """The same, signed in otherwise."""
        return replace(self, token=token)

    def acting_for(self, merchant_id: str | None) -> Self:
        """The same, as a member of a merchant."""
        return replace(self, merchant_id=merchant_id)

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str | bytes] | None = None,
        content: bytes | AsyncIterable[bytes] | None = None,
    ) -> httpx.Response:
        """Send one request; `body` goes as JSON, `content` as it is. The answer is held against the contract."""
        all_headers: dict[str, str | bytes] = {}
        if self.token is not None:
            all_headers["authorization"] = f"Bearer {self.token}"
        if self.merchant_id is not None:
            all_headers["gateway-merchant"] = self.merchant_id
        if key is not None:
            all_headers["idempotency-key"] = key
        if content is not None:
            all_headers["content-type"] = "application/json"
        response = await self.http.request(
            method,
            self.root_path + path,
            json=body,
            content=content,
            params=params,
            headers=[
                (name.encode(), value if isinstance(value, bytes) else value.encode())
                for name, value in {**all_headers, **(headers or {})}.items()
            ],
        )
        self.contract.check(response, root_path=self.root_path)
        return response

    async def get(self, path: str, **params: str | int) -> httpx.Response:
        """Read something."""
        return await self.send("GET", path, params=params or None)

    async def post(self, path: str, body: object = None, *, key: str | None = None) -> httpx.Response:
        """Do something."""
        return await self.send("POST", path, body, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who is signed in, with their account."""

    api: Api
    id: str
    email: str
    account_id: str
    refresh_token: str

    async def deposit(self, amount: int, currency: str = "USD", *, account_id: str | None = None) -> Json:
        """Fund an account, the person's own unless another is given."""
        body = {"account_id": account_id or self.account_id, "amount": amount, "currency": currency}
        return created(await self.api.post("/deposits", body, key=fresh_key()))

    async def pay(self, merchant: "Person", amount: int, currency: str = "USD", **more: object) -> Json:
        """Pay a merchant; it must succeed."""
        body = {"merchant_id": merchant.id, "amount": amount, "currency": currency, **more}
        return created(await self.api.post("/payments", body, key=fresh_key()))

    async def available(self) -> int:
        """What the person may spend, in minor units."""
        balance: int = ok(await self.api.get(f"/accounts/{self.account_id}"))["balance"]["available"]
        return balance


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An application, with what drives it from outside."""

    app: Litestar
    gateway: Gateway
    clock: StandingClock
    anyone: Api

    async def customer(self, *, currency: str = "USD", balance: int = 0) -> Person:
        """A new customer, with so many minor units in their account."""
        person = await self._registered("customer", currency)
        if balance:
            await person.deposit(balance, currency)
        return person

    async def merchant(self, *, currency: str = "USD") -> Person:
        """A new merchant."""
        return await self._registered("merchant", currency)

    async def member(self, merchant: Person, role: str) -> Person:
        """A new user who acts for a merchant, with a role."""
        body = {"email": fresh_email(), "role": role}
        token = created(await merchant.api.post("/members", body))["invitation_token"]
        created(await self.anyone.post("/invitations/register", {"token": token, "password": PASSWORD}))
        person = await self.signed_in(body["email"])
        return replace(person, api=person.api.acting_for(merchant.id))

    async def operator(self) -> Person:
        """A new operator. They are not made over HTTP."""
        email = fresh_email()
        await self.gateway.access.register(email=email, password=PASSWORD, role=Role.OPERATOR)
        return await self.signed_in(email)

    async def signed_in(self, email: str, password: str = PASSWORD) -> Person:
        """Somebody, with a session of their own."""
        tokens = ok(await self.anyone.post("/users/login", {"email": email, "password": password}))
        user = tokens["user"]
        return Person(
            api=self.anyone.with_token(tokens["access_token"]),
            id=user["id"],
            email=email,
            account_id=user["accounts"][0]["id"] if user["accounts"] else "",
            refresh_token=tokens["refresh_token"],
        )

    async def fill(self, person: Person, *, room: int) -> None:
        """Give somebody all that an account can count but for `room`: over HTTP it would take millions of deposits."""
        account_id = AccountId(person.account_id)
        async with self.gateway.storage.unit_of_work() as work:
            [account] = (await work.load(Wanted(account_ids=(account_id,)))).accounts
            full = account.changed(credits_posted=COUNTER_MAX - account.credits_posted - room)
            await work.commit(Changes(accounts_changed=(full,)))

    async def _registered(self, role: str, currency: str) -> Person:
        body = {"email": fresh_email(), "password": PASSWORD, "role": role, "currency": currency}
        return await self.signed_in(created(await self.anyone.post("/users/register", body))["email"])


@asynccontextmanager
async def open_world(  # noqa: PLR0913 - every option of an application, by name.
    *,
    sandbox: bool = True,
    docs: bool | None = None,
    limits: HttpLimits | None = None,
    root_path: str = "",
    storage: Storage | None = None,
    like: World | None = None,
    cors_allowed_origins: Sequence[str] = (),
    layers: Sequence[Layer] = (),
    access_log: AccessLog | None = None,
    risk: RiskRules | None = None,
    changed: Callable[[Gateway], Gateway] = lambda gateway: gateway,
) -> AsyncGenerator[World]:
    """Start an application, on memory unless a storage is given. `changed` may put other parts into its gateway.

    `like` is a world whose gateway it serves too.
    """
    clock = StandingClock()
    async with AsyncExitStack() as stack:
        gateway = like.gateway if like else await stack.enter_async_context(in_memory_gateway(clock=clock, risk=risk))
        if storage is not None:
            gateway = await stack.enter_async_context(moved(gateway, storage, clock))

        @asynccontextmanager
        async def opener() -> AsyncGenerator[Gateway]:
            yield changed(gateway)

        app = create_app(
            opener,
            cursor_keys=CURSOR_KEYS,
            sandbox=sandbox,
            docs=docs,
            limits=limits or HttpLimits(),
            root_path=root_path,
            cors_allowed_origins=cors_allowed_origins,
            layers=layers,
            access_log=access_log,
        )
        transport = httpx.ASGITransport(cast("Any", ending_streams(app)))
        async with started(app), httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
            contract = contract_of((await http.get(f"{root_path}/openapi.json")).content)
            anyone = Api(http=http, contract=contract, root_path=root_path)
            yield World(app=app, gateway=gateway, clock=clock, anyone=anyone)


def ending_streams(app: Litestar) -> Callable[..., Awaitable[None]]:
    """The application, for a client who leaves a stream of events after its first bytes."""

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        has_begun, is_stream = asyncio.Event(), False

        async def receive_or_leave() -> Any:
            if not is_stream:
                return await receive()
            await has_begun.wait()
            return {"type": "http.disconnect"}

        async def watch(message: Any) -> None:
            nonlocal is_stream
            if message["type"] == "http.response.start":
                is_stream = (b"content-type", EVENT_STREAM.encode()) in message["headers"]
            elif is_stream and not message.get("more_body", False):
                is_stream = False
            elif is_stream:
                has_begun.set()
            await send(message)

        await app(scope, receive_or_leave, watch)
        if is_stream:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return handle


@asynccontextmanager
async def moved(gateway: Gateway, storage: Storage, clock: StandingClock) -> AsyncGenerator[Gateway]:
    """The gateway, with all that it keeps in another storage."""
    run_batch = retrying(a_batch(storage, clock).run, RetryLimits())
    submissions = GroupCommit(run_batch, GroupLimits(), scheduling=storage.scheduling)
    executor = CommandExecutor(submissions, time_ordered_id)
    access = replace(
        gateway.access,
        executor=executor,
        users=storage.users,
        sessions=storage.sessions,
        api_keys=storage.api_keys,
        second_factors=storage.second_factors,
        members=storage.members,
        login_failures=storage.login_failures,
        audit_log=storage.audit_log,
    )
    queries = replace(gateway.queries, reader=storage.reader)
    events = Events(storage.events)
    event_queries = replace(gateway.event_queries, feed=storage.events)
    webhooks = replace(gateway.webhooks, executor=executor, stored=storage.webhook_endpoints)
    api_keys = ApiKeys(access)
    deliveries = replace(
        gateway.deliveries, stored=storage.deliveries, endpoints=storage.webhook_endpoints, feed=storage.events
    )
    try:
        yield replace(
            gateway,
            executor=executor,
            access=access,
            api_keys=api_keys,
            customers=Customers(access=access, stored=storage.customers),
            second_factors=SecondFactorEnrolment(access),
            members=Members(access, storage.members),
            recovery=Recovery(access, storage.customers),
            queries=queries,
            events=events,
            event_queries=event_queries,
            event_hub=EventHub(event_queries, events.commits, StreamLimits()),
            webhooks=webhooks,
            deliveries=deliveries,
            storage=storage,
            audit=AuditQueries(storage.audit_log, executor, access.clock, audit_ids(storage)),
        )
    finally:
        await access.close()  # Otherwise it writes when keys were last used, a minute later.
        await submissions.close()


@asynccontextmanager
async def started(app: Litestar) -> AsyncGenerator[None]:
    """The application between its start and its end: in a task of its own, for a fixture begins and ends in two."""
    is_started, enough = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            is_started.set()
            await enough.wait()

    task = asyncio.create_task(live())
    task.add_done_callback(lambda _: is_started.set())
    await is_started.wait()
    try:
        yield
    finally:
        enough.set()
        await task


@cache
def contract_of(document: bytes) -> Contract:
    """The contract that a document makes; one for all applications that serve the same."""
    return Contract(msgspec.json.decode(document))


def created(response: httpx.Response) -> Json:
    """The body of a 201."""
    return body_of(response, 201)


def ok(response: httpx.Response) -> Json:
    """The body of a 200."""
    return body_of(response, 200)


def refused(response: httpx.Response, status: int, code: str) -> Json:
    """The problem, which must be this one."""
    problem = body_of(response, status)
    assert problem["code"] == code
    return problem


def body_of(response: httpx.Response, status: int) -> Json:
    """The JSON of an answer, which must have this status."""
    assert response.status_code == status, response.text
    body: Json = response.json()
    return body


def registration(**change: object) -> Json:
    """The body of a registration as a customer."""
    return {"email": fresh_email(), "password": PASSWORD, "role": "customer", **change}


def fresh_key() -> str:
    """An idempotency key that no other request has."""
    return f"key-{next(_numbers)}"


def fresh_email() -> str:
    """An address that nobody else has."""
    return f"person-{next(_numbers)}@example.com"
