"""Query parameters: each path takes only the described ones."""

import pytest

from gateway.adapters.http.operations import Operation
from support.api_client import PAGES, World, ok, refused
from support.every_operation import EVERY_OPERATION, Everybody, key_for, path_of


@pytest.mark.parametrize("operation", EVERY_OPERATION, ids=lambda operation: operation.name)
@pytest.mark.parametrize("name", ["at", "expand", "a/b", ""])
async def test_an_unknown_query_parameter_is_refused_on_every_path(
    quiet_everybody: Everybody, operation: Operation, name: str
) -> None:
    api, key = quiet_everybody.who_may(operation), key_for(operation)
    for path in (path_of(operation), path_of(operation) + "/"):
        answer = await api.send(operation.method, path, operation.example or None, key=key, params={name: "2026"})
        [error] = refused(answer, 400, "validation_error")["errors"]
        assert (error["pointer"], error["code"]) == (f"/{name.replace('/', '~1')}", "field_unknown")


@pytest.mark.parametrize("path", sorted(PAGES))
async def test_pages_take_no_query_parameters_either(quiet_world: World, path: str) -> None:
    [error] = refused(await quiet_world.anyone.get(path, v=1), 400, "validation_error")["errors"]
    assert (error["pointer"], error["code"]) == ("/v", "field_unknown")
    assert (await quiet_world.anyone.get(f"{path}?")).status_code == (307 if path == "/" else 200)


async def test_a_path_tells_its_methods_whatever_is_behind_its_question_mark(quiet_world: World) -> None:
    answer = await quiet_world.anyone.send("OPTIONS", "/payments?limit=5")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_a_request_that_is_refused_for_its_query_has_done_nothing(quiet_everybody: Everybody) -> None:
    api = quiet_everybody.customer.api
    refused(await api.send("POST", "/accounts?dry_run=true", {"currency": "EUR"}), 400, "validation_error")
    assert len(ok(await api.get("/accounts"))["data"]) == 1
