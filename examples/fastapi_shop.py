"""A shop in FastAPI that takes payments of its own users, in one process: `uvicorn fastapi_shop:app` in this folder.

The shop has its own users and logs them in itself. The gateway knows them by the shop's ids, and keeps their accounts
in `shop.db`; on Postgres: `GATEWAY_DATABASE_URL=postgresql://… uvicorn fastapi_shop:app`.
"""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from gateway import (
    Account,
    Caller,
    FeeSchedule,
    Gateway,
    MakeDeposit,
    Money,
    Pay,
    Payment,
    PaymentFilter,
    PaymentOrder,
    Refusal,
    Role,
    asgi,
    open_gateway,
)
from gateway.refusals import RefusalCode

CURRENCY = "EUR"
SHOP = "bookshop"
FEES = FeeSchedule(basis_points=150, fixed_minor=25)
STATUSES: dict[RefusalCode, int] = {"insufficient_funds": 402, "idempotency_key_reused": 409}
"""mypy knows the codes: one that does not exist is an error."""


class Credit(BaseModel):
    """Money that a user has paid in, by a card say."""

    receipt: str
    amount_minor: int


class Order(BaseModel):
    """What a user buys."""

    number: str
    amount_minor: int


def the_gateway(request: Request) -> Gateway:
    """The gateway of this process."""
    gateway: Gateway = request.app.state.gateway
    return gateway


async def the_customer(request: Request, x_user: Annotated[str, Header()]) -> Account:
    """The account of the user who asks. A real shop reads its session here."""
    return await the_gateway(request).accounts.open_customer(x_user, CURRENCY)


InGateway = Annotated[Gateway, Depends(the_gateway)]
OfCustomer = Annotated[Account, Depends(the_customer)]


async def add_credit(credit: Credit, gateway: InGateway, customer: OfCustomer) -> dict[str, int]:
    """Count money that has arrived, once for each receipt."""
    deposit = MakeDeposit(account_id=customer.id, amount=Money(credit.amount_minor, CURRENCY), owner_id=None)
    await gateway.execute(deposit, idempotency_key=f"credit-{credit.receipt}", owner_id=customer.owner_id)
    [account] = await gateway.queries.accounts_of(customer.owner_id)
    return {"available_minor": account.available}


async def place_order(order: Order, gateway: InGateway, customer: OfCustomer) -> dict[str, Any]:
    """Pay an order, once for each number, however often it is sent."""
    merchant = await gateway.accounts.open_merchant(SHOP, CURRENCY)
    terms = PaymentOrder(
        customer_id=customer.owner_id,
        merchant_id=merchant.owner_id,
        amount=Money(order.amount_minor, CURRENCY),
        metadata={"order": order.number},
    )
    result = await gateway.execute(
        Pay(order=terms), idempotency_key=f"order-{order.number}", owner_id=customer.owner_id
    )
    return shown(result.payment)


async def list_orders(gateway: InGateway, customer: OfCustomer) -> list[dict[str, Any]]:
    """The orders of the user who asks."""
    caller = Caller(user_id=customer.owner_id, role=Role.CUSTOMER)
    return [shown(payment) for payment in (await gateway.queries.payments(caller, PaymentFilter())).items]


def shown(payment: Payment) -> dict[str, Any]:
    """What the shop tells of a payment."""
    return {"order": payment.metadata["order"], "amount": str(payment.amount), "status": payment.status}


async def refused(_request: Request, error: Exception) -> JSONResponse:
    """A refusal of the gateway as the shop says it. Of input that is not valid, its text names each field."""
    assert isinstance(error, Refusal)
    return JSONResponse({"code": error.code, "detail": str(error)}, STATUSES.get(error.code, 400))


def shop(open_payments: Callable[[], AbstractAsyncContextManager[Gateway]]) -> FastAPI:
    """The shop, with the gateway that this opens: in memory in its tests."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_payments() as gateway:
            await gateway.accounts.open_merchant(SHOP, CURRENCY, fees=FEES)
            app.state.gateway = gateway
            app.mount("/gateway", asgi(gateway))  # The REST API beside it, on the same gateway.
            yield

    app = FastAPI(lifespan=lifespan)
    app.post("/credits")(add_credit)
    app.post("/orders")(place_order)
    app.get("/orders")(list_orders)
    app.exception_handler(Refusal)(refused)
    return app


app = shop(lambda: open_gateway(os.environ.get("GATEWAY_DATABASE_URL", "sqlite:///shop.db"), worker=True))
