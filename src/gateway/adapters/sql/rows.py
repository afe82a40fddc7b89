"""Records as rows of the tables, and back."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import Column

from gateway.adapters.sql.tables import accounts, event_batches, events, payments, quotes, transfers
from gateway.adapters.sql.types import INTEGER, Found
from gateway.application.ports.events import FeedEvent
from gateway.application.ports.unit_of_work import AnswerKey, KeptAnswer, NewUser
from gateway.application.ports.users import Credentials
from gateway.domain.account import Account, AccountKind, AccountStatus
from gateway.domain.event import Event, EventId, EventType
from gateway.domain.fees import FeeSchedule
from gateway.domain.metadata import NO_METADATA, Metadata
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod, Payment
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.quote import Quote
from gateway.domain.rate import rate_of, rate_text
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import BalanceAfter, Transfer, TransferKind
from gateway.domain.user import Role, User

Values: TypeAlias = tuple[Any, ...]
"""One row, in the order of the table's columns unless other columns are named."""

ACCOUNT_CHANGES: Final = (
    accounts.c.id,
    accounts.c.debits_pending,
    accounts.c.debits_posted,
    accounts.c.credits_pending,
    accounts.c.credits_posted,
    accounts.c.status,
    accounts.c.version,
    accounts.c.fee_basis_points,
    accounts.c.fee_fixed,
    accounts.c.latest_at,
)
"""The columns of `account_changes`: which one, and what changes. No index is on what changes."""

PAYMENT_CHANGES: Final = (
    payments.c.id,
    payments.c.status,
    payments.c.customer_id,
    payments.c.amount_captured,
    payments.c.amount_refunded,
    payments.c.fee_amount,
    payments.c.expires_at,
    payments.c.failure_code,
    payments.c.version,
    payments.c.updated_at,
    payments.c.fee_refunded,
    payments.c.amount_refunded_with_fee,
    payments.c.captures,
    payments.c.refunds,
    payments.c.quote_id,
    payments.c.reference_held_by,
)
"""The columns of `payment_changes`, likewise."""

QUOTE_CHANGES: Final = (quotes.c.id, quotes.c.payment_id, quotes.c.version)
"""The columns of `quote_changes`, likewise."""

EVENT_COLUMNS: Final = [each for each in events.c if each is not events.c.batch_id]
"""The columns of `event_values`."""

EVENT_BATCH_COLUMNS: Final = (
    event_batches.c.first_event_id,
    event_batches.c.last_event_id,
    event_batches.c.size,
)
"""The columns of `event_batch_values`."""

VERSION_BEFORE: Final = Column("version_before", INTEGER)
"""Behind the columns of changes: the version that was loaded. Nothing else is replaced."""

TRANSFER_COLUMNS: Final = len(transfers.c)

# Looking a member up in a dictionary costs a tenth of calling its class.
ACCOUNT_KINDS: Final = {kind.value: kind for kind in AccountKind}
ACCOUNT_STATUSES: Final = {status.value: status for status in AccountStatus}
PAYMENT_STATUSES: Final = {status.value: status for status in PaymentStatus}
CAPTURE_METHODS: Final = {method.value: method for method in CaptureMethod}
TRANSACTION_TYPES: Final = {kind.value: kind for kind in TransactionType}
TRANSFER_KINDS: Final = {kind.value: kind for kind in TransferKind}
EVENT_TYPES: Final = {kind.value: kind for kind in EventType}
ROLES: Final = {role.value: role for role in Role}

_encode: Final = msgspec.json.Encoder().encode
_decode_metadata: Final = msgspec.json.Decoder(dict[str, str]).decode


def user_values(new: NewUser) -> Values:
    """The row of a user."""
    user = new.user
    return (user.id, user.email, user.role.value, user.name, user.created_at, new.password_hash)


def to_credentials(row: Found) -> Credentials:
    """The user of a row."""
    user_id, email, role, name, created_at, password_hash = row
    return Credentials(
        user=User(id=user_id, email=email, role=ROLES[role], name=name, created_at=created_at),
        password_hash=password_hash,
    )


def account_values(account: Account, latest_at: datetime | None) -> Values:
    """The row of an account, with the moment that the id of its newest transaction is of."""
    return (
        account.id,
        account.owner_id,
        account.kind.value,
        account.currency,
        account.debits_pending,
        account.debits_posted,
        account.credits_pending,
        account.credits_posted,
        account.status.value,
        account.version,
        account.created_at,
        *account.fees,
        latest_at,
    )


