"""Payment: its states, what each allows, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, NewType, assert_never

from gateway.domain.checks import check_free_text, check_id, check_integer, check_text, check_type
from gateway.domain.errors import (
    CaptureAmountExceedsAuthorized,
    CaptureLimitReached,
    PaymentExpired,
    PaymentNotDue,
    PaymentNotRefundable,
    PaymentStateInvalid,
    RefundAmountExceedsRemaining,
    RefundLimitReached,
    SameAccount,
    invalid,
)
from gateway.domain.fees import FeeSchedule, fee_on_capture, fee_share_of_refund
from gateway.domain.limits import DESCRIPTION_LENGTH_MAX, REFERENCE_LENGTH_MAX
from gateway.domain.metadata import checked_metadata
from gateway.domain.money import Money, check_amount
from gateway.domain.user import UserId
from gateway.domain.value import value

PaymentId = NewType("PaymentId", str)
QuoteId = NewType("QuoteId", str)

EXPIRES_IN_SECONDS_DEFAULT: Final = 604_800
EXPIRES_IN_SECONDS_MIN: Final = 60
EXPIRES_IN_SECONDS_MAX: Final = 2_678_400
CAPTURES_MAX: Final = 50
REFUNDS_MAX: Final = 100


class PaymentStatus(StrEnum):
    """Where a payment stands. Refunds are no states: the amount refunded and the refunds tell of them."""

    REQUIRES_CONFIRMATION = "requires_confirmation"
    AUTHORIZED = "authorized"
    PARTIALLY_CAPTURED = "partially_captured"
    CAPTURED = "captured"
    CANCELED = "canceled"
    EXPIRED = "expired"
    FAILED = "failed"


class PaymentAction(StrEnum):
    """What can be asked of a payment."""

    CONFIRM = "confirm"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"


class CaptureMethod(StrEnum):
    """When the merchant gets the money: with the payment, or when they ask for it."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class PaymentReference(NamedTuple):
    """A name for a payment at a merchant, unique for the user who gave it: the merchant themselves, or a customer."""

    merchant_id: UserId
    reference: str
    given_by: UserId


@value
class Payment:
    """A customer's promise to a merchant, and what became of it. Amounts are minor units of the payment's currency.

    `amount.amount_minor ≥ amount_captured_minor ≥ amount_refunded_minor ≥ 0`, and `version` rises by 1 at each change.
    A request that names nobody has no `customer_id` until somebody confirms it.

    `failure_code` tells why it has failed; of a request that nobody has paid, why the last confirmation failed.

    `fee_amount_minor` is what the gateway keeps, `fee_refunded_minor` what it gave back; together, what it charged.
    `amount_refunded_with_fee_minor` is the part of the refunds that took the fee's share with them.

    `quote_id` is the quote at which its customer paid in another currency. Its amounts are what the merchant got.

    `reference_held_by` is the user who gave the reference: the customer who paid, or the merchant who asked for it. It
    is `None` without a reference, and once the payment has ended without any money taken: the name is free again.
    """

    id: PaymentId
    status: PaymentStatus
    amount: Money
    capture: CaptureMethod
    customer_id: UserId | None
    merchant_id: UserId
    amount_captured_minor: int
    amount_refunded_minor: int
    fee_amount_minor: int
    reference: str | None
    description: str | None
    metadata: Mapping[str, str]
    expires_at: datetime | None
    failure_code: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    fee_refunded_minor: int = 0
    amount_refunded_with_fee_minor: int = 0
    captures: int = 0
    refunds: int = 0
    quote_id: QuoteId | None = None
    reference_held_by: UserId | None = None

    @property
    def reference_held(self) -> PaymentReference | None:
        """The name that no other payment may have meanwhile."""
        if self.reference is None or self.reference_held_by is None:
            return None
        return PaymentReference(self.merchant_id, self.reference, self.reference_held_by)

    @property
    def amount_held_minor(self) -> int:
        """What is held for it as long as it is kept in this status, whatever the time."""
        match self.status:
            case PaymentStatus.AUTHORIZED | PaymentStatus.PARTIALLY_CAPTURED:
                return self.amount.amount_minor - self.amount_captured_minor
            case (
                PaymentStatus.REQUIRES_CONFIRMATION
                | PaymentStatus.CAPTURED
                | PaymentStatus.CANCELED
                | PaymentStatus.EXPIRED
                | PaymentStatus.FAILED
            ):
                return 0
            case _:
                assert_never(self.status)

    @property
    def amount_capturable_minor(self) -> int:
        """What the merchant may still take. A final payment has nothing left."""
        return self.amount_held_minor

    @property
    def amount_refundable_minor(self) -> int:
        """What was captured and not yet given back."""
        return self.amount_captured_minor - self.amount_refunded_minor

    @property
    def net_amount_minor(self) -> int:
        """What the merchant keeps: captured less refunded less fees."""
        return self.amount_captured_minor - self.amount_refunded_minor - self.fee_amount_minor

    @property
    def allowed_actions(self) -> tuple[PaymentAction, ...]:
        """What can be asked of it from here."""
        actions: tuple[PaymentAction, ...]
        match self.status:
            case PaymentStatus.REQUIRES_CONFIRMATION:
                actions = (PaymentAction.CONFIRM, PaymentAction.CANCEL)
            case PaymentStatus.AUTHORIZED | PaymentStatus.PARTIALLY_CAPTURED:
                actions = (PaymentAction.CAPTURE, PaymentAction.CANCEL)
            case PaymentStatus.CAPTURED | PaymentStatus.CANCELED | PaymentStatus.EXPIRED | PaymentStatus.FAILED:
                actions = ()
            case _:
                assert_never(self.status)
        return (*actions, PaymentAction.REFUND) if self.amount_refundable_minor else actions

    def status_at(self, now: datetime) -> PaymentStatus:
        """Where it stands at a time: its time is over the moment that `now` reaches `expires_at`."""
        if self.expires_at is None or now < self.expires_at:
            return self.status
        return after_its_time(self.status)

    def at(self, now: datetime) -> "Payment":
        """The payment as it stands at a time, whether or not its expiry has been written down yet."""
        status = self.status_at(now)
        return self if status is self.status else replace(self, status=status)


