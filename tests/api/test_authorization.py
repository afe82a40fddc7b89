"""The authorization table, walked: every operation, for everybody, with their own, others' and missing objects."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest

from gateway.adapters.http.authorization import TABLE, Objects
from gateway.adapters.http.operations import AnyOperation, Idempotency, Operation
from gateway.domain.member_role import ROLES_FROM, SCOPES_OF_MEMBER, MemberRole
from gateway.domain.scope import SCOPES_OF_ROLE, Scope
from gateway.domain.user import Role, UserId
from gateway.entrypoints.access_table import access_table
from support.api_client import Json, Person, World, created, fresh_email, fresh_key, ok, open_world
from support.asgi import ask
from support.every_operation import EVERY_OPERATION

MISSING: Final = "x"
DENIALS: Final = {
    "token_missing",
    "token_invalid",
    "token_expired",
    "token_revoked",
    "api_key_invalid",
    "role_forbidden",
    "scope_missing",
}
OPERATORS_SEE_ALL: Final = {Objects.OWN_OR_ALL, Objects.PARTY, Objects.ALL}
ENDPOINT: Final[Json] = {"url": "https://shop.example/webhooks", "events": ["payment.*"]}
KEY: Final[Json] = {"name": "Till", "scopes": ["payments:read"]}


def idempotency_key(operation: AnyOperation) -> tuple[tuple[bytes, bytes], ...]:
    return () if operation.idempotency is Idempotency.NONE else ((b"idempotency-key", fresh_key().encode()),)


@dataclass(slots=True)
class Scene:
    """Two customers, two merchants, an operator, and what belongs to each."""

    world: World
    people: dict[str, Person]
    objects: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """The id for each placeholder of paths, by whose it is."""
    members: dict[MemberRole, Person] = field(default_factory=dict[MemberRole, Person])
    """The members of the merchant."""

    async def ask(
        self,
        operation: AnyOperation,
        credential: str | None,
        ids: Mapping[str, str],
        body: Json | None = None,
        *,
        merchant_id: str | None = None,
    ) -> tuple[int, Json]:
        """The status and the problem, if it is one. With `merchant_id` the user acts for that merchant."""
        path = re.sub(r"{(\w+)}", lambda name: ids.get(name[1], MISSING), operation.path)
        headers = [*idempotency_key(operation), (b"content-type", b"application/json")]
        if credential is not None:
            headers.append((b"authorization", f"Bearer {credential}".encode()))
        if merchant_id is not None:
            headers.append((b"gateway-merchant", merchant_id.encode()))
        content = msgspec.json.encode(operation.example if body is None else body)
        answer = await ask(
            self.world.app,
            operation.method,
            path,
            headers=headers,
            chunks=[] if operation.body is None else [content],
            disconnects_after_chunks=operation.name == "streamEvents",
        )
        return answer.status, answer.json if answer.status >= 400 else {}

    async def own(self, name: str, operation: AnyOperation) -> dict[str, str]:
        """The objects of somebody: new ones where the operation ends them."""
        ids = dict(self.objects[name])
        if ROLE_OF[name] not in operation.roles:
            return ids
        person = self.people[name]
        if "{key_id}" in operation.path:
            ids["key_id"] = created(await person.api.post("/api-keys", KEY))["id"]
        if operation.name == "leaveMerchant":
            ids["member_id"] = await self.membership(person)
        elif "{member_id}" in operation.path:
            ids["member_id"] = await self.invitation(person)
        if operation.name == "deleteWebhookEndpoint":
            ids["endpoint_id"] = created(await person.api.post("/webhook-endpoints", ENDPOINT))["id"]
        return ids

    async def invitation(self, merchant: Person) -> str:
        """The id of a new member who has not joined."""
        invited = await merchant.api.post("/members", {"email": fresh_email(), "role": "viewer"})
        return str(created(invited)["id"])

    async def membership(self, person: Person) -> str:
        """The id of a new member of a merchant of its own, who is somebody."""
        merchant = await self.world.merchant()
        invited = created(await merchant.api.post("/members", {"email": person.email, "role": "viewer"}))
        ok(await person.api.post("/invitations/accept", {"token": invited["invitation_token"]}))
        return str(invited["id"])


ROLE_OF: Final = {
    "customer": Role.CUSTOMER,
    "other customer": Role.CUSTOMER,
    "merchant": Role.MERCHANT,
    "other merchant": Role.MERCHANT,
    "operator": Role.OPERATOR,
}
OTHER: Final = {
    "customer": "other customer",
    "other customer": "customer",
    "merchant": "other merchant",
    "other merchant": "merchant",
    "operator": "merchant",
}


async def trade(customer: Person, merchant: Person) -> dict[str, str]:
    """The objects to which both are parties."""
    paid = await customer.pay(merchant, 100)
    refund = created(await merchant.api.post(f"/payments/{paid['id']}/refunds", {"amount": 1}, key=fresh_key()))
    payments = {"payment_id": paid["id"], "refund_id": refund["id"]}
    [transaction, *_] = (await merchant.api.get("/transactions")).json()["data"]
    events = (await merchant.api.get("/events", type="payment.*")).json()["data"]
    return {**payments, "transaction_id": transaction["id"], "event_id": events[0]["id"], "merchant_id": merchant.id}


@pytest.fixture(scope="module")
async def scene() -> AsyncIterator[Scene]:
    async with open_world() as world:
        people = {
            "customer": await world.customer(balance=10_000),
            "other customer": await world.customer(balance=10_000),
            "merchant": await world.merchant(),
            "other merchant": await world.merchant(),
            "operator": await world.operator(),
        }
        scene = Scene(world, people)
        rate = {"rate": "1.1", "spread_basis_points": 0}
        for pair in ("USD/EUR", "EUR/USD"):
            await people["operator"].api.send("PUT", f"/rates/{pair}", rate)
        for prefix in ("", "other "):
            customer, merchant = people[f"{prefix}customer"], people[f"{prefix}merchant"]
            shared = await trade(customer, merchant)
            quote = {"from_currency": "USD", "to_currency": "EUR", "source_amount": 100}
            quote_id = created(await customer.api.post("/quotes", quote))["id"]
            for person, name in ((customer, f"{prefix}customer"), (merchant, f"{prefix}merchant")):
                scene.objects[name] = {**shared, "account_id": person.account_id, "quote_id": quote_id}
        scene.objects["operator"] = dict(scene.objects["customer"])
        for name, person in people.items():
            if ROLE_OF[name] is not Role.CUSTOMER:
                scene.objects[name]["endpoint_id"] = created(await person.api.post("/webhook-endpoints", ENDPOINT))[
                    "id"
                ]
            if ROLE_OF[name] is Role.MERCHANT:
                scene.objects[name]["customer_id"] = created(await person.api.post("/customers", {}))["id"]
                scene.objects[name]["member_id"] = await scene.invitation(person)
            elif ROLE_OF[name] is Role.CUSTOMER:
                scene.objects[name]["member_id"] = await scene.membership(person)
            scene.objects[name]["key_id"] = created(await person.api.post("/api-keys", KEY))["id"]
            # Users whom operators disable are nobody else of the scene.
            scene.objects[name] |= {"from": "EUR", "to": "USD", "user_id": (await world.customer()).id}
        for member in MemberRole:
            scene.members[member] = await world.member(people["merchant"], member.value)
        yield scene


def placeholders(operation: AnyOperation) -> set[str]:
    """The ids in the path, or the account in the body."""
    in_path = set(re.findall(r"{(\w+)}", operation.path)) - {"from", "to"}
    return in_path or {"account_id"} & operation.example.keys()


def sees_all(role: Role, operation: AnyOperation) -> bool:
    return role is Role.OPERATOR and operation.row.objects in OPERATORS_SEE_ALL


def body_for(operation: AnyOperation, ids: Mapping[str, str]) -> Json:
    """The example, with these ids in it."""
    return {name: ids.get(name, value) if name.endswith("_id") else value for name, value in operation.example.items()}


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    assert {operation.name for operation in EVERY_OPERATION} == TABLE.keys()
    with pytest.raises(LookupError, match="drinkCoffee"):
        Operation(
            method="GET", path="/coffee", name="drinkCoffee", tag="", summary="", handler=EVERY_OPERATION[0].handler
        )


def test_the_page_of_the_documentation_has_the_table() -> None:
    # If not: gateway keys scopes --markdown, at the end of docs/access.md
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
    assert page.endswith(f"\n\n{access_table()}")
    # And the scopes of each role, as the page says.
    scopes = page.partition("## Scopes")[2].partition("\n## ")[0]
    for scope in Scope:
        [line] = [line for line in scopes.splitlines() if line.startswith("|") and f"`{scope}`" in line.split("|")[1]]
        shown = [cell.strip().startswith("✓") for cell in line.split("|")[3:6]]
        assert shown == [scope in SCOPES_OF_ROLE[role] for role in (Role.CUSTOMER, Role.MERCHANT, Role.OPERATOR)], scope


def test_a_row_names_the_code_of_a_missing_object_and_the_operation_may_answer_it() -> None:
    for operation in EVERY_OPERATION:
        missing = operation.row.missing
        assert bool(missing) == bool(placeholders(operation)), operation.name
        assert not missing or missing in operation.codes


def test_the_scopes_of_a_role_are_those_of_its_operations() -> None:
    for role in Role:
        of_operations = {row.scope for row in TABLE.values() if role in row.roles} - {None}
        assert SCOPES_OF_ROLE[role] == of_operations


async def test_nobody_is_told_to_sign_in_or_answered_as_the_table_says(scene: Scene) -> None:
    for operation in EVERY_OPERATION:
        ids = dict.fromkeys([*placeholders(operation), "from", "to"], MISSING)
        for credential, code in ((None, "token_missing"), ("nonsense", "token_invalid")):
            status, problem = await scene.ask(operation, credential, ids)
            if operation.roles:
                assert (status, problem["code"]) == (401, code), operation.name
            else:
                assert problem.get("code") not in DENIALS - {"token_invalid"}, operation.name


@pytest.mark.parametrize("name", ROLE_OF)
async def test_a_user_may_what_the_table_says_with_own_objects_only(scene: Scene, name: str) -> None:
    role, credential = ROLE_OF[name], str(scene.people[name].api.token)
    for operation in EVERY_OPERATION:
        if operation.name in {"logOut", "changePassword", "register", "logIn", "refresh", "acceptInvitation"}:
            continue  # They would end the sessions of the scene, or need a token; tests of their own walk them.
        own = await scene.own(name, operation)
        body = body_for(operation, own)
        if role not in operation.roles:
            if operation.roles:
                for ids in (own, dict.fromkeys(own, MISSING)):
                    status, problem = await scene.ask(operation, credential, ids, body)
                    assert (status, problem["code"]) == (403, "role_forbidden"), operation.name
            continue
        is_nobodys = operation.name == "getQuote" and role is Role.MERCHANT
        if not is_nobodys:
            status, problem = await scene.ask(operation, credential, own, body)
            assert status != 404, (operation.name, problem)
            assert problem.get("code") not in DENIALS, (operation.name, problem)
        if not placeholders(operation):
            continue
        others = {**own, **{each: scene.objects[OTHER[name]][each] for each in placeholders(operation)}}
        nobodys = {**own, **dict.fromkeys(placeholders(operation), MISSING)}
        of_others = await scene.ask(operation, credential, others, body_for(operation, others))
        missing = await scene.ask(operation, credential, nobodys, body_for(operation, nobodys))
        assert (missing[0], missing[1]["code"]) == (404, operation.row.missing), operation.name
        if sees_all(role, operation):
            assert of_others[0] != 404, (operation.name, of_others)
        else:
            assert without_ids(of_others) == without_ids(missing), operation.name


OF_MERCHANTS: Final = {operation.name for operation in EVERY_OPERATION if Role.MERCHANT in operation.roles}
OF_THEMSELVES: Final = {"logOut", "changePassword", "acceptInvitation", "listMemberships", "leaveMerchant"}
"""What a member does for themselves, and nobody for a merchant."""
OF_ADMINS: Final = {"listMembers", "getMember", "listAuditRecords"}
"""What viewers do not read."""


def test_each_operation_of_merchants_says_from_which_role_members_may_call_it() -> None:
    assert {name for name, row in TABLE.items() if row.least is not None} == OF_MERCHANTS - OF_THEMSELVES
    for name, row in TABLE.items():
        if row.least is None or row.roles == {Role.OPERATOR}:
            continue
        is_read = name.startswith(("get", "list", "stream"))
        assert (row.least is MemberRole.VIEWER) == (is_read and name not in OF_ADMINS), name


def test_the_scopes_of_a_member_are_those_of_the_operations_that_they_may_call() -> None:
    rows = [row for row in TABLE.values() if Role.MERCHANT in row.roles and row.scope is not None]
    for role in ROLES_FROM[MemberRole.DEVELOPER]:
        barred = {row.scope for row in rows if role not in row.members}
        assert SCOPES_OF_MEMBER[role] == {row.scope for row in rows} - barred
    for role in set(MemberRole) - ROLES_FROM[MemberRole.DEVELOPER]:
        assert SCOPES_OF_MEMBER[role] == frozenset()


@pytest.mark.parametrize("role", MemberRole)
async def test_a_member_may_what_the_table_says_with_the_merchants_objects_only(scene: Scene, role: MemberRole) -> None:
    credential, merchant_id = str(scene.members[role].api.token), scene.people["merchant"].id
    for operation in EVERY_OPERATION:
        if not operation.roles:
            continue
        may = Role.MERCHANT in operation.roles and role in operation.row.members
        own = await scene.own("merchant", operation) if may else dict(scene.objects["merchant"])
        in_question = placeholders(operation)
        others = {**own, **{each: scene.objects["other merchant"][each] for each in in_question & own.keys()}}
        nobodys = {**own, **dict.fromkeys(in_question, MISSING)}
        answers = [
            await scene.ask(operation, credential, ids, body_for(operation, ids), merchant_id=merchant_id)
            for ids in ((own, others, nobodys) if in_question else (own,))
        ]
        if not may:
            for status, problem in answers:
                assert (status, problem["code"]) == (403, "role_forbidden"), operation.name
            continue
        status, problem = answers[0]
        if operation.name != "getQuote":  # Quotes are of customers.
            assert status != 404, (operation.name, problem)
            assert problem.get("code") not in DENIALS | {"not_a_member"}, (operation.name, problem)
        if in_question:
            assert (answers[2][0], answers[2][1]["code"]) == (404, operation.row.missing), operation.name
            assert without_ids(answers[1]) == without_ids(answers[2]), operation.name


async def test_only_members_act_for_a_merchant(scene: Scene) -> None:
    _, key = await new_key(scene, "customer", {Scope.PAYMENTS_READ})
    _, own_key = await new_key(scene, "merchant", {Scope.PAYMENTS_READ})
    merchant_id = scene.people["merchant"].id
    for operation in EVERY_OPERATION:
        ids = dict.fromkeys([*placeholders(operation), "from", "to"], MISSING)
        for name, person in scene.people.items():
            credential = str(person.api.token)
            for merchant in {merchant_id, "usr_nobody"} - {person.id}:
                status, problem = await scene.ask(operation, credential, ids, merchant_id=merchant)
                if operation.roles:
                    assert (status, problem["code"]) == (403, "not_a_member"), (operation.name, name)
        if operation.roles:
            status, problem = await scene.ask(operation, key, ids, merchant_id=merchant_id)
            assert (status, problem["code"]) == (403, "not_a_member"), operation.name
            for credential in (str(scene.people["merchant"].api.token), own_key):
                if operation.method != "GET":
                    continue  # The merchant's own user may name the merchant, and nothing changes by it.
                alone = await scene.ask(operation, credential, ids)
                named = await scene.ask(operation, credential, ids, merchant_id=merchant_id)
                assert named[1].get("code") == alone[1].get("code"), operation.name


def without_ids(answer: tuple[int, Json]) -> tuple[int, Json]:
    status, problem = answer
    return status, {name: value for name, value in problem.items() if name not in {"instance", "request_id"}}


async def new_key(scene: Scene, name: str, scopes: set[Scope]) -> tuple[str, str]:
    """The id of a key, and the key."""
    owner = UserId(scene.people[name].id)
    new = await scene.world.gateway.api_keys.create(owner_id=owner, name="Till", scopes=sorted(scopes))
    return new.key.id, new.text


@pytest.mark.parametrize("name", ["customer", "merchant", "operator"])
async def test_a_key_may_what_its_scope_and_the_role_of_its_owner_allow(scene: Scene, name: str) -> None:
    role = ROLE_OF[name]
    all_scopes = set(SCOPES_OF_ROLE[role])
    keys = {frozenset({scope}): await new_key(scene, name, {scope}) for scope in all_scopes}
    keys |= {frozenset(all_scopes - {scope}): await new_key(scene, name, all_scopes - {scope}) for scope in all_scopes}
    for operation in EVERY_OPERATION:
        if not operation.roles:
            continue
        ids = dict.fromkeys([*placeholders(operation), "from", "to"], MISSING)
        for scopes, (_, text) in keys.items():
            status, problem = await scene.ask(operation, text, ids)
            code = problem.get("code")
            if role not in operation.roles:
                assert (status, code) == (403, "role_forbidden"), operation.name
            elif operation.scope not in scopes:
                assert (status, code) == (403, "scope_missing"), operation.name
                assert problem["required_scope"] == operation.scope
            else:
                assert code not in DENIALS, (operation.name, problem)
                assert operation.row.missing in {"", code} or status == 400, (operation.name, problem)


@pytest.mark.parametrize("name", ["customer", "merchant", "operator"])
async def test_a_key_sees_its_owners_objects_only(scene: Scene, name: str) -> None:
    _, text = await new_key(scene, name, set(SCOPES_OF_ROLE[ROLE_OF[name]]))
    for operation in EVERY_OPERATION:
        if ROLE_OF[name] not in operation.roles or operation.scope is None or not placeholders(operation):
            continue
        own = await scene.own(name, operation)
        others = {**own, **{each: scene.objects[OTHER[name]][each] for each in placeholders(operation)}}
        nobodys = {**own, **dict.fromkeys(placeholders(operation), MISSING)}
        status, problem = await scene.ask(operation, text, others, body_for(operation, others))
        if sees_all(ROLE_OF[name], operation):
            assert status != 404, (operation.name, problem)
        else:
            missing = await scene.ask(operation, text, nobodys, body_for(operation, nobodys))
            assert without_ids((status, problem)) == without_ids(missing), operation.name


async def test_a_key_that_has_ended_may_nothing(scene: Scene) -> None:
    gateway, owner = scene.world.gateway, UserId(scene.people["merchant"].id)
    scopes = sorted(SCOPES_OF_ROLE[Role.MERCHANT])
    revoked, texts = await new_key(scene, "merchant", set(SCOPES_OF_ROLE[Role.MERCHANT]))
    await gateway.api_keys.revoke(revoked)  # type: ignore[arg-type]  # it is the id of a key.
    expires_at = scene.world.clock() + timedelta(seconds=1)
    expiring = await gateway.api_keys.create(owner_id=owner, name="Till", scopes=scopes, expires_at=expires_at)
    await gateway.access.authenticate(expiring.text)
    scene.world.clock.advance(1)
    replaced = await gateway.api_keys.create(owner_id=owner, name="Till", scopes=scopes)
    await gateway.api_keys.rotate(replaced.key.id)
    for text in (texts, expiring.text, replaced.text):
        for operation in EVERY_OPERATION:
            if operation.roles:
                ids = dict.fromkeys([*placeholders(operation), "from", "to"], MISSING)
                status, problem = await scene.ask(operation, text, ids)
                assert (status, problem["code"]) == (401, "api_key_invalid"), operation.name
