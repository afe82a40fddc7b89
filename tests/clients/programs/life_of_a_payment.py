"""The life of a payment through a client that openapi-python-client generates from the served document.

Usage: python life_of_a_payment.py GATEWAY_URL NEWER_GATEWAY_URL
"""

import sys
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar
from uuid import uuid4

from gateway_client.api.access import log_in, register
from gateway_client.api.accounts_and_deposits import make_deposit
from gateway_client.api.payments import capture_payment, create_payment, get_payment, list_payments
from gateway_client.api.refunds import create_refund
from gateway_client.client import AuthenticatedClient, Client
from gateway_client.models import (
    CaptureBody,
    Deposit,
    DepositBody,
    LogInBody,
    Payment,
    PaymentBody,
    PaymentBodyCaptureMethod,
    PaymentList,
    Problem,
    Refund,
    RefundBody,
    RegisterBody,
    Tokens,
    User,
)
from gateway_client.types import UNSET, Response

PASSWORD = "a long passphrase"

Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user of the gateway, and a client that has their token."""

    user: User
    email: str
    client: AuthenticatedClient


def is_a(kind: type[Model], response: Response[object]) -> Model:
    """What an answer was parsed into."""
    assert isinstance(response.parsed, kind), (response.status_code, response.content)
    return response.parsed


def key() -> str:
    """An idempotency key that nobody has used."""
    return str(uuid4())


def signed_in(url: str, role: str) -> SignedIn:
    """Register somebody, and log in."""
    email = f"{uuid4()}@example.com"
    body = RegisterBody.from_dict({"email": email, "password": PASSWORD, "role": role})
    user = is_a(User, register.sync_detailed(client=Client(url), body=body))
    return SignedIn(user, email, logged_in(url, email))


def logged_in(url: str, email: str) -> AuthenticatedClient:
    """A client with a token of its own."""
    answer = log_in.sync_detailed(client=Client(url), body=LogInBody(email=email, password=PASSWORD))
    return AuthenticatedClient(url, is_a(Tokens, answer).access_token)


def main(url: str, newer_url: str) -> None:
    """Register, deposit, pay, hold, capture, refund, page; meet 402, and words that the client does not know."""
    merchant = signed_in(url, "merchant")
    customer = signed_in(url, "customer")
    [account] = customer.user.accounts
    deposit = DepositBody(account_id=account.id, amount=100_000, currency="USD")
    is_a(Deposit, make_deposit.sync_detailed(client=customer.client, body=deposit, idempotency_key=key()))

    def pay(amount: int, *, capture: PaymentBodyCaptureMethod | None = None) -> Response[object]:
        body = PaymentBody(
            merchant_id=merchant.user.id,
            amount=amount,
            currency="USD",
            capture=UNSET if capture is None else capture,
        )
        return create_payment.sync_detailed(client=customer.client, body=body, idempotency_key=key())

    paid = is_a(Payment, pay(1_050))
    assert paid.status == "captured", paid
    held = is_a(Payment, pay(2_000, capture=PaymentBodyCaptureMethod.MANUAL))
    assert held.status == "authorized", held
    captured = capture_payment.sync_detailed(
        held.id, client=merchant.client, body=CaptureBody(amount=1_500), idempotency_key=key()
    )
    assert is_a(Payment, captured).amount_captured == 1_500
    refund = create_refund.sync_detailed(
        held.id, client=merchant.client, body=RefundBody(amount=500), idempotency_key=key()
    )
    assert is_a(Refund, refund).status == "succeeded"

    refused = pay(9_000_000)
    assert refused.status_code == HTTPStatus.PAYMENT_REQUIRED
    assert is_a(Problem, refused).code == "insufficient_funds"

    # Every page once, and nothing twice.
    seen: list[Payment] = []
    cursor: str | None = None
    while not seen or cursor:
        page = list_payments.sync_detailed(client=customer.client, limit=2, cursor=cursor or UNSET)
        listed = is_a(PaymentList, page)
        seen += listed.data
        cursor = listed.next_cursor
    assert [payment.amount for payment in seen] == [9_000_000, 2_000, 1_050]
    assert [payment.amount_refunded for payment in seen] == [0, 500, 0]

    # A gateway that is newer than this client answers with a status and a code that the document does not name.
    newer = logged_in(newer_url, customer.email)
    assert is_a(Payment, get_payment.sync_detailed(paid.id, client=newer)).status == "a_status_of_tomorrow"
    assert is_a(Problem, get_payment.sync_detailed("pay_none", client=newer)).code == "a_code_of_tomorrow"

    sys.stdout.write("Python: registered, deposited, paid, held, captured, refunded, paged, and was refused.\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
