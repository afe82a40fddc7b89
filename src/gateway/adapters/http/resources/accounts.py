"""Accounts and deposits."""

from gateway.adapters.http.authorization import OPERATOR
from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import (
    AnyOperation,
    Body,
    Idempotency,
    ListView,
    NoFields,
    Operation,
    json_response,
)
from gateway.adapters.http.resources.fields import Amount, CurrencyText, IdText, PageQuery, Reason, Reference
from gateway.adapters.http.submissions import identity, submitting
from gateway.application.commands.close_account import CloseAccount
from gateway.application.commands.deposit import MakeDeposit
from gateway.application.commands.freeze_account import FreezeAccount, UnfreezeAccount
from gateway.application.commands.open_account import OpenAccount
from gateway.application.ports.reader import AccountFilter
from gateway.application.queries import Page
from gateway.application.views.accounts import AccountView, account_view
from gateway.application.views.deposits import DepositView, deposit_view
from gateway.domain.account import KIND_OF_ROLE, AccountId, AccountKey
from gateway.domain.money import Money, currency_code
from gateway.domain.user import Role, UserId

TAG = "Accounts and deposits"


class OpenAccountBody(Body, frozen=True, kw_only=True):
    """In which currency."""

    currency: CurrencyText


class DepositBody(Body, frozen=True, kw_only=True):
    """How much, to which account."""

    account_id: IdText[AccountId]
    amount: Amount
    currency: CurrencyText
    reference: Reference | None = None


class FreezeBody(NoFields, frozen=True, kw_only=True):
    """Why, for the audit log."""

    reason: Reason | None = None


class CloseBody(Body, frozen=True, kw_only=True):
    """Why, for the audit log."""

    reason: Reason | None = None


class AccountsQuery(PageQuery, frozen=True, kw_only=True):
    """Which accounts. `owner_id` is for operators; others see their own only."""

    currency: CurrencyText | None = None
    owner_id: IdText[UserId] | None = None


async def get_account(request: Request) -> Response:
    """Show an account."""
    account = await request.gateway.queries.account(request.caller, AccountId(request.path_ids["account_id"]))
    return json_response(200, account_view(account))


async def find_accounts(request: Request[None, AccountsQuery], before: AccountId | None) -> Page[AccountView]:
    """A page of accounts."""
    query = request.query
    where = AccountFilter(
        owner_id=query.owner_id, currency=None if query.currency is None else currency_code(query.currency)
    )
    page = await request.gateway.queries.accounts(request.caller, where, before=before, limit=query.limit)
    return page.map(account_view)


def to_open_account(request: Request[OpenAccountBody]) -> OpenAccount:
    """An account for the caller."""
    body = request.body
    caller = request.caller
    return OpenAccount(key=AccountKey(caller.user_id, currency_code(body.currency), KIND_OF_ROLE[caller.role]))


def to_freeze(request: Request[FreezeBody]) -> FreezeAccount:
    """Freeze the account."""
    return FreezeAccount(account_id=AccountId(request.path_ids["account_id"]), reason=request.body.reason)


def to_unfreeze(request: Request[FreezeBody]) -> UnfreezeAccount:
    """Unfreeze the account."""
    return UnfreezeAccount(account_id=AccountId(request.path_ids["account_id"]), reason=request.body.reason)


def to_close(request: Request[CloseBody]) -> CloseAccount:
    """Close the account: an operator anybody's, others their own."""
    caller = request.caller
    return CloseAccount(
        account_id=AccountId(request.path_ids["account_id"]),
        owner_id=None if caller.role is Role.OPERATOR else caller.user_id,
        reason=request.body.reason,
    )


def to_deposit(request: Request[DepositBody]) -> MakeDeposit:
    """A deposit: by an operator to any account, by others to their own."""
    body = request.body
    caller = request.caller
    return MakeDeposit(
        account_id=body.account_id,
        amount=Money(body.amount, currency_code(body.currency)),
        owner_id=None if caller.role is Role.OPERATOR else caller.user_id,
        reference=body.reference,
    )


