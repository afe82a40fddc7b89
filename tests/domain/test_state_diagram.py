"""The diagram in the documentation is what the code does."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from domain.test_payment_states import DEADLINE, LATER, an_order, in_status
from gateway.contracts.records import payment_id, user_id
from gateway.domain.errors import Refusal
from gateway.domain.fees import NO_FEES
from gateway.domain.new_payment import authorized, failed, paid_at_once
from gateway.domain.payment import CaptureMethod, Payment
from gateway.domain.payment_life import (
    approve,
    cancel,
    capture_hold,
    confirmation_failed,
    confirmed,
    confirmed_for_review,
    decline,
    expire,
)
from gateway.domain.payment_status import PaymentStatus

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
CUSTOMER = user_id(1)
ARROW = re.compile(r"^    (\[\*\]|\w+) --> (\w+): (.+)$", re.MULTILINE)


def confirm(payment: Payment, capture_method: CaptureMethod) -> Payment:
    return confirmed(replace(payment, capture=capture_method), customer_id=CUSTOMER, fee_minor=0, now=LATER)


ACTIONS: dict[str, Callable[[Payment], Payment]] = {
    "confirm": lambda payment: confirm(payment, CaptureMethod.AUTOMATIC),
    "confirm, capture=manual": lambda payment: confirm(payment, CaptureMethod.MANUAL),
    "confirm, without funds": lambda payment: confirmation_failed(
        payment, failure_code="insufficient_funds", now=LATER
    ),
    "confirm, to be reviewed": lambda payment: confirmed_for_review(
        payment, customer_id=CUSTOMER, rule="count.1h", review_seconds=60, now=LATER
    ),
    "approve": lambda payment: (
        approve(replace(payment, capture=CaptureMethod.AUTOMATIC), fees=NO_FEES, now=LATER).payment
    ),
    "approve, capture=manual": lambda payment: approve(payment, fees=NO_FEES, now=LATER).payment,
    "decline": lambda payment: decline(payment, now=LATER).payment,
    "capture": lambda payment: capture_hold(payment, amount_minor=None, final=True, fees=NO_FEES, now=LATER).payment,
    "capture, final=false": lambda payment: (
        capture_hold(payment, amount_minor=1, final=False, fees=NO_FEES, now=LATER).payment
    ),
    "cancel": lambda payment: cancel(payment, now=LATER).payment,
    "time is over": lambda payment: expire(payment, now=DEADLINE).payment,
}


def arrows() -> Iterator[tuple[str, str, str]]:
    """Every transition that the code makes."""
    order = an_order()
    for label, payment in (
        ("pay", paid_at_once(order, payment_id=payment_id(1), now=LATER)),
        ("pay, capture=manual", authorized(order, payment_id=payment_id(1), now=LATER)),
        ("pay, without funds", failed(order, payment_id=payment_id(1), failure_code="insufficient_funds", now=LATER)),
        ("pay, to be reviewed", in_status(PaymentStatus.REQUIRES_REVIEW)),
        ("request", in_status(PaymentStatus.REQUIRES_CONFIRMATION)),
    ):
        yield "[*]", payment.status.value, label
    for status in PaymentStatus:
        for label, act in ACTIONS.items():
            try:
                yield status.value, act(in_status(status)).status.value, label
            except Refusal:
                continue


def test_the_diagram_shows_every_transition_and_no_other() -> None:
    shown = ARROW.findall(PAGE.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(arrows())
