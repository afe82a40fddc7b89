"""The OpenAPI document describes the whole API, and nothing else."""

import re
from collections.abc import Iterator

import jsonschema  # type: ignore[import-untyped]  # it ships no types.

from gateway.adapters.http.app import all_operations
from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.docs_pages import docs_pages
from gateway.adapters.http.openapi_responses import codes_of
from gateway.adapters.http.operations import Idempotency
from gateway.adapters.http.problems import KINDS
from support.api_client import CURSOR_KEYS, PAGES, Json, Person, World, fresh_key, ok, open_world

DOCUMENT_BYTES_PER_OPERATION_MAX = 4_500
OPERATIONS = {operation.name: operation for operation in all_operations(Cursors(CURSOR_KEYS), sandbox=True)}


def described(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "$ref":
                yield item
            else:
                yield from references_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from references_in(item)


async def test_the_document_is_served_and_valid(quiet_world: World) -> None:
    answer = await quiet_world.anyone.get("/openapi.json")
    document = ok(answer)
    assert answer.headers["content-type"] == "application/json"
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "http://gateway.test"}]
    assert document["info"].keys() >= {"title", "version", "description", "license"}
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in references_in(document):
        _, components, kind, name = reference.split("/")
        assert name in document[components][kind], reference
    names = [operation["operationId"] for _, _, operation in described(document)]
    assert len(names) == len(set(names))


async def test_below_a_root_path_the_document_says_so() -> None:
    async with open_world(root_path="/gateway") as world:
        assert world.anyone.contract.document["servers"] == [{"url": "http://gateway.test/gateway"}]


def test_every_route_is_described_and_everything_described_is_a_route(quiet_world: World) -> None:
    in_document = {(method.upper(), path) for path, method, _ in described(quiet_world.anyone.contract.document)}
    declared = {(operation.method, operation.path) for operation in OPERATIONS.values()}
    assert in_document == declared
    assert {page.path for page in docs_pages({}, root_path="")} == PAGES


async def test_every_described_path_answers_with_something_else_than_not_found(world: World, customer: Person) -> None:
    for path, method, _ in described(world.anyone.contract.document):
        answer = await customer.api.send(method.upper(), re.sub(r"{\w+}", "x", path), key=fresh_key())
        assert answer.status_code not in {405, 408}
        assert answer.status_code != 404 or answer.json()["code"] != "not_found"


def test_requests_are_described_as_strictly_as_they_are_read(quiet_world: World) -> None:
    document = quiet_world.anyone.contract.document
    for _, _, operation in described(document):
        declared = OPERATIONS[operation["operationId"]]
        assert ("requestBody" in operation) == (declared.body is not None)
        if declared.body is None:
            continue
        body = operation["requestBody"]
        assert body["required"] is not declared.body_optional
        assert body["content"].keys() == {"application/json"}
        name = body["content"]["application/json"]["schema"]["$ref"].removeprefix("#/components/schemas/")
        assert document["components"]["schemas"][name]["additionalProperties"] is False


def test_every_example_is_valid(quiet_world: World) -> None:
    contract = quiet_world.anyone.contract
    for path, method, operation in described(contract.document):
        here = ("paths", path, method)
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            examples = [example["value"] for example in content.get("examples", {}).values()] or [content["example"]]
            for example in examples:
                assert example or OPERATIONS[operation["operationId"]].body_optional
                contract.validate(example, *here, "requestBody", "content", "application/json", "schema")
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                assert content["example"]
                steps = (*here, "responses", status, "content", media_type, "schema")
                contract.validate(content["example"], *steps)
    for name, response in contract.document["components"]["responses"].items():
        [(media_type, content)] = response["content"].items()
        contract.validate(content["example"], "components", "responses", name, "content", media_type, "schema")


def test_no_two_operations_share_an_example_of_a_key(quiet_world: World) -> None:
    keys = [
        parameter["example"]
        for _, _, operation in described(quiet_world.anyone.contract.document)
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "Idempotency-Key"
    ]
    assert len(keys) == len(set(keys)) > 10


