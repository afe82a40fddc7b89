"""Permissions: every operation, for every role and without a token."""

import re

import pytest

from support.api_client import Api, Person, World, open_world, refused

ALL = frozenset({"customer", "merchant", "operator"})
PUBLIC = {
    "POST /users/register",
    "POST /users/login",
    "POST /users/refresh",
    "POST /users/second-factor",
    "POST /users/second-factor/confirm",
    "POST /users/second-factor/disable",
    "GET /.well-known/jwks.json",
    "POST /customers/accept-invitation",
    "POST /invitations/register",
    "GET /health/live",
    "GET /health/ready",
}
ROLES = {
    "POST /users/logout": ALL,
    "GET /users/me": ALL,
    "POST /users/me/password": ALL,
    "POST /members": {"merchant"},
    "GET /members": {"merchant"},
    "GET /members/{member_id}": {"merchant"},
    "PATCH /members/{member_id}": {"merchant"},
    "DELETE /members/{member_id}": {"merchant"},
    "POST /invitations/accept": {"customer", "merchant"},
    "GET /memberships": {"customer", "merchant"},
    "DELETE /memberships/{member_id}": {"customer", "merchant"},
    "POST /api-keys": ALL,
    "GET /api-keys": ALL,
    "GET /api-keys/{key_id}": ALL,
    "DELETE /api-keys/{key_id}": ALL,
    "POST /api-keys/{key_id}/rotate": ALL,
    "POST /customers": {"merchant"},
    "GET /customers": {"merchant"},
    "GET /customers/{customer_id}": {"merchant"},
    "PATCH /customers/{customer_id}": {"merchant"},
    "POST /customers/{customer_id}/invitations": {"merchant"},
    "GET /accounts": ALL,
    "POST /accounts": {"customer", "merchant"},
    "GET /accounts/{account_id}": ALL,
    "POST /accounts/{account_id}/freeze": {"operator"},
    "POST /accounts/{account_id}/unfreeze": {"operator"},
    "POST /accounts/{account_id}/close": ALL,
    "POST /users/{user_id}/disable": {"operator"},
    "POST /users/{user_id}/enable": {"operator"},
    "POST /users/{user_id}/end-sessions": {"operator"},
    "POST /deposits": ALL,
    "POST /payouts": {"customer", "merchant"},
    "POST /payments": {"customer", "merchant"},
    "POST /payments/{payment_id}/confirm": {"customer"},
    "POST /payments/{payment_id}/approve": {"operator"},
    "POST /payments/{payment_id}/decline": {"operator"},
    "POST /payments/{payment_id}/capture": {"merchant"},
    "POST /payments/{payment_id}/cancel": {"customer", "merchant"},
    "POST /payments/{payment_id}/refunds": {"merchant"},
    "GET /payments/{payment_id}/refunds": ALL,
    "GET /refunds/{refund_id}": ALL,
    "POST /transactions/{transaction_id}/reverse": {"operator"},
    "PUT /merchants/{merchant_id}/fees": {"operator"},
    "GET /merchants/{merchant_id}/fees": {"merchant", "operator"},
    "POST /payments/batch": ALL,
    "GET /payments": ALL,
    "GET /payments/{payment_id}": ALL,
    "POST /transactions": {"customer"},
    "GET /transactions": ALL,
    "GET /transactions/{transaction_id}": ALL,
    "GET /events": ALL,
    "GET /events/stream": ALL,
    "GET /events/{event_id}": ALL,
    "GET /rates": ALL,
    "PUT /rates/{from}/{to}": {"operator"},
    "POST /quotes": {"customer"},
    "GET /quotes/{quote_id}": ALL,
    "POST /webhook-endpoints": {"merchant", "operator"},
    "GET /webhook-endpoints": {"merchant", "operator"},
    "GET /webhook-endpoints/{endpoint_id}": {"merchant", "operator"},
    "PATCH /webhook-endpoints/{endpoint_id}": {"merchant", "operator"},
    "DELETE /webhook-endpoints/{endpoint_id}": {"merchant", "operator"},
    "POST /webhook-endpoints/{endpoint_id}/rotate-secret": {"merchant", "operator"},
    "POST /webhook-endpoints/{endpoint_id}/test": {"merchant", "operator"},
    "GET /webhook-endpoints/{endpoint_id}/deliveries": {"merchant", "operator"},
    "POST /webhook-endpoints/{endpoint_id}/replay": {"merchant", "operator"},
    "POST /events/{event_id}/redeliver": {"merchant", "operator"},
    "GET /audit": {"merchant", "operator"},
    "GET /ledger/invariants": {"operator"},
}
"""Written from the contract, not from the code."""
SCOPES = {
    "accounts:read": {
        "GET /users/me",
        "GET /accounts",
        "GET /accounts/{account_id}",
        "GET /merchants/{merchant_id}/fees",
    },
    "payments:read": {
        "GET /payments",
        "GET /payments/{payment_id}",
        "GET /payments/{payment_id}/refunds",
        "GET /refunds/{refund_id}",
        "GET /rates",
        "GET /quotes/{quote_id}",
    },
    "payments:write": {
        "POST /payments",
        "POST /payments/batch",
        "POST /payments/{payment_id}/confirm",
        "POST /payments/{payment_id}/capture",
        "POST /payments/{payment_id}/cancel",
        "POST /transactions",
        "POST /quotes",
    },
    "customers:read": {"GET /customers", "GET /customers/{customer_id}"},
    "customers:write": {
        "POST /customers",
        "PATCH /customers/{customer_id}",
        "POST /customers/{customer_id}/invitations",
    },
    "refunds:write": {"POST /payments/{payment_id}/refunds"},
    "payouts:write": {"POST /deposits", "POST /payouts"},
    "transactions:read": {"GET /transactions", "GET /transactions/{transaction_id}", "GET /ledger/invariants"},
    "events:read": {"GET /events", "GET /events/stream", "GET /events/{event_id}"},
    "webhooks:write": {
        "POST /webhook-endpoints",
        "GET /webhook-endpoints",
        "GET /webhook-endpoints/{endpoint_id}",
        "PATCH /webhook-endpoints/{endpoint_id}",
        "DELETE /webhook-endpoints/{endpoint_id}",
        "POST /webhook-endpoints/{endpoint_id}/rotate-secret",
        "POST /webhook-endpoints/{endpoint_id}/test",
        "GET /webhook-endpoints/{endpoint_id}/deliveries",
        "POST /webhook-endpoints/{endpoint_id}/replay",
        "POST /events/{event_id}/redeliver",
    },
}
"""What an API key with a scope may do. No key does anything else."""


