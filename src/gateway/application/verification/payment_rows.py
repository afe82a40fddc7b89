"""Rules about one payment's row: its amounts, its status, its failure code and its version."""

from typing import Final, assert_never

from gateway.application.verification.findings import Findings
from gateway.domain.payment import CaptureMethod, Payment
from gateway.domain.payment_status import REVIEW_DECLINED, REVIEW_EXPIRED, PaymentStatus

_AFTER_REVIEW: Final = {REVIEW_DECLINED: PaymentStatus.CANCELED, REVIEW_EXPIRED: PaymentStatus.EXPIRED}
"""How payments end that were not approved, by their failure code."""

VERSION_MAX: Final = 1_000  # More than 50 captures and 100 refunds can make.


def check_payment(payment: Payment, findings: Findings) -> None:
    """Check a row by itself."""
    captured = payment.amount_captured_minor
    if not 0 <= captured <= payment.amount.amount_minor:
        findings.add("payment_captured", payment.id, f"{captured} of {payment.amount.amount_minor} captured.")
    if not 0 <= payment.amount_refunded_minor <= captured:
        findings.add("payment_refunded", payment.id, f"{payment.amount_refunded_minor} of {captured} refunded.")
    if not 0 <= payment.fee_amount_minor <= captured:
        findings.add("payment_fee", payment.id, f"A fee of {payment.fee_amount_minor} on {captured}.")
    if not (_status_fits(payment) and _failure_fits(payment)):
        detail = f"It is {payment.status}, and {captured} minor units of it are captured."
        findings.add("payment_status", payment.id, detail)
    if not has_possible_version(payment):
        findings.add("payment_version", payment.id, f"Its version is {payment.version}.")


def has_possible_version(payment: Payment) -> bool:
    """Whether a payment can have come to its version. Each version has one event with the same sequence."""
    return 1 <= payment.version <= VERSION_MAX


def _status_fits(payment: Payment) -> bool:
    """Whether the status fits the amount captured."""
    captured = payment.amount_captured_minor
    match payment.status:
        case PaymentStatus.CAPTURED:
            whole = captured == payment.amount.amount_minor
            return captured > 0 and (whole or payment.capture is CaptureMethod.MANUAL)
        case PaymentStatus.PARTIALLY_CAPTURED:
            return 0 < captured < payment.amount.amount_minor
        case (
            PaymentStatus.REQUIRES_CONFIRMATION
            | PaymentStatus.REQUIRES_REVIEW
            | PaymentStatus.AUTHORIZED
            | PaymentStatus.CANCELED
            | PaymentStatus.EXPIRED
            | PaymentStatus.FAILED
        ):
            return captured == 0
        case _:
            assert_never(payment.status)


def _failure_fits(payment: Payment) -> bool:
    """Whether the failure code fits the status. A request keeps the code of its last failed confirmation."""
    if payment.failure_code in _AFTER_REVIEW:
        return payment.status is _AFTER_REVIEW[payment.failure_code] and payment.version > 1
    match payment.status:
        case PaymentStatus.FAILED | PaymentStatus.REQUIRES_REVIEW:
            return payment.failure_code is not None
        case PaymentStatus.REQUIRES_CONFIRMATION | PaymentStatus.CANCELED | PaymentStatus.EXPIRED:
            # A failed confirmation makes a version besides the versions of the request and of the end.
            others = 1 if payment.status is PaymentStatus.REQUIRES_CONFIRMATION else 2
            return payment.failure_code is None or payment.version > others
        case PaymentStatus.AUTHORIZED | PaymentStatus.PARTIALLY_CAPTURED | PaymentStatus.CAPTURED:
            return payment.failure_code is None
        case _:
            assert_never(payment.status)
