"""Payments that histories order or request: the HTTP body and the command of each, and their Hypothesis strategies."""

from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from gateway import Pay, RequestPayment
from gateway.domain.money import CurrencyCode, Money
from gateway.domain.payment import CaptureMethod, QuoteId
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.user import UserId
from support.api_client import Json

CUSTOMERS: Final = ("ada", "bob")
MERCHANTS: Final = ("shop", "cafe")
NOBODY: Final = "nobody"
"""The name of somebody who does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The terms of a payment, with the merchant's name."""

    merchant: str
    amount: int
    currency: str = "USD"
    capture: str = "automatic"
    expires_in_seconds: int | None = None
    reference: str | None = None

    @property
    def body(self) -> Json:
        """The body of `POST /payments`, without the parties."""
        return {
            "amount": self.amount,
            "currency": self.currency,
            "capture": self.capture,
            "expires_in_seconds": self.expires_in_seconds,
            "reference": self.reference,
        }

    def pay(self, customer_id: UserId, merchant_id: UserId, quote_id: QuoteId | None) -> Pay:
        order = PaymentOrder(customer_id=customer_id, merchant_id=merchant_id, quote_id=quote_id, **self._terms)
        return Pay(order=order)

    def request(self, merchant_id: UserId, customer_id: UserId | None) -> RequestPayment:
        return RequestPayment(request=PaymentRequest(customer_id=customer_id, merchant_id=merchant_id, **self._terms))

    @property
    def _terms(self) -> dict[str, Any]:
        return {
            "amount": Money(self.amount, CurrencyCode(self.currency)),
            "capture": CaptureMethod(self.capture),
            "expires_in_seconds": self.expires_in_seconds,
            "reference": self.reference,
            "metadata": {},
        }


customers = st.sampled_from(CUSTOMERS)
merchants = st.sampled_from(MERCHANTS)
parties = st.sampled_from((*CUSTOMERS, *MERCHANTS))
mostly_the_right_one = st.sampled_from([None] * 6 + [*MERCHANTS])
amounts = st.integers(1, 60)
parts = st.one_of(st.none(), st.integers(1, 30))
_times = st.one_of(st.none(), st.sampled_from([60, 61]))
_references = st.one_of(st.none(), st.none(), st.sampled_from(["order-1", "order-2"]))
_currencies = st.sampled_from(["USD"] * 9 + ["EUR"])
requests = st.builds(
    Order,
    merchant=merchants,
    amount=amounts,
    currency=_currencies,
    capture=st.sampled_from(["automatic", "manual"]),
    expires_in_seconds=_times,
    reference=_references,
)
_payees = st.sampled_from([*MERCHANTS * 4, *CUSTOMERS, NOBODY])
_at_once = st.builds(Order, merchant=_payees, amount=amounts, currency=_currencies, reference=_references)
_holds = st.builds(Order, merchant=merchants, amount=amounts, capture=st.just("manual"), expires_in_seconds=_times)
orders = st.one_of(_at_once, _holds, _holds)
