"""Migration 0007: who gave the references that there are, and which of them are free."""

from typing import Any

from sqlalchemy import Connection, insert, text

from gateway.adapters.sql import migrate, open_sql_storage
from gateway.adapters.sql.rows.payments import payment_values
from gateway.adapters.sql.tables.ledger import payments
from gateway.application.ports.unit_of_work import Wanted
from gateway.contracts.records import a_payment, load, payment_id, user_id
from gateway.domain.payment import PaymentReference
from gateway.domain.payment_status import PaymentStatus
from support.migrations import on_connection, to_revision

BEFORE = [
    a_payment(1, reference="paid"),
    a_payment(2, reference="asked"),
    *(
        a_payment(number, reference=status.value, status=status)
        for number, status in enumerate([PaymentStatus.FAILED, PaymentStatus.CANCELED, PaymentStatus.EXPIRED], 3)
    ),
    a_payment(6),
]


def write(connection: Connection) -> None:
    columns = [column for column in payments.columns if column.name != "reference_held_by"]
    rows: list[dict[str, Any]] = [
        dict(zip([column.name for column in columns], payment_values(payment), strict=False)) for payment in BEFORE
    ]
    connection.execute(insert(payments), rows)
    connection.execute(
        text(
            "INSERT INTO events (id, type, object_id, sequence, created_at, data)"
            " SELECT 'evt_1', 'payment.created', id, 1, created_at, '{}' FROM payments WHERE reference = 'asked'"
        )
    )


async def test_references_are_held_by_those_who_gave_them_and_free_where_no_money_came(empty_url: str) -> None:
    await on_connection(empty_url, to_revision("0006"))
    await on_connection(empty_url, write)
    await migrate(empty_url)

    customer, merchant = user_id(1), user_id(2)
    wanted = [
        PaymentReference(merchant, reference, given_by)
        for reference in ("paid", "asked", "failed", "canceled", "expired")
        for given_by in (customer, merchant)
    ]
    async with open_sql_storage(empty_url) as storage:
        found = await load(storage, Wanted(references=wanted, payments=[payment_id(n) for n in range(1, 7)]))
    assert set(found.references_taken) == {
        PaymentReference(merchant, "paid", customer),
        PaymentReference(merchant, "asked", merchant),
    }
    holders = {payment.reference: payment.reference_held_by for payment in found.payments}
    assert holders == {
        "paid": customer,
        "asked": merchant,
        "failed": None,
        "canceled": None,
        "expired": None,
        None: None,
    }
