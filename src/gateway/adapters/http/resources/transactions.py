"""Transactions: what moved."""

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import (
    EVERY_ROLE,
    Body,
    Idempotency,
    ListView,
    Operation,
    json_response,
    submitting,
)
from gateway.adapters.http.resources.fields import Amount, CreatedQuery, CurrencyText, Description, IdText
from gateway.application.commands import Paid, Pay
from gateway.application.ports.reader import TransactionFilter
from gateway.application.queries import Page
from gateway.application.views import TransactionView, transaction_view
from gateway.domain.account import AccountId
from gateway.domain.money import Money, currency_code
from gateway.domain.payment import PaymentId, PaymentOrder
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.user import Role, UserId

TAG = "Transactions"


class TransactionBody(Body, frozen=True, kw_only=True):
    """Whom to pay, and how much: the short form of a payment."""

    merchant_id: IdText
    amount: Amount
    currency: CurrencyText
    description: Description | None = None


class TransactionsQuery(CreatedQuery, frozen=True, kw_only=True):
    """Which transactions."""

    type: TransactionType | None = None
    account_id: IdText | None = None
    payment_id: IdText | None = None


def to_pay(request: Request) -> Pay:
    """The caller pays."""
    body: TransactionBody = request.body
    return Pay(
        order=PaymentOrder(
            customer_id=request.caller.user_id,
            merchant_id=UserId(body.merchant_id),
            amount=Money(body.amount, currency_code(body.currency)),
            description=body.description,
            metadata={},
        )
    )


def to_transaction_view(_: Request, paid: Paid) -> TransactionView:
    """What moved, with the payer's entry only."""
    transaction = paid.transaction
    return transaction_view(transaction, {transaction.transfers[0].debit_account_id})


async def get_transaction(request: Request) -> Response:
    """Show a transaction."""
    transaction = await request.gateway.queries.transaction(request.caller, TransactionId(request.path_id))
    [view] = await transaction_views(request, [transaction])
    return json_response(200, view)


async def find_transactions(request: Request, query: TransactionsQuery, before: str | None) -> Page[Transaction]:
    """A page of transactions."""
    where = TransactionFilter(
        type=query.type,
        account_id=None if query.account_id is None else AccountId(query.account_id),
        payment_id=None if query.payment_id is None else PaymentId(query.payment_id),
        created_after=query.created_after,
        created_before=query.created_before,
    )
    return await request.gateway.queries.transactions(
        request.caller, where, before=None if before is None else TransactionId(before), limit=query.limit
    )


async def transaction_views(request: Request, transactions: list[Transaction]) -> list[TransactionView]:
    """Transactions as the caller sees them: with the entries on their own accounts."""
    visible = None
    if request.caller.role is not Role.OPERATOR:
        visible = {account.id for account in await request.gateway.queries.accounts_of(request.caller.user_id)}
    return [transaction_view(transaction, visible) for transaction in transactions]


EXAMPLE_TRANSACTION = {
    "id": "txn_01kc3x0m5fe7v8qj2r4n6p9std",
    "object": "transaction",
    "type": "payment",
    "status": "posted",
    "amount": 1050,
    "currency": "USD",
    "payment_id": "pay_01kc3x0m5fe7v8qj2r4n6p9ste",
    "customer_id": "usr_01kc3x0m5fe7v8qj2r4n6p9sta",
    "merchant_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stf",
    "description": "Two coffees",
    "reverses": None,
    "reversed_by": None,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "entries": [
        {
            "account_id": "acc_01kc3x0m5fe7v8qj2r4n6p9stb",
            "direction": "debit",
            "amount": 1050,
            "currency": "USD",
            "balance_after": {"posted": 98950, "held": 0, "available": 98950},
        }
    ],
}


def operations(cursors: Cursors) -> tuple[Operation, ...]:
    """The operations on transactions."""
    return (
        Operation(
            method="POST",
            path="/transactions",
            name="createTransaction",
            tag=TAG,
            summary="Pay a merchant at once: the short form of creating a payment",
            handler=submitting(201, to_pay, to_transaction_view),
            roles=frozenset({Role.CUSTOMER}),
            status=201,
            body=TransactionBody,
            result=TransactionView,
            idempotency=Idempotency.REQUIRED,
            codes=(
                "insufficient_funds",
                "account_frozen",
                "merchant_not_found",
                "currency_mismatch",
                "unknown_currency",
                "same_account",
                "balance_overflow",
            ),
            example={"merchant_id": EXAMPLE_TRANSACTION["merchant_id"], "amount": 1050, "currency": "USD"},
            example_result=EXAMPLE_TRANSACTION,
        ),
        Operation(
            method="GET",
            path="/transactions",
            name="listTransactions",
            tag=TAG,
            summary="List what moved on the caller's accounts; an operator sees everything",
            handler=listing(cursors, TransactionsQuery, find_transactions, transaction_views),
            roles=EVERY_ROLE,
            query=TransactionsQuery,
            result=ListView[TransactionView],
            codes=("cursor_invalid", "cursor_filter_mismatch"),
            example_result={"object": "list", "data": [EXAMPLE_TRANSACTION], "has_more": False, "next_cursor": None},
        ),
        Operation(
            method="GET",
            path="/transactions/{transaction_id}",
            name="getTransaction",
            tag=TAG,
            summary="Show a transaction",
            handler=get_transaction,
            roles=EVERY_ROLE,
            result=TransactionView,
            codes=("transaction_not_found",),
            example_result=EXAMPLE_TRANSACTION,
        ),
    )
