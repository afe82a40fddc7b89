"""Transactions."""

from functools import partial

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import AnyRequest, Request, Response
from gateway.adapters.http.operations import (
    AnyOperation,
    Body,
    Idempotency,
    ListView,
    Operation,
    json_response,
)
from gateway.adapters.http.resources.fields import Amount, CreatedQuery, CurrencyText, Description, IdText
from gateway.adapters.http.submissions import submitting
from gateway.application.commands.pay import Pay
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.ports.reader import TransactionFilter
from gateway.application.queries import Page
from gateway.application.views.transactions import TransactionView, transaction_view
from gateway.domain.account import AccountId
from gateway.domain.money import Money, currency_code
from gateway.domain.payment import PaymentId
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.user import Role, UserId

TAG = "Transactions"


class TransactionBody(Body, frozen=True, kw_only=True):
    """Whom to pay, and how much: the short form of a payment."""

    merchant_id: IdText[UserId]
    amount: Amount
    currency: CurrencyText
    description: Description | None = None


class TransactionsQuery(CreatedQuery, frozen=True, kw_only=True):
    """Which transactions."""

    type: TransactionType | None = None
    account_id: IdText[AccountId] | None = None
    payment_id: IdText[PaymentId] | None = None


def to_pay(request: Request[TransactionBody]) -> Pay:
    """A payment by the caller, which is made at once or not at all."""
    body = request.body
    return Pay(
        order=PaymentOrder(
            customer_id=request.caller.user_id,
            merchant_id=body.merchant_id,
            amount=Money(body.amount, currency_code(body.currency)),
            description=body.description,
            metadata={},
        ),
        may_wait=False,
    )


def to_transaction_view(paid: PaymentResult) -> TransactionView:
    """The payment's transaction, with the payer's entry only."""
    transaction = paid.transaction
    return transaction_view(transaction, {transaction.transfers[0].debit_account_id})


async def get_transaction(request: Request) -> Response:
    """Show a transaction."""
    transaction_id = TransactionId(request.path_ids["transaction_id"])
    transaction = await request.gateway.queries.transaction(request.caller, transaction_id)
    return json_response(200, shown_to(await visible_accounts(request), transaction))


async def find_transactions(
    request: Request[None, TransactionsQuery], before: TransactionId | None
) -> Page[TransactionView]:
    """A page of transactions."""
    query = request.query
    where = TransactionFilter(
        type=query.type,
        account_id=query.account_id,
        payment_id=query.payment_id,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    page = await request.gateway.queries.transactions(request.caller, where, before=before, limit=query.limit)
    visible = await visible_accounts(request)
    return page.map(partial(shown_to, visible))


def shown_to(visible: set[AccountId] | None, transaction: Transaction) -> TransactionView:
    """A transaction, with the entries of the visible accounts.

    A deposit with a merchant came to a customer whom the merchant managed: the merchant sees its entry, too.
    """
    is_deposit = transaction.type is TransactionType.DEPOSIT
    if visible is not None and is_deposit and transaction.customer_id is not None:
        visible = {*visible, transaction.transfers[0].credit_account_id}
    return transaction_view(transaction, visible)


async def visible_accounts(request: AnyRequest) -> set[AccountId] | None:
    """The accounts whose entries the caller sees: their own, or all (`None`) for an operator."""
    if request.caller.role is Role.OPERATOR:
        return None
    return {account.id for account in await request.gateway.queries.accounts_of(request.caller.user_id)}


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


def operations(cursors: Cursors) -> tuple[AnyOperation, ...]:
    """The operations on transactions."""
    return (
        Operation(
            method="POST",
            path="/transactions",
            name="createTransaction",
            tag=TAG,
            summary="Pay a merchant at once: the short form of creating a payment",
            handler=submitting(to_pay, to_transaction_view),
            status=201,
            body=TransactionBody,
            result=TransactionView,
            idempotency=Idempotency.REQUIRED,
            codes=(
                "insufficient_funds",
                "account_frozen",
                "account_closed",
                "limit_exceeded",
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
            handler=listing(cursors, find_transactions),
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
            result=TransactionView,
            codes=("transaction_not_found",),
            example_result=EXAMPLE_TRANSACTION,
        ),
    )