def parts_of(value: object) -> Iterator[Json]:
    """Every object in the document."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from parts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from parts_of(item)


def schemas_in(value: object) -> list[Json]:
    """Every part of the document that has a type."""
    return [part for part in parts_of(value) if isinstance(part.get("type"), str | list)]


def test_integers_are_64_bits_wide_in_every_language(quiet_world: World) -> None:
    integers = [part for part in schemas_in(quiet_world.anyone.contract.document) if "integer" in part["type"]]
    assert len(integers) > 40
    assert all(part["format"] == "int64" for part in integers)


def test_times_have_a_format(quiet_world: World) -> None:
    schemas = quiet_world.anyone.contract.document["components"]["schemas"].values()
    fields = [(name, field) for schema in schemas for name, field in schema.get("properties", {}).items()]
    times = {name: field for name, field in fields if name.endswith("_at")}
    assert times.keys() >= {"created_at", "updated_at", "expires_at"}
    assert all(field["format"] == "date-time" for name, field in fields if name in times)


def test_clients_survive_values_that_are_added_to_responses(quiet_world: World) -> None:
    schemas = quiet_world.anyone.contract.document["components"]["schemas"]
    answered = {name: schema for name, schema in schemas.items() if not name.endswith("Body")}
    assert not [part for part in schemas_in(answered) if "enum" in part]
    assert schemas["Problem"]["properties"]["code"]["x-extensible-enum"] == list(KINDS)
    assert "captured" in schemas["PaymentStatus"]["x-extensible-enum"]


def test_no_field_has_a_default_that_generators_take_for_one_that_must_be_sent(quiet_world: World) -> None:
    assert not [part for part in schemas_in(quiet_world.anyone.contract.document) if "default" in part]


def test_every_choice_of_values_has_a_type(quiet_world: World) -> None:
    choices = [part for part in parts_of(quiet_world.anyone.contract.document) if isinstance(part.get("enum"), list)]
    assert choices
    assert all("type" in choice for choice in choices)


def test_responses_have_all_their_fields(quiet_world: World) -> None:
    for name, schema in quiet_world.anyone.contract.document["components"]["schemas"].items():
        if "properties" in schema and not name.endswith("Body") and name not in {"Problem", "FieldProblem"}:
            assert schema["required"] == list(schema["properties"]), name


async def test_the_document_is_small(quiet_world: World) -> None:
    answer = await quiet_world.anyone.get("/openapi.json")
    assert len(answer.content) < DOCUMENT_BYTES_PER_OPERATION_MAX * len(OPERATIONS)


def test_a_token_is_asked_for_wherever_it_is_needed(quiet_world: World) -> None:
    for _, _, operation in described(quiet_world.anyone.contract.document):
        scope = OPERATIONS[operation["operationId"]].scope
        public = not OPERATIONS[operation["operationId"]].roles
        by_key: list[Json] = [] if scope is None else [{"apiKey": []}]
        assert operation.get("x-required-scope") == scope
        assert operation["security"] == ([] if public else [{"bearer": []}, *by_key])
        assert ("401" in operation["responses"]) or public


def test_a_key_is_a_parameter_wherever_it_is_taken(quiet_world: World) -> None:
    for _, _, operation in described(quiet_world.anyone.contract.document):
        keys = [entry for entry in operation.get("parameters", []) if entry["name"] == "Idempotency-Key"]
        idempotency = OPERATIONS[operation["operationId"]].idempotency
        assert len(keys) == (idempotency is not Idempotency.NONE)
        assert all(key["required"] is (idempotency is Idempotency.REQUIRED) for key in keys)


def test_path_and_query_parameters_are_described(quiet_world: World) -> None:
    for path, _, operation in described(quiet_world.anyone.contract.document):
        parameters = operation.get("parameters", [])
        in_path = [entry["name"] for entry in parameters if entry["in"] == "path"]
        assert in_path == re.findall(r"{(\w+)}", path)
        query = OPERATIONS[operation["operationId"]].query
        in_query = {entry["name"] for entry in parameters if entry["in"] == "query"}
        assert in_query == (set() if query is None else set(query.__struct_fields__))


def test_every_refusal_of_an_operation_is_described_under_its_status(quiet_world: World) -> None:
    for _, _, operation in described(quiet_world.anyone.contract.document):
        declared = OPERATIONS[operation["operationId"]]
        codes: dict[str, list[str]] = {}
        for code in codes_of(declared):
            codes.setdefault(str(KINDS[code].status), []).append(code)
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert re.findall("`(.*?)`", response["description"]) == codes.pop(status)
        assert not codes