EXAMPLE_ACCOUNT = {
    "id": "acc_01kc3x0m5fe7v8qj2r4n6p9stb",
    "object": "account",
    "owner_id": "usr_01kc3x0m5fe7v8qj2r4n6p9sta",
    "kind": "customer",
    "currency": "USD",
    "balance": {"posted": 100000, "held": 0, "available": 100000, "incoming": 0},
    "status": "open",
    "version": 2,
    "created_at": "2026-01-02T03:04:05.678901Z",
}
EXAMPLE_DEPOSIT = {
    "id": "dep_01kc3x0m5fe7v8qj2r4n6p9stc",
    "object": "deposit",
    "transaction_id": "txn_01kc3x0m5fe7v8qj2r4n6p9std",
    "account_id": "acc_01kc3x0m5fe7v8qj2r4n6p9stb",
    "amount": 100000,
    "currency": "USD",
    "reference": None,
    "created_at": "2026-01-02T03:04:05.678901Z",
}


def operations(cursors: Cursors, *, owner_deposits: bool) -> tuple[AnyOperation, ...]:
    """The operations on accounts. With `owner_deposits`, users may make deposits to their own."""
    return (
        Operation(
            method="GET",
            path="/accounts",
            name="listAccounts",
            tag=TAG,
            summary="List the caller's accounts; an operator sees everybody's",
            handler=listing(cursors, find_accounts),
            query=AccountsQuery,
            result=ListView[AccountView],
            codes=("cursor_invalid", "cursor_filter_mismatch", "unknown_currency"),
            example_result={"object": "list", "data": [EXAMPLE_ACCOUNT], "has_more": False, "next_cursor": None},
        ),
        Operation(
            method="POST",
            path="/accounts",
            name="openAccount",
            tag=TAG,
            summary="Open an account in another currency",
            handler=submitting(to_open_account, account_view, record_of=identity),
            status=201,
            body=OpenAccountBody,
            result=AccountView,
            idempotency=Idempotency.OPTIONAL,
            codes=("account_exists", "unknown_currency"),
            example={"currency": "EUR"},
            example_result=EXAMPLE_ACCOUNT,
        ),
        Operation(
            method="GET",
            path="/accounts/{account_id}",
            name="getAccount",
            tag=TAG,
            summary="Show an account",
            handler=get_account,
            result=AccountView,
            codes=("account_not_found",),
            example_result=EXAMPLE_ACCOUNT,
        ),
        Operation(
            method="POST",
            path="/accounts/{account_id}/freeze",
            name="freezeAccount",
            tag=TAG,
            summary="Let an account receive but not pay",
            handler=submitting(to_freeze, account_view, record_of=identity),
            body=FreezeBody,
            result=AccountView,
            idempotency=Idempotency.OPTIONAL,
            codes=("account_not_found",),
            example={"reason": "A stolen password"},
            example_result={**EXAMPLE_ACCOUNT, "status": "frozen"},
        ),
        Operation(
            method="POST",
            path="/accounts/{account_id}/unfreeze",
            name="unfreezeAccount",
            tag=TAG,
            summary="Let an account pay again",
            handler=submitting(to_unfreeze, account_view, record_of=identity),
            body=FreezeBody,
            result=AccountView,
            idempotency=Idempotency.OPTIONAL,
            codes=("account_not_found",),
            example_result=EXAMPLE_ACCOUNT,
        ),
        Operation(
            method="POST",
            path="/accounts/{account_id}/close",
            name="closeAccount",
            tag=TAG,
            summary="Close an empty account for ever",
            handler=submitting(to_close, account_view, record_of=identity),
            body=CloseBody,
            result=AccountView,
            idempotency=Idempotency.OPTIONAL,
            codes=("account_not_found", "account_not_empty", "account_frozen"),
            example={"reason": "Opened by mistake"},
            example_result={
                **EXAMPLE_ACCOUNT,
                "balance": {"posted": 0, "held": 0, "available": 0, "incoming": 0},
                "status": "closed",
            },
        ),
        Operation(
            method="POST",
            path="/deposits",
            name="makeDeposit",
            tag=TAG,
            summary="Bring money in from outside; in a sandbox on loopback owners may do it themselves",
            handler=submitting(to_deposit, deposit_view, record_of=identity),
            only_roles=None if owner_deposits else OPERATOR,
            status=201,
            body=DepositBody,
            result=DepositView,
            idempotency=Idempotency.REQUIRED,
            codes=(
                "account_not_found",
                "currency_mismatch",
                "unknown_currency",
                "account_closed",
                "balance_overflow",
            ),
            examples={
                "dollars": {"account_id": EXAMPLE_ACCOUNT["id"], "amount": 100000, "currency": "USD"},
                "euros": {"account_id": EXAMPLE_ACCOUNT["id"], "amount": 100000, "currency": "EUR"},
            },
            example_result=EXAMPLE_DEPOSIT,
        ),
    )