def after_its_time(status: PaymentStatus) -> PaymentStatus:
    """What a payment of this status becomes when its time is over; a final one stays."""
    match status:
        case PaymentStatus.REQUIRES_CONFIRMATION | PaymentStatus.AUTHORIZED:
            return PaymentStatus.EXPIRED
        case PaymentStatus.PARTIALLY_CAPTURED | PaymentStatus.CAPTURED:
            return PaymentStatus.CAPTURED
        case PaymentStatus.CANCELED | PaymentStatus.EXPIRED | PaymentStatus.FAILED:
            return status
        case _:
            assert_never(status)


ENDED_WITHOUT_MONEY: Final = frozenset({PaymentStatus.FAILED, PaymentStatus.CANCELED, PaymentStatus.EXPIRED})
"""The statuses in which a payment gives its reference back."""

UNFINISHED: Final = frozenset(status for status in PaymentStatus if after_its_time(status) is not status)
"""The statuses that `expires_at` ends."""


@value
class PaymentTerms:
    """Everything about a payment that does not change later, but for the customer.

    `expires_in_seconds` is `EXPIRES_IN_SECONDS_MIN` … `EXPIRES_IN_SECONDS_MAX`, or `None` for the default. It is the
    time of a request and of a hold; a payment at once has none.

    Raises:
        InvalidInput: A field has a wrong type or is out of bounds, or a card number stands in a free text.
    """

    merchant_id: UserId
    amount: Money
    reference: str | None = None
    description: str | None = None
    metadata: Mapping[str, str]
    capture: CaptureMethod = CaptureMethod.AUTOMATIC
    expires_in_seconds: int | None = None

    def __post_init__(self) -> None:
        check_id("merchant_id", self.merchant_id)
        # Compared before the call: every payment comes by here.
        if type(self.amount) is not Money:
            check_type("amount", self.amount, Money)
        if type(self.capture) is not CaptureMethod:
            check_type("capture", self.capture, CaptureMethod)
        if self.reference is not None:
            check_text("reference", self.reference, REFERENCE_LENGTH_MAX)
        if self.description is not None:
            check_free_text("description", self.description, DESCRIPTION_LENGTH_MAX)
        if self.expires_in_seconds is not None:
            check_integer("expires_in_seconds", self.expires_in_seconds, EXPIRES_IN_SECONDS_MIN, EXPIRES_IN_SECONDS_MAX)
        object.__setattr__(self, "metadata", checked_metadata(self.metadata))

    def expires_at(self, now: datetime) -> datetime:
        """When the time is over that begins now."""
        seconds = EXPIRES_IN_SECONDS_DEFAULT if self.expires_in_seconds is None else self.expires_in_seconds
        return now + timedelta(seconds=seconds)


