"""Customers without passwords, whom a merchant manages."""

from typing import Annotated, Any, ClassVar, Final

import msgspec

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import AnyOperation, Body, Idempotency, ListView, Operation, json_response
from gateway.adapters.http.resources.accounts import EXAMPLE_ACCOUNT
from gateway.adapters.http.resources.fields import CurrencyText, Name, PageQuery
from gateway.adapters.http.resources.users import EXAMPLE_PASSWORD, EXAMPLE_USER, NewPassword
from gateway.adapters.http.resources.users import Email as UsersEmail
from gateway.adapters.http.submissions import identity, no_record, stored_response, submission_of, submitted, submitting
from gateway.application.commands.change_customer import ChangeCustomer
from gateway.application.commands.create_customer import CreateCustomer
from gateway.application.customers import CustomerInvitationCommand, canonical
from gateway.application.ports.customers import CustomerFilter
from gateway.application.queries import Page
from gateway.application.rate_limits.rate_limits import REGISTRATIONS
from gateway.application.views.customers import CustomerInvitationView, CustomerView, customer_view, invitation_view
from gateway.application.views.users import UserView, user_view
from gateway.domain.customer import CustomerWithAccounts
from gateway.domain.limits import (
    CUSTOMER_INVITATION_SECONDS_DEFAULT,
    CUSTOMER_INVITATION_SECONDS_MAX,
    CUSTOMER_INVITATION_SECONDS_MIN,
    CUSTOMER_INVITATION_TOKEN_LENGTH_MAX,
    EMAIL_LENGTH_MAX,
    EXTERNAL_ID_LENGTH_MAX,
    NAME_LENGTH_MAX,
)
from gateway.domain.money import currency_code
from gateway.domain.user import UserId

TAG: Final = "Customers"

_decoder: Final = msgspec.json.Decoder(CustomerInvitationView)
_encoder: Final = msgspec.json.Encoder()

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


class InviteCustomerBody(Body, frozen=True, kw_only=True):
    """How long the invitation can be accepted; a week unless given."""

    valid_seconds: Annotated[
        int, msgspec.Meta(ge=CUSTOMER_INVITATION_SECONDS_MIN, le=CUSTOMER_INVITATION_SECONDS_MAX)
    ] = CUSTOMER_INVITATION_SECONDS_DEFAULT


class AcceptCustomerInvitationBody(Body, frozen=True, kw_only=True):
    """The token of the invitation, and what the customer logs in with from now on."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=CUSTOMER_INVITATION_TOKEN_LENGTH_MAX)]
    email: UsersEmail
    password: NewPassword


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


async def invite_customer(request: Request[InviteCustomerBody]) -> Response:
    """Invite a customer of the caller's. What is stored of the response does not have the token."""
    made = request.gateway.customers.invite_command(
        customer_id(request), merchant_id=request.caller.user_id, valid_seconds=request.body.valid_seconds
    )
    submission = submission_of(request, made.command, _without_token, no_record)
    answer = await request.gateway.executor.perform(submission)
    response = stored_response(answer)
    if not answer.refused and (not answer.replayed or await _has_made(request, made)):
        shown = _decoder.decode(response.body)
        response.body = _encoder.encode(msgspec.structs.replace(shown, token=made.token))
    return response


async def _has_made(request: Request[InviteCustomerBody], made: CustomerInvitationCommand) -> bool:
    """Whether this command has made the invitation: a request is replayed to itself if its acknowledgement was lost."""
    found = await request.gateway.customers.stored.customer(made.command.customer_id)
    invitation = None if found is None else found.customer.invitation
    return invitation is not None and invitation.secret_hash == made.command.secret_hash


def _without_token(invited: CustomerWithAccounts) -> CustomerInvitationView:
    invitation = invited.customer.invitation
    if invitation is None:
        raise TypeError("A customer was invited, and has no invitation.")
    return invitation_view(invited.id, invitation, None)


async def accept_invitation(request: Request[AcceptCustomerInvitationBody]) -> Response:
    """Make a user of a customer who was invited."""
    body = request.body
    joined = await request.gateway.customers.accept_invitation(
        body.token, email=body.email, password=body.password, address=request.address, request_id=request.request_id
    )
    return json_response(201, user_view(joined.user, joined.accounts))


EXAMPLE_CUSTOMER: Final[dict[str, Any]] = {
    "id": "usr_01kc3x0m5fe7v8qj2r4n6p9stv",
    "object": "customer",
    "merchant_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stf",
    "name": "Ada",
    "email": "ada@example.com",
    "external_id": "customer-1001",
    "created_at": "2026-01-02T03:04:05.678901Z",
    "invitation_expires_at": None,
    "joined_at": None,
    "accounts": [
        {
            **EXAMPLE_ACCOUNT,
            "id": "acc_01kc3x0m5fe7v8qj2r4n6p9stw",
            "owner_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stv",
            "balance": {"posted": 0, "held": 0, "available": 0, "incoming": 0},
            "version": 1,
        }
    ],
}


EXAMPLE_INVITATION: Final = {
    "object": "customer_invitation",
    "customer_id": EXAMPLE_CUSTOMER["id"],
    "expires_at": "2026-01-03T03:04:05.678901Z",
    "token": f"inv_{EXAMPLE_CUSTOMER['id']}_{'x0Qm' * 10}",
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
            method="POST",
            path="/customers/accept-invitation",
            name="acceptCustomerInvitation",
            tag=TAG,
            summary="Accept an invitation: the customer logs in from now on, and nobody else pays on their behalf",
            handler=accept_invitation,
            status=201,
            body=AcceptCustomerInvitationBody,
            result=UserView,
            codes=("invitation_invalid", "email_taken", "overloaded"),
            limited_by=REGISTRATIONS,
            example={"token": EXAMPLE_INVITATION["token"], "email": "ada.l@example.com", "password": EXAMPLE_PASSWORD},
            example_result={**EXAMPLE_USER, "id": EXAMPLE_CUSTOMER["id"]},
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
            codes=("customer_not_found", "customer_joined", "external_id_taken"),
            example={"name": "Ada Lovelace"},
            example_result={**EXAMPLE_CUSTOMER, "name": "Ada Lovelace"},
        ),
        Operation(
            method="POST",
            path="/customers/{customer_id}/invitations",
            name="inviteCustomer",
            tag=TAG,
            summary="Invite a customer to become a user of their own; the token is shown here, and never again",
            handler=invite_customer,
            status=201,
            body=InviteCustomerBody,
            result=CustomerInvitationView,
            idempotency=Idempotency.OPTIONAL,
            codes=("customer_not_found", "customer_joined"),
            example={"valid_seconds": 86400},
            example_result=EXAMPLE_INVITATION,
        ),
    )
