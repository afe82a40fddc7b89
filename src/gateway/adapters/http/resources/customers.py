"""Customers without passwords, whom a merchant manages."""

from typing import Annotated, Any, ClassVar, Final

import msgspec

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import AnyOperation, Body, Idempotency, ListView, Operation, json_response
from gateway.adapters.http.resources.accounts import EXAMPLE_ACCOUNT
from gateway.adapters.http.resources.fields import CurrencyText, Name, PageQuery
from gateway.adapters.http.submissions import identity, submitted, submitting
from gateway.application.commands.change_customer import ChangeCustomer
from gateway.application.commands.create_customer import CreateCustomer
from gateway.application.customers import canonical
from gateway.application.ports.customers import CustomerFilter
from gateway.application.queries import Page
from gateway.application.views.customers import CustomerView, customer_view
from gateway.domain.limits import EMAIL_LENGTH_MAX, EXTERNAL_ID_LENGTH_MAX, NAME_LENGTH_MAX
from gateway.domain.money import currency_code
from gateway.domain.user import UserId

TAG: Final = "Customers"

Email = Annotated[str, msgspec.Meta(min_length=1, max_length=EMAIL_LENGTH_MAX, examples=["ada@example.com"])]
ExternalIdText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=EXTERNAL_ID_LENGTH_MAX,
        description="The merchant's own name for the customer, which no other customer of the merchant has.",
        examples=["customer-1001"],
    ),
]


class CreateCustomerBody(Body, frozen=True, kw_only=True):
    """What the merchant knows of the customer. Nobody signs in with the address, and others may have the same one."""

    texts_checked_with_form: ClassVar = False  # The rules check the texts.

    name: Name | None = None
    email: Email | None = None
    external_id: ExternalIdText | None = None
    currency: CurrencyText = "USD"


class ChangeCustomerBody(Body, frozen=True, kw_only=True):
    """What changes. What is left out stays; an empty text clears the field."""

    texts_checked_with_form: ClassVar = False  # The rules check the texts.

    name: Annotated[str, msgspec.Meta(max_length=NAME_LENGTH_MAX)] | None = None
    email: Annotated[str, msgspec.Meta(max_length=EMAIL_LENGTH_MAX)] | None = None
    external_id: Annotated[str, msgspec.Meta(max_length=EXTERNAL_ID_LENGTH_MAX)] | None = None


class CustomersQuery(PageQuery, frozen=True, kw_only=True):
    """Which customers."""

    external_id: ExternalIdText | None = None
    email: Email | None = None


def customer_id(request: Request[Any, Any]) -> UserId:
    """The id in the path."""
    return UserId(request.path_ids["customer_id"])


def to_create(request: Request[CreateCustomerBody]) -> CreateCustomer:
    """A new customer of the caller's."""
    body = request.body
    return CreateCustomer(
        merchant_id=request.caller.user_id,
        currency=currency_code(body.currency),
        name=body.name,
        email=canonical(body.email),
        external_id=body.external_id,
    )


async def change_customer(request: Request[ChangeCustomerBody]) -> Response:
    """Change a customer of the caller's."""
    body, merchant_id = request.body, request.caller.user_id
    command = ChangeCustomer(
        customer_id=customer_id(request),
        merchant_id=merchant_id,
        name=body.name,
        email=canonical(body.email),
        external_id=body.external_id,
    )
    return await submitted(request, command, customer_view, record_of=identity)


async def get_customer(request: Request) -> Response:
    """Show a customer of the caller's."""
    found = await request.gateway.customers.customer(request.caller, customer_id(request))
    return json_response(200, customer_view(found))


async def find_customers(request: Request[None, CustomersQuery], before: UserId | None) -> Page[CustomerView]:
    """A page of the caller's customers."""
    query = request.query
    where = CustomerFilter(external_id=query.external_id, email=canonical(query.email))
    page = await request.gateway.customers.customers(request.caller, where, before=before, limit=query.limit)
    return page.map(customer_view)


EXAMPLE_CUSTOMER: Final[dict[str, Any]] = {
    "id": "usr_01kc3x2m5fe7v8qj2r4n6p9stv",
    "object": "customer",
    "merchant_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stf",
    "name": "Ada",
    "email": "ada@example.com",
    "external_id": "customer-1001",
    "created_at": "2026-01-02T03:04:05.678901Z",
    "accounts": [
        {
            **EXAMPLE_ACCOUNT,
            "id": "acc_01kc3x2m5fe7v8qj2r4n6p9stw",
            "owner_id": "usr_01kc3x2m5fe7v8qj2r4n6p9stv",
            "balance": {"posted": 0, "held": 0, "available": 0, "incoming": 0},
            "version": 1,
        }
    ],
}


def operations(cursors: Cursors) -> tuple[AnyOperation, ...]:
    """The operations on customers whom the caller manages."""
    return (
        Operation(
            method="POST",
            path="/customers",
            name="createCustomer",
            tag=TAG,
            summary="Create a customer without a password, whom the caller manages, with an account",
            handler=submitting(to_create, customer_view, record_of=identity),
            status=201,
            body=CreateCustomerBody,
            result=CustomerView,
            idempotency=Idempotency.OPTIONAL,
            codes=("external_id_taken", "unknown_currency", "merchant_not_found"),
            example={"name": "Ada", "email": "ada@example.com", "external_id": "customer-1001"},
            example_result=EXAMPLE_CUSTOMER,
        ),
        Operation(
            method="GET",
            path="/customers",
            name="listCustomers",
            tag=TAG,
            summary="List the customers whom the caller manages",
            handler=listing(cursors, find_customers),
            query=CustomersQuery,
            result=ListView[CustomerView],
            codes=("cursor_invalid", "cursor_filter_mismatch"),
            example_result={"object": "list", "data": [EXAMPLE_CUSTOMER], "has_more": False, "next_cursor": None},
        ),
        Operation(
            method="GET",
            path="/customers/{customer_id}",
            name="getCustomer",
            tag=TAG,
            summary="Show a customer whom the caller manages, with their accounts",
            handler=get_customer,
            result=CustomerView,
            codes=("customer_not_found",),
            example_result=EXAMPLE_CUSTOMER,
        ),
        Operation(
            method="PATCH",
            path="/customers/{customer_id}",
            name="changeCustomer",
            tag=TAG,
            summary="Change a customer whom the caller manages; what is left out stays, and an empty text clears",
            handler=change_customer,
            body=ChangeCustomerBody,
            result=CustomerView,
            codes=("customer_not_found", "external_id_taken"),
            example={"name": "Ada Lovelace"},
            example_result={**EXAMPLE_CUSTOMER, "name": "Ada Lovelace"},
        ),
    )
