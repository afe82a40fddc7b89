"""Routes: paths with any number of ids are found by one rule, and handlers have the declared bodies."""

import pytest

from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import AnyOperation, Operation
from gateway.adapters.http.resources.accounts import DepositBody
from gateway.adapters.http.resources.payouts import PayoutBody
from gateway.adapters.http.routes import Match, Routes
from gateway.domain.limits import ID_LENGTH_MAX


async def show(_: Request) -> Response:
    return Response(status=200)


async def pay_out(request: Request[PayoutBody]) -> Response:
    return Response(status=200, body=request.body.account_id.encode())


def get(path: str) -> AnyOperation:
    return Operation(method="GET", path=path, name=path, tag="", summary="", handler=show, public=True)


ROUTES = Routes(
    [
        get("/rates/{from}/{to}"),
        get("/payments"),
        get("/payments/{payment_id}"),
        get("/payments/batch"),
        get("/payments/{payment_id}/refunds"),
        get("/payments/{payment_id}/refunds/{refund_id}/entries/{number}"),
    ]
)


def found(path: str) -> Match:
    match = ROUTES.find(path)
    assert match is not None
    assert match.operations["GET"].path == match.route
    return match


@pytest.mark.parametrize(
    ("path", "route", "ids"),
    [
        ("/payments", "/payments", {}),
        ("/payments/pay_1", "/payments/{payment_id}", {"payment_id": "pay_1"}),
        ("/payments/batch", "/payments/batch", {}),
        ("/payments/batch/refunds", "/payments/{payment_id}/refunds", {"payment_id": "batch"}),
        ("/rates/EUR/USD", "/rates/{from}/{to}", {"from": "EUR", "to": "USD"}),
        (
            "/payments/a/refunds/b/entries/c",
            "/payments/{payment_id}/refunds/{refund_id}/entries/{number}",
            {"payment_id": "a", "refund_id": "b", "number": "c"},
        ),
        ("/payments/{payment_id}", "/payments/{payment_id}", {"payment_id": "{payment_id}"}),
        ("/payments/" + "x" * ID_LENGTH_MAX, "/payments/{payment_id}", {"payment_id": "x" * ID_LENGTH_MAX}),
    ],
)
def test_a_path_is_found_with_its_ids_by_name(path: str, route: str, ids: dict[str, str]) -> None:
    match = found(path)
    assert match.route == route
    assert match.ids == ids


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/refunds",
        "/rates",
        "/rates/EUR",
        "/rates/EUR/USD/JPY",
        "/payments/a/b",
        "/payments//refunds",
        "/payments/\x00",
        "/payments/\ud800",
        "/payments/" + "x" * (ID_LENGTH_MAX + 1),
    ],
)
def test_nothing_is_at_other_paths(path: str) -> None:
    assert ROUTES.find(path) is None


def test_mypy_refuses_a_handler_of_another_body() -> None:
    wrong = Operation(
        method="POST",
        path="/",
        name="",
        tag="",
        summary="",
        handler=pay_out,  # type: ignore[arg-type]  # mypy reports an unused comment if it accepts this handler.
        public=True,
        body=DepositBody,
    )
    assert wrong.body is DepositBody