def account_changes(account: Account, latest_at: datetime | None) -> Values:
    """What changes of an account: the values of `ACCOUNT_CHANGES`."""
    return (
        account.id,
        account.debits_pending,
        account.debits_posted,
        account.credits_pending,
        account.credits_posted,
        account.status.value,
        account.version,
        *account.fees,
        latest_at,
    )


def to_latest_at(row: Found) -> datetime | None:
    """The moment that the id of the newest transaction of an account is of, from the account's row."""
    latest_at: datetime | None = row[13]
    return latest_at


def to_account(row: Found) -> Account:
    """The account of a row."""
    return Account(
        id=row[0],
        owner_id=row[1],
        kind=ACCOUNT_KINDS[row[2]],
        currency=row[3],
        debits_pending=row[4],
        debits_posted=row[5],
        credits_pending=row[6],
        credits_posted=row[7],
        status=ACCOUNT_STATUSES[row[8]],
        version=row[9],
        created_at=row[10],
        fees=FeeSchedule._make(row[11:13]),
    )


def payment_values(payment: Payment) -> Values:
    """The row of a payment."""
    return (
        payment.id,
        payment.status.value,
        payment.amount.amount_minor,
        payment.amount.currency,
        payment.capture.value,
        payment.customer_id,
        payment.merchant_id,
        payment.amount_captured_minor,
        payment.amount_refunded_minor,
        payment.fee_amount_minor,
        payment.reference,
        payment.description,
        _metadata_text(payment.metadata),
        payment.expires_at,
        payment.failure_code,
        payment.version,
        payment.created_at,
        payment.updated_at,
        payment.fee_refunded_minor,
        payment.amount_refunded_with_fee_minor,
        payment.captures,
        payment.refunds,
        payment.quote_id,
        payment.reference_held_by,
    )


def payment_changes(payment: Payment) -> Values:
    """What changes of a payment: the values of `PAYMENT_CHANGES`."""
    return (
        payment.id,
        payment.status.value,
        payment.customer_id,
        payment.amount_captured_minor,
        payment.amount_refunded_minor,
        payment.fee_amount_minor,
        payment.expires_at,
        payment.failure_code,
        payment.version,
        payment.updated_at,
        payment.fee_refunded_minor,
        payment.amount_refunded_with_fee_minor,
        payment.captures,
        payment.refunds,
        payment.quote_id,
        payment.reference_held_by,
    )


def to_payment(row: Found) -> Payment:
    """The payment of a row."""
    return Payment(
        id=row[0],
        status=PAYMENT_STATUSES[row[1]],
        amount=Money(row[2], row[3]),
        capture=CAPTURE_METHODS[row[4]],
        customer_id=row[5],
        merchant_id=row[6],
        amount_captured_minor=row[7],
        amount_refunded_minor=row[8],
        fee_amount_minor=row[9],
        reference=row[10],
        description=row[11],
        metadata=_metadata(row[12]),
        expires_at=row[13],
        failure_code=row[14],
        version=row[15],
        created_at=row[16],
        updated_at=row[17],
        fee_refunded_minor=row[18],
        amount_refunded_with_fee_minor=row[19],
        captures=row[20],
        refunds=row[21],
        quote_id=row[22],
        reference_held_by=row[23],
    )


def quote_values(quote: Quote) -> Values:
    """The row of a quote."""
    return (
        quote.id,
        quote.customer_id,
        quote.source.amount_minor,
        quote.source.currency,
        quote.target.amount_minor,
        quote.target.currency,
        quote.spread_minor,
        rate_text(quote.rate),
        quote.spread_basis_points,
        quote.expires_at,
        quote.created_at,
        quote.payment_id,
        quote.version,
    )


def quote_changes(quote: Quote) -> Values:
    """What changes of a quote: the values of `QUOTE_CHANGES`."""
    return (quote.id, quote.payment_id, quote.version)


def to_quote(row: Found) -> Quote:
    """The quote of a row."""
    return Quote(
        id=row[0],
        customer_id=row[1],
        source=Money(row[2], row[3]),
        target=Money(row[4], row[5]),
        spread_minor=row[6],
        rate=rate_of(row[7]),
        spread_basis_points=row[8],
        expires_at=row[9],
        created_at=row[10],
        payment_id=row[11],
        version=row[12],
    )