async def attempt(api: Api, operation: str) -> tuple[int, str]:
    """The status and code for a request that has everything but a body that makes sense."""
    method, _, template = operation.partition(" ")
    path = re.sub(r"{\w+}", "x", template)
    answer = await api.send(method, path, key="k", content=None if method == "GET" else b"[]")
    return answer.status_code, answer.json()["code"] if answer.status_code >= 400 else ""


def test_every_operation_has_its_row(quiet_world: World) -> None:
    document = quiet_world.anyone.contract.document
    operations = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    rows = PUBLIC | ROLES.keys()
    assert operations == rows, f"PUBLIC or ROLES in {__file__} differs: {sorted(operations ^ rows)}"


def test_every_operation_needs_its_scope(quiet_world: World) -> None:
    scope_of = {operation: scope for scope, operations in SCOPES.items() for operation in operations}
    for path, item in quiet_world.anyone.contract.document["paths"].items():
        for method, described in item.items():
            operation = f"{method.upper()} {path}"
            assert described.get("x-required-scope") == scope_of.get(operation), operation
            assert ({"apiKey": []} in described["security"]) == (operation in scope_of), operation


@pytest.mark.parametrize("operation", sorted(ROLES))
async def test_an_operation_is_for_its_roles_only(world: World, operation: str) -> None:
    people: dict[str, Person] = {
        "customer": await world.customer(),
        "merchant": await world.merchant(),
        "operator": await world.operator(),
    }
    for role, person in people.items():
        status, code = await attempt(person.api, operation)
        assert (code == "role_forbidden") == (role not in ROLES[operation])
        assert (status == 403) == (role not in ROLES[operation])
    assert await attempt(world.anyone, operation) == (401, "token_missing")


@pytest.mark.parametrize("operation", sorted(PUBLIC))
async def test_a_public_operation_does_not_look_at_tokens(quiet_world: World, operation: str) -> None:
    for api in (quiet_world.anyone, quiet_world.anyone.with_token("nonsense")):
        status, code = await attempt(api, operation)
        assert (status, code) == ((200, "") if operation.startswith("GET") else (400, "validation_error"))


async def test_in_production_deposits_are_for_operators() -> None:
    async with open_world(sandbox=False) as production:
        for person in (await production.customer(), await production.merchant()):
            assert await attempt(person.api, "POST /deposits") == (403, "role_forbidden")
        assert await attempt((await production.operator()).api, "POST /deposits") == (400, "validation_error")


async def test_who_may_not_ask_does_not_learn_what_is_wrong_with_the_request(world: World, operator: Person) -> None:
    for body in (b"{", b"x" * 70_000, b"[" * 10_000):
        refused(await operator.api.send("POST", "/payments", content=body), 403, "role_forbidden")
        refused(await world.anyone.send("POST", "/payments", content=body), 401, "token_missing")
