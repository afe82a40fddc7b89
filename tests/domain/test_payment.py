"""A payment has moved its money, or was kept as failed."""

from gateway.contracts.records import NOW, payment_id, user_id
from gateway.domain.new_payment import failed, paid_at_once
from gateway.domain.payment import CaptureMethod, Payment
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.user import normal_email
from support.builders import usd

ORDER = PaymentOrder(
    customer_id=user_id(1),
    merchant_id=user_id(2),
    amount=usd(40),
    reference="order-1",
    description="Two coffees",
    metadata={"table": "7"},
)


def test_a_payment_at_once_has_captured_its_amount() -> None:
    assert paid_at_once(ORDER, payment_id=payment_id(1), now=NOW) == Payment(
        id=payment_id(1),
        status=PaymentStatus.CAPTURED,
        amount=usd(40),
        capture=CaptureMethod.AUTOMATIC,
        customer_id=user_id(1),
        merchant_id=user_id(2),
        amount_captured_minor=40,
        amount_refunded_minor=0,
        fee_amount_minor=0,
        reference="order-1",
        description="Two coffees",
        metadata={"table": "7"},
        expires_at=None,
        failure_code=None,
        version=1,
        created_at=NOW,
        updated_at=NOW,
        reference_held_by=user_id(1),
    )


def test_a_failed_payment_has_captured_nothing_and_says_why() -> None:
    payment = failed(ORDER, payment_id=payment_id(1), failure_code="insufficient_funds", now=NOW)
    assert (payment.status, payment.failure_code) == (PaymentStatus.FAILED, "insufficient_funds")
    assert (payment.amount_captured_minor, payment.net_amount_minor, payment.version) == (0, 0, 1)
    assert (payment.amount, payment.reference) == (usd(40), "order-1")


def test_a_final_payment_has_nothing_left_to_capture() -> None:
    assert paid_at_once(ORDER, payment_id=payment_id(1), now=NOW).amount_capturable_minor == 0


def test_the_net_amount_is_what_the_merchant_keeps() -> None:
    payment = paid_at_once(ORDER, payment_id=payment_id(1), now=NOW)
    assert payment.net_amount_minor == 40


def test_an_address_has_one_spelling() -> None:
    assert normal_email("  Ada.Lovelace@Example.COM\n") == "ada.lovelace@example.com"
