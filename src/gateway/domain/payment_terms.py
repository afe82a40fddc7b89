"""Payment terms: what a customer orders or a merchant requests."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from gateway.domain.checks import check_free_text, check_id, check_integer, check_text, check_type
from gateway.domain.errors import SameAccount, invalid
from gateway.domain.immutable import immutable
from gateway.domain.limits import (
    DESCRIPTION_LENGTH_MAX,
    EXPIRES_IN_SECONDS_DEFAULT,
    EXPIRES_IN_SECONDS_MAX,
    EXPIRES_IN_SECONDS_MIN,
    REFERENCE_LENGTH_MAX,
)
from gateway.domain.metadata import checked_metadata
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod, PaymentReference, QuoteId
from gateway.domain.user import UserId


@immutable
class PaymentTerms:
    """The fields of a payment that do not change later, except for the customer.

    `expires_in_seconds` is `EXPIRES_IN_SECONDS_MIN` … `EXPIRES_IN_SECONDS_MAX`, or `None` for the default. It is the
    lifetime of a request and of a hold; a payment at once has none.

    Raises:
        InvalidInput: A field has a wrong type or is out of bounds, or a free text contains a card number.
    """

    merchant_id: UserId
    amount: Money
    reference: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    capture: CaptureMethod = CaptureMethod.AUTOMATIC
    expires_in_seconds: int | None = None

    def __post_init__(self) -> None:
        check_id("merchant_id", self.merchant_id)
        # Compared before the call, for speed: every payment runs this.
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
        """The time of expiry, for terms accepted now."""
        seconds = EXPIRES_IN_SECONDS_DEFAULT if self.expires_in_seconds is None else self.expires_in_seconds
        return now + timedelta(seconds=seconds)


@immutable
class PaymentOrder(PaymentTerms):
    """The terms of a customer who pays; with a `quote_id`, from their account in the quote's source currency.

    Raises:
        InvalidInput: A field has a wrong type or is out of bounds, or a free text contains a card number; or a payment
            at once has a lifetime, or one with a quote is a hold.
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


@immutable
class PaymentRequest(PaymentTerms):
    """The terms of a merchant who requests a payment; without a `customer_id`, any customer may confirm it.

    Raises:
        InvalidInput: A field has a wrong type or is out of bounds, or a free text contains a card number.
    """

    customer_id: UserId | None = None

    @property
    def reference_given_by(self) -> UserId:
        """The merchant, also after a customer has confirmed the request."""
        return self.merchant_id

    def __post_init__(self) -> None:
        PaymentTerms.__post_init__(self)
        if self.customer_id is not None:
            check_id("customer_id", self.customer_id)


def must_be_at_once(capture: CaptureMethod, *, field: str) -> None:
    """Check that a payment with a quote has no hold: a hold lasts for days, a rate for seconds.

    Raises:
        InvalidInput: It has; the error names `field`.
    """
    if capture is CaptureMethod.MANUAL:
        raise invalid(field, "value_invalid", "A payment with a quote is captured at once.")


def payment_to_oneself() -> SameAccount:
    """The refusal of a payment whose customer is its merchant."""
    return SameAccount("Nobody can pay themselves.")


def reference_of(terms: PaymentOrder | PaymentRequest) -> PaymentReference | None:
    """The reference that must be free for a payment on these terms, if they have one."""
    if terms.reference is None:
        return None
    return PaymentReference(terms.merchant_id, terms.reference, terms.reference_given_by)
