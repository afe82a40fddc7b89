"""Requests generated from the OpenAPI document, valid and invalid: the document describes all responses."""

import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from gateway.adapters.http.app import all_operations
from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.openapi import openapi_document
from gateway.adapters.http.operations import Idempotency, Operation
from gateway.domain.scope import Scope
from gateway.domain.user import Role
from support.api_client import CURSOR_KEYS, Api, Json, open_world

OPERATIONS = all_operations(Cursors(CURSOR_KEYS), sandbox=True)
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]

UNSAID_CODES = {"cursor_invalid", "cursor_filter_mismatch"}
"""Refusals with 400 of requests that are valid by the schema: a cursor is signed."""
UNSAID_DETAILS = {
    # Of whole texts, and of numbers: 1.0 is an integer for JSON Schema.
    "The text has a character that cannot be kept.",
    "This is not an e-mail address.",
    "This must be a whole number.",
    "Never send card numbers here.",
    "Everybody tries this password first. Choose another.",
    (
        "This must be a URL with https:// (in the sandbox also http://) and a host, without a user or a fragment. "
        "Characters outside ASCII are percent-encoded, in host names they are Punycode. "
        "An IPv4 address is four decimal numbers."
    ),
    "A rate is a decimal between 0.000000001 and 1000000000 with up to 12 places.",
    "A time is between the years 1970 and 9998.",
    "This must be in the next 3660 days.",
    *(f"The role {role} may not do what the scope {scope} is for." for role in Role for scope in Scope),
    "A time has a time zone, and is between the years 1970 and 9998 in UTC.",
    "The range ends before it begins.",
    # Of the caller.
    "A customer pays for themselves.",
    "A merchant asks for themselves.",
    "A quote is its customer's, who confirms with it.",
    "Say who pays.",
    "This field is required.",  # `merchant_id`, of customers and operators.
    # Of other fields.
    "A payment at once does not expire.",
    "A payment with a quote is captured at once.",
    "Give either this field or source_amount, not both.",
    "Give either this field or target_amount.",
    "Give either this field or after, not both.",
    # Of what has happened.
    "There is no event at this position yet.",
    "This is the position of an event, as the stream has sent it.",
}
"""The same for single fields."""


def document_for_generation() -> Json:
    """The document, without its security: tokens are put in here, and broken ones are tried elsewhere."""
    document = copy.deepcopy(openapi_document(OPERATIONS, version="test", server_url="/"))
    for item in document["paths"].values():
        for operation in item.values():
            operation["security"] = []
    return document


SCHEMA = schemathesis.openapi.from_dict(document_for_generation())


@dataclass(frozen=True, slots=True, kw_only=True)
class Everybody:
    """Somebody of each role, all in one world."""

    api_of: dict[str, Api]


@pytest.fixture(scope="module")
async def everybody() -> AsyncIterator[Everybody]:
    async with open_world() as world:
        customer, merchant = await world.customer(balance=100_000), await world.merchant()
        await customer.pay(merchant, 10)
        operator = await world.operator()
        yield Everybody(
            api_of={
                "customer": customer.api,
                "merchant": merchant.api,
                "operator": operator.api,
                "anyone": world.anyone,
            }
        )


def combinations() -> list[Any]:
    """Every operation with right requests, and with wrong ones where it takes something that can be wrong."""
    wrong = [entry for entry in OPERATIONS if entry.body or entry.query or entry.idempotency is not Idempotency.NONE]
    return [
        *(pytest.param(operation, GenerationMode.POSITIVE, id=f"{operation.name}-right") for operation in OPERATIONS),
        *(pytest.param(operation, GenerationMode.NEGATIVE, id=f"{operation.name}-wrong") for operation in wrong),
    ]


@pytest.mark.parametrize(("operation", "mode"), combinations())
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    # Requests with long texts in them take a while to make, and a request changes nothing that the next one relies on.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
async def test_whatever_is_asked_the_answer_is_a_described_one(
    everybody: Everybody, operation: Operation, mode: GenerationMode, data: st.DataObject
) -> None:
    case = data.draw(SCHEMA[operation.path][operation.method].as_strategy(generation_mode=mode))
    role = data.draw(st.sampled_from(sorted(str(role) for role in operation.roles) or ["anyone"]))
    api = everybody.api_of[role]
    request = as_request(case, api)
    answer = await api.http.send(request)
    api.contract.check(answer)
    case.validate_response(answer, checks=CHECKS)
    if mode is GenerationMode.POSITIVE:
        only_for_what_a_schema_cannot_say(answer)


def only_for_what_a_schema_cannot_say(answer: httpx.Response) -> None:
    """A request that the schema takes is refused for the state of things (404, 409, 422 …), or for what is listed."""
    assert answer.status_code not in {405, 413, 415, 431}
    if answer.status_code == 400 and answer.json()["code"] not in UNSAID_CODES:
        assert {error["detail"] for error in answer.json()["errors"]} <= UNSAID_DETAILS


def as_request(case: Any, api: Api) -> httpx.Request:
    """What schemathesis made for `requests`, for httpx."""
    made = case.as_transport_kwargs(base_url="http://gateway.test")
    headers = [(name.encode(), value.encode("latin-1")) for name, value in made["headers"].items()]
    if api.token is not None:
        headers.append((b"authorization", f"Bearer {api.token}".encode()))
    data = made.get("data")
    content = {"content": data} if isinstance(data, bytes | str) else {"data": data}
    return httpx.Request(
        made["method"],
        made["url"],
        params=made.get("params") or None,
        headers=headers,
        json=made.get("json"),
        **content,
    )
