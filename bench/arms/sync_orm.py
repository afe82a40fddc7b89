"""The design of most tutorials: FastAPI, an ORM, row locks, and a thread and a database transaction for each request.

Tables, checks and responses are the gateway's own.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import create_engine, insert, make_url, select
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from gateway.adapters.sql import tables
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.submission import fingerprint
from gateway.bootstrap.keys import access_tokens
from gateway.settings.reader import read_settings


class Base(DeclarativeBase):
    """The ORM's registry, with the gateway's tables."""

    metadata = tables.metadata


class Account(Base):
    """A row of accounts."""

    __table__ = tables.ledger.accounts


class Payment(Base):
    """A row of payments."""

    __table__ = tables.ledger.payments
    metadata_text = tables.ledger.payments.c.metadata  # SQLAlchemy reserves the name `metadata`.


class Transfer(Base):
    """A row of transfers."""

    __table__ = tables.ledger.transfers


class Event(Base):
    """A row of events."""

    __table__ = tables.events.events


class KeptAnswer(Base):
    """A row of answers."""

    __table__ = tables.events.answers


class PayIn(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(extra="forbid")

    merchant_id: str
    amount: int = Field(ge=1)
    currency: str = Field(pattern="^[A-Z]{3}$")


class PaymentOut(BaseModel):
    """The body of a response."""

    id: str
    object: str = "payment"
    status: str
    amount: int
    currency: str
    amount_capturable: int = 0
    amount_captured: int
    amount_refunded: int
    fee_amount: int
    net_amount: int
    capture: str
    customer_id: str
    merchant_id: str
    reference: str | None
    description: str | None
    metadata: dict[str, str]
    expires_at: datetime | None
    failure_code: str | None
    version: int
    created_at: datetime
    updated_at: datetime


def app() -> FastAPI:
    """The application, configured by the environment."""
    settings = read_settings(os.environ)
    tokens = access_tokens(settings)
    engine = create_engine(make_url(settings.url).set(drivername="postgresql+psycopg"))  # Its pool: 5, and 10 more.
    sessions = sessionmaker(engine)
    api = FastAPI(openapi_url=None)

    def session() -> Iterator[Session]:
        with sessions() as opened:
            yield opened

    def customer(authorization: Annotated[str, Header()]) -> str:
        return tokens.verify(authorization.removeprefix("Bearer "), now=datetime.now(UTC)).subject

    @api.post("/payments", status_code=201)
    def pay(
        body: PayIn,
        customer_id: Annotated[str, Depends(customer)],
        idempotency_key: Annotated[str, Header()],
        database: Annotated[Session, Depends(session)],
    ) -> Response:
        request = fingerprint(body.model_dump_json().encode())
        kept: Any = database.get(KeptAnswer, (customer_id, idempotency_key))
        if kept is not None:
            if kept.fingerprint != request:
                raise HTTPException(422, "This idempotency key belongs to another request.")
            return _created(kept.body[3:])
        answer = _pay(database, body, customer_id, datetime.now(UTC)).model_dump_json().encode()
        database.add(
            KeptAnswer(
                owner_id=customer_id,
                key=idempotency_key,
                fingerprint=request,
                body=b"201" + answer,
                created_at=datetime.now(UTC),
            )
        )
        database.commit()
        return _created(answer)

    return api


def _created(body: bytes) -> Response:
    return Response(body, status_code=201, media_type="application/json")


def _lock(database: Session, owner_id: str, currency: str, kind: str) -> Any:
    where = {"owner_id": owner_id, "currency": currency, "kind": kind}
    account = database.scalars(select(Account).filter_by(**where).with_for_update()).one_or_none()
    if account is None:
        raise HTTPException(404, f"There is no such {kind}.")
    return account


def _pay(database: Session, body: PayIn, customer_id: str, now: datetime) -> PaymentOut:
    # Customers only pay and merchants only receive: locking in this order cannot deadlock.
    payer = _lock(database, customer_id, body.currency, "customer")
    payee = _lock(database, body.merchant_id, body.currency, "merchant")
    if payer.credits_posted - payer.debits_posted - payer.debits_pending < body.amount:
        raise HTTPException(422, "The available balance does not cover the amount.")
    payer.debits_posted += body.amount
    payer.version += 1
    payee.credits_posted += body.amount
    payee.version += 1
    parties = {"customer_id": customer_id, "merchant_id": body.merchant_id}
    money = {"amount": body.amount, "currency": body.currency}
    payment: dict[str, Any] = {
        **parties,
        **money,
        "id": time_ordered_id("pay"),
        "status": "captured",
        "capture": "automatic",
        "amount_captured": body.amount,
        "amount_refunded": 0,
        "fee_amount": 0,
        "reference": None,
        "description": None,
        "expires_at": None,
        "failure_code": None,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    view = PaymentOut(**payment, net_amount=body.amount, metadata={})
    none_yet = {"fee_refunded": 0, "amount_refunded_with_fee": 0, "captures": 0, "refunds": 0}
    database.add(Payment(**payment, **none_yet, metadata_text="{}"))
    database.add(
        Transfer(
            **parties,
            **money,
            transaction_id=time_ordered_id("txn"),
            position=0,
            type="payment",
            payment_id=view.id,
            created_at=now,
            kind="post",
            debit_account_id=payer.id,
            debit_posted_after=payer.credits_posted - payer.debits_posted,
            debit_held_after=payer.debits_pending,
            debit_version=payer.version,
            credit_account_id=payee.id,
            credit_posted_after=payee.credits_posted - payee.debits_posted,
            credit_held_after=payee.debits_pending,
            credit_version=payee.version,
        )
    )
    event_id = time_ordered_id("evt")
    batch_id = database.scalar(select(tables.events.event_batch_ids.next_value()))
    database.execute(
        insert(tables.events.event_batches_unnumbered).values(
            batch_id=batch_id, first_event_id=event_id, last_event_id=event_id, size=1
        )
    )
    database.add(
        Event(
            **parties,
            id=event_id,
            type="payment.captured",
            object_id=view.id,
            sequence=1,
            created_at=now,
            data=view.model_dump_json(),
            batch_id=batch_id,
            batch_index=0,
        )
    )
    return view