@value
class PaymentOrder(PaymentTerms):
    """What a customer asks for when they pay; with a `quote_id`, from their account in the quote's source currency.

    Raises:
        InvalidInput: As `PaymentTerms`; or a payment at once has a time, or one with a quote is to be held.
    """

    customer_id: UserId
    quote_id: QuoteId | None = None

    @property
    def reference_given_by(self) -> UserId:
        """The customer: another customer of the merchant may use the same name."""
        return self.customer_id

    def __post_init__(self) -> None:
        PaymentTerms.__post_init__(self)
        check_id("customer_id", self.customer_id)
        if self.expires_in_seconds is not None and self.capture is CaptureMethod.AUTOMATIC:
            raise invalid("expires_in_seconds", "value_invalid", "A payment at once does not expire.")
        if self.quote_id is not None:
            check_id("quote_id", self.quote_id)
            must_be_at_once(self.capture, field="capture")


@value
class PaymentRequest(PaymentTerms):
    """What a merchant asks for; without a `customer_id`, from any customer who confirms it.

    Raises:
        InvalidInput: As `PaymentTerms`.
    """

    customer_id: UserId | None = None

    @property
    def reference_given_by(self) -> UserId:
        """The merchant, also after a customer has confirmed it."""
        return self.merchant_id

    def __post_init__(self) -> None:
        PaymentTerms.__post_init__(self)
        if self.customer_id is not None:
            check_id("customer_id", self.customer_id)


def must_be_at_once(capture: CaptureMethod, *, field: str) -> None:
    """Check that a payment with a quote is not one with a hold: a hold lasts for days, and a rate for seconds.

    Raises:
        InvalidInput: It is; `field` is to blame.
    """
    if capture is CaptureMethod.MANUAL:
        raise invalid(field, "value_invalid", "A payment with a quote is captured at once.")


def payment_to_oneself() -> SameAccount:
    """The refusal of a payment whose customer is its merchant."""
    return SameAccount("Nobody can pay themselves.")


def reference_of(terms: PaymentOrder | PaymentRequest) -> PaymentReference | None:
    """The name that must be free for a payment on these terms, if they have one."""
    if terms.reference is None:
        return None
    return PaymentReference(terms.merchant_id, terms.reference, terms.reference_given_by)


def paid_at_once(order: PaymentOrder, *, payment_id: PaymentId, now: datetime, fee_minor: int = 0) -> Payment:
    """The payment whose money has moved with it (`capture=automatic`)."""
    return _first(
        order,
        PaymentStatus.CAPTURED,
        payment_id=payment_id,
        fee_minor=fee_minor,
        quote_id=order.quote_id,
        now=now,
    )


def authorized(order: PaymentOrder, *, payment_id: PaymentId, now: datetime) -> Payment:
    """The payment whose money is held (`capture=manual`)."""
    return _first(order, PaymentStatus.AUTHORIZED, payment_id=payment_id, expires_at=order.expires_at(now), now=now)


def requested(request: PaymentRequest, *, payment_id: PaymentId, now: datetime) -> Payment:
    """The payment that a customer has yet to confirm."""
    return _first(
        request,
        PaymentStatus.REQUIRES_CONFIRMATION,
        payment_id=payment_id,
        expires_at=request.expires_at(now),
        now=now,
    )


def failed(order: PaymentOrder, *, payment_id: PaymentId, failure_code: str, now: datetime) -> Payment:
    """The payment that was refused for lack of funds: kept, so that both parties can see that it was tried.

    It has no quote, for it has used none: the same one is good for another try.
    """
    return _first(order, PaymentStatus.FAILED, payment_id=payment_id, failure_code=failure_code, now=now)