def refund_values(refund: Refund) -> Values:
    """The row of a refund."""
    return (
        refund.id,
        refund.payment_id,
        refund.transaction_id,
        refund.amount.amount_minor,
        refund.amount.currency,
        refund.fee_refunded_minor,
        refund.reason,
        refund.created_at,
    )


def to_refund(row: Found) -> Refund:
    """The refund of a row."""
    return Refund(
        id=row[0],
        payment_id=row[1],
        transaction_id=row[2],
        amount=Money(row[3], row[4]),
        fee_refunded_minor=row[5],
        reason=row[6],
        created_at=row[7],
    )


def transfer_values(transaction: Transaction) -> list[Values]:
    """The rows of a transaction: one for each transfer, each with the head that they share."""
    return [
        (
            transaction.id,
            position,
            transaction.type.value,
            transaction.payment_id,
            transaction.customer_id,
            transaction.merchant_id,
            transaction.description,
            transaction.reverses,
            transaction.created_at,
            transfer.kind.value,
            transfer.amount_minor,
            transfer.currency,
            transfer.debit_account_id,
            *transfer.debit_after,
            transfer.credit_account_id,
            *transfer.credit_after,
        )
        for position, transfer in enumerate(transaction.transfers)
    ]


def to_transactions(rows: Sequence[Found]) -> list[Transaction]:
    """The transactions of rows in which those of one transaction stand together, in their order.

    A row may have one value more than the table: the id of the transaction that reverses it.
    """
    transactions: list[Transaction] = []
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end][0] != rows[start][0]:
            transactions.append(_transaction(rows[start:end]))
            start = end
    return transactions


def _transaction(rows: Sequence[Found]) -> Transaction:
    head = rows[0]
    return Transaction(
        id=head[0],
        type=TRANSACTION_TYPES[head[2]],
        transfers=tuple([_transfer(row) for row in rows]),
        payment_id=head[3],
        customer_id=head[4],
        merchant_id=head[5],
        description=head[6],
        reverses=head[7],
        created_at=head[8],
        reversed_by=head[TRANSFER_COLUMNS] if len(head) > TRANSFER_COLUMNS else None,
    )


def _transfer(row: Found) -> Transfer:
    return Transfer(
        kind=TRANSFER_KINDS[row[9]],
        amount_minor=row[10],
        currency=row[11],
        debit_account_id=row[12],
        debit_after=BalanceAfter(row[13], row[14], row[15]),
        credit_account_id=row[16],
        credit_after=BalanceAfter(row[17], row[18], row[19]),
    )


def event_values(event: Event, batch_index: int) -> Values:
    """The row of an event, without the id of its batch: the database makes it."""
    return (
        event.id,
        event.type.value,
        event.object.id,
        event.sequence,
        event.customer_id,
        event.merchant_id,
        event.created_at,
        event.data.decode(),
        batch_index,
    )


def event_batch_values(events: Collection[Event]) -> Values:
    """The batch of events of one transaction: between which ids they are, and how many."""
    ids = [event.id for event in events]
    return (min(ids), max(ids), len(ids))


def to_feed_event(row: Found) -> FeedEvent:
    """The event of a row that begins with a position, followed by the columns of `event_values` up to the data."""
    return FeedEvent(
        position=row[0],
        id=row[1],
        type=EVENT_TYPES[row[2]],
        object_id=row[3],
        sequence=row[4],
        customer_id=row[5],
        merchant_id=row[6],
        created_at=row[7],
        data=row[8].encode(),
    )


def answer_values(answer: KeptAnswer, data_of: Mapping[EventId, bytes]) -> Values:
    """The row of an answer. The data of the event that it names is left out: the event has it."""
    body = answer.body
    if answer.event_id is not None:
        body = body[: -len(data_of[answer.event_id])]
    return (*answer.key, answer.fingerprint, body, answer.created_at, answer.event_id)


def to_answer(row: Found) -> KeptAnswer:
    """The answer of a row, behind which stands the data of the event that the row names, if it names one."""
    owner_id, key, fingerprint, body, created_at, event_id, data = row
    if event_id is not None:
        body += data.encode()
    return KeptAnswer(key=AnswerKey(owner_id, key), fingerprint=fingerprint, body=body, created_at=created_at)


def _metadata(text: str) -> Metadata:
    return NO_METADATA if text == "{}" else Metadata(_decode_metadata(text))


def _metadata_text(metadata: Mapping[str, str]) -> str:
    return _encode(metadata).decode() if metadata else "{}"