def confirmed(
    payment: Payment, *, customer_id: UserId, fee_minor: int, now: datetime, quote_id: QuoteId | None = None
) -> Payment:
    """The requested payment, once the customer's money was moved or held. The time of a hold is the request's.

    Raises:
        PaymentStateInvalid, PaymentExpired: It does not wait for that.
    """
    must_allow(payment, PaymentAction.CONFIRM, now)
    match payment.capture:
        case CaptureMethod.AUTOMATIC:
            return _next(
                payment,
                now,
                status=PaymentStatus.CAPTURED,
                customer_id=customer_id,
                amount_captured_minor=payment.amount.amount_minor,
                fee_amount_minor=fee_minor,
                failure_code=None,
                quote_id=quote_id,
            )
        case CaptureMethod.MANUAL:
            return _next(payment, now, status=PaymentStatus.AUTHORIZED, customer_id=customer_id, failure_code=None)
        case _:
            assert_never(payment.capture)


def confirmation_failed(payment: Payment, *, failure_code: str, now: datetime) -> Payment:
    """The requested payment after a confirmation that lacked funds: it can still be confirmed.

    It gets no customer by that: a request that names nobody stays open to every customer.

    Raises:
        PaymentStateInvalid, PaymentExpired: It does not wait for a confirmation.
    """
    must_allow(payment, PaymentAction.CONFIRM, now)
    return _next(payment, now, failure_code=failure_code)


class Capture(NamedTuple):
    """What a capture takes, gives back and costs, in minor units, and the payment after it."""

    payment: Payment
    captured_minor: int
    released_minor: int
    fee_minor: int


def capture(payment: Payment, *, amount_minor: int | None, final: bool, fees: FeeSchedule, now: datetime) -> Capture:
    """Take held money: `amount_minor` (≥ 1), or all that is left. After the `final` capture the rest goes back.

    Raises:
        InvalidInput: `amount_minor` is not an amount.
        PaymentStateInvalid, PaymentExpired: There is no hold.
        CaptureAmountExceedsAuthorized: Less is left.
        CaptureLimitReached: `CAPTURES_MAX` were made.
    """
    if amount_minor is not None:
        check_amount("amount_minor", amount_minor)
    must_allow(payment, PaymentAction.CAPTURE, now)
    left = payment.amount_held_minor
    part = left if amount_minor is None else amount_minor
    if part > left:
        raise CaptureAmountExceedsAuthorized("That is more than is left to capture.", remaining=left)
    if payment.captures >= CAPTURES_MAX:
        raise CaptureLimitReached(f"A payment has at most {CAPTURES_MAX} captures.")
    fee = fee_on_capture(
        fees,
        captured_before_minor=payment.amount_captured_minor,
        part_minor=part,
        charged_minor=payment.fee_amount_minor + payment.fee_refunded_minor,
    )
    goes_on = part < left and not final
    after = _next(
        payment,
        now,
        status=PaymentStatus.PARTIALLY_CAPTURED if goes_on else PaymentStatus.CAPTURED,
        amount_captured_minor=payment.amount_captured_minor + part,
        fee_amount_minor=payment.fee_amount_minor + fee,
        captures=payment.captures + 1,
    )
    return Capture(after, part, 0 if goes_on else left - part, fee)


class Ended(NamedTuple):
    """The payment after its hold or its request ended, and what was still held for it, in minor units."""

    payment: Payment
    released_minor: int


def cancel(payment: Payment, *, now: datetime) -> Ended:
    """End a payment that nobody waits for any more; one that was captured in parts is captured then.

    Raises:
        PaymentStateInvalid, PaymentExpired: It has ended already.
    """
    must_allow(payment, PaymentAction.CANCEL, now)
    partly = payment.status is PaymentStatus.PARTIALLY_CAPTURED
    status = PaymentStatus.CAPTURED if partly else PaymentStatus.CANCELED
    return Ended(_next(payment, now, status=status), payment.amount_held_minor)


def expire(payment: Payment, *, now: datetime) -> Ended:
    """End a payment whose time is over.

    Raises:
        PaymentStateInvalid, PaymentExpired: It has ended already.
        PaymentNotDue: Its time is not over.
    """
    if payment.status not in UNFINISHED:
        raise state_refusal(payment)
    if payment.status_at(now) is payment.status:
        raise PaymentNotDue("The payment's time is not over yet.")
    return Ended(_next(payment, now, status=payment.status_at(now)), payment.amount_held_minor)


class Refunded(NamedTuple):
    """What a refund gives to the customer, and of the fee to the merchant, in minor units, and the payment after it."""

    payment: Payment
    amount_minor: int
    fee_minor: int


def refund(payment: Payment, *, amount_minor: int | None, refund_fee: bool, now: datetime) -> Refunded:
    """Give captured money back: `amount_minor` (≥ 1), or all that is left; with its share of the fee, or without.

    Raises:
        InvalidInput: `amount_minor` is not an amount.
        PaymentNotRefundable: Nothing was captured.
        RefundAmountExceedsRemaining: Less is left.
        RefundLimitReached: `REFUNDS_MAX` were made.
    """
    if amount_minor is not None:
        check_amount("amount_minor", amount_minor)
    if payment.amount_captured_minor == 0:
        raise PaymentNotRefundable("Nothing of this payment was captured.", **_standing(payment.at(now)))
    left = payment.amount_refundable_minor
    part = left if amount_minor is None else amount_minor
    if part > left or left == 0:
        raise RefundAmountExceedsRemaining("That is more than is left to refund.", remaining=left)
    if payment.refunds >= REFUNDS_MAX:
        raise RefundLimitReached(f"A payment has at most {REFUNDS_MAX} refunds.")
    with_fee = payment.amount_refunded_with_fee_minor + (part if refund_fee else 0)
    share = 0
    if refund_fee:
        share = fee_share_of_refund(
            part_minor=part,
            charged_minor=payment.fee_amount_minor + payment.fee_refunded_minor,
            returned_minor=payment.fee_refunded_minor,
            refunded_with_fee_minor=with_fee,
            captured_minor=payment.amount_captured_minor,
        )
    after = _next(
        payment,
        now,
        amount_refunded_minor=payment.amount_refunded_minor + part,
        fee_amount_minor=payment.fee_amount_minor - share,
        fee_refunded_minor=payment.fee_refunded_minor + share,
        amount_refunded_with_fee_minor=with_fee,
        refunds=payment.refunds + 1,
    )
    return Refunded(after, part, share)


def must_allow(payment: Payment, action: PaymentAction, now: datetime) -> None:
    """Check that an action can be asked of a payment now.

    Raises:
        PaymentExpired: It could, but for its time.
        PaymentStateInvalid: It cannot.
    """
    standing = payment.at(now)
    if action not in standing.allowed_actions:
        raise state_refusal(standing)


def state_refusal(standing: Payment) -> PaymentExpired | PaymentStateInvalid:
    """The refusal of a payment that stands where something cannot be done."""
    if standing.status is PaymentStatus.EXPIRED:
        return PaymentExpired("The payment's time is over.", **_standing(standing))
    return PaymentStateInvalid(f"The payment is {standing.status}.", **_standing(standing))


def _standing(payment: Payment) -> dict[str, object]:
    actions = [action.value for action in payment.allowed_actions]
    return {"current_status": payment.status.value, "allowed_actions": actions}


def _next(payment: Payment, now: datetime, **changes: object) -> Payment:
    # By another server's clock, the version before may be of a later time.
    updated_at = max(now, payment.updated_at)
    if changes.get("status") in ENDED_WITHOUT_MONEY:
        changes["reference_held_by"] = None
    return replace(payment, version=payment.version + 1, updated_at=updated_at, **changes)  # type: ignore[arg-type]  # mypy cannot tell which.


def _first(
    terms: PaymentOrder | PaymentRequest,
    status: PaymentStatus,
    *,
    payment_id: PaymentId,
    fee_minor: int = 0,
    expires_at: datetime | None = None,
    failure_code: str | None = None,
    quote_id: QuoteId | None = None,
    now: datetime,
) -> Payment:
    holds_reference = terms.reference is not None and status not in ENDED_WITHOUT_MONEY
    return Payment(
        id=payment_id,
        status=status,
        amount=terms.amount,
        capture=terms.capture,
        customer_id=terms.customer_id,
        merchant_id=terms.merchant_id,
        amount_captured_minor=terms.amount.amount_minor if status is PaymentStatus.CAPTURED else 0,
        amount_refunded_minor=0,
        fee_amount_minor=fee_minor,
        reference=terms.reference,
        description=terms.description,
        metadata=terms.metadata,
        expires_at=expires_at,
        failure_code=failure_code,
        version=1,
        created_at=now,
        updated_at=now,
        quote_id=quote_id,
        reference_held_by=terms.reference_given_by if holds_reference else None,
    )
