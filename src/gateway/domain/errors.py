"""Every refusal of the domain, each with a stable code.

A refusal is an answer, not a failure: the rules were applied and said no. It knows nothing of HTTP; the HTTP adapter
keeps one table from codes to statuses.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from gateway.domain.refusal_codes import RefusalCode


class Refusal(Exception):  # noqa: N818 - it is an answer, not an error.
    """The gateway says no.

    Attributes:
        code: The stable name that clients decide on. Never reworded.
        stored: Whether the refusal is stored under the idempotency key. A refusal that may pass is not (a frozen
            account, a missing rate, a payment that is not due): the same request may be sent again.
        detail: One sentence for a person.
        facts: What a client needs to go on, for example `remaining` or `current_status`.
    """

    code: ClassVar[RefusalCode]
    stored: ClassVar[bool] = True

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class FieldError(NamedTuple):
    """What is wrong with one field.

    Attributes:
        field: Its name in Python, `amount_minor` say; empty if the whole is wrong, and no field alone.
        code: What is wrong. As stable as the codes of refusals.
        detail: One sentence for a person.
    """

    field: str
    code: str
    detail: str


class InvalidInput(Refusal, ValueError):  # noqa: N818 - as `Refusal`.
    """A value has a wrong type or is out of bounds; `errors` names each field with what is wrong."""

    code = "validation_error"
    stored = False

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        """The fields, and what is wrong with each; `detail` alone does not name them."""
        return " ".join(f"{each.field}: {each.detail}" if each.field else each.detail for each in self.errors) or (
            self.detail
        )


def invalid(field: str, code: str, detail: str) -> InvalidInput:
    """The refusal of one field."""
    return InvalidInput(detail, [FieldError(field, code, detail)])


class InsufficientFunds(Refusal):
    """The payer's available balance does not cover the amount."""

    code = "insufficient_funds"


class MerchantInsufficientFunds(Refusal):
    """The merchant's available balance does not cover the refund."""

    code = "merchant_insufficient_funds"


class AccountFrozen(Refusal):
    """A frozen account may receive but not pay."""

    code = "account_frozen"
    stored = False


class AccountClosed(Refusal):
    """A closed account neither pays nor receives, for ever."""

    code = "account_closed"


class AccountNotEmpty(Refusal):
    """Only an empty account is closed: `posted`, `held` and `incoming` tell what is on it."""

    code = "account_not_empty"


class UserDisabled(Refusal):
    """An operator has disabled the user: they do not get in, and nothing new begins on their accounts."""

    code = "user_disabled"
    stored = False


class SameAccount(Refusal):
    """Nobody pays themselves."""

    code = "same_account"


class CurrencyMismatch(Refusal):
    """One account has one currency, and money moves only within it."""

    code = "currency_mismatch"


class UnknownCurrency(Refusal):
    """Not an ISO 4217 code with minor units."""

    code = "unknown_currency"


class BalanceOverflow(Refusal):
    """A counter would pass what 64 bits hold."""

    code = "balance_overflow"


class AccountExists(Refusal):
    """The owner has an account in this currency already."""

    code = "account_exists"


class AccountNotFound(Refusal):
    """No such account, or none that the asker may know of."""

    code = "account_not_found"


class MerchantNotFound(Refusal):
    """No such merchant."""

    code = "merchant_not_found"


class UserNotFound(Refusal):
    """No such user."""

    code = "user_not_found"


class PaymentNotFound(Refusal):
    """No such payment, or none that the asker may know of."""

    code = "payment_not_found"


class TransactionNotFound(Refusal):
    """No such transaction, or none that the asker may know of."""

    code = "transaction_not_found"


class RefundNotFound(Refusal):
    """No such refund, or none that the asker may know of."""

    code = "refund_not_found"


class PaymentStateInvalid(Refusal):
    """The payment stands where this cannot be done: `current_status`, and `allowed_actions` from there."""

    code = "payment_state_invalid"


class PaymentExpired(Refusal):
    """The time of the payment was over before it came to this. The facts are the same as of `PaymentStateInvalid`."""

    code = "payment_expired"


class PaymentNotDue(Refusal):
    """The payment's time is not over yet. Not kept: later it is."""

    code = "payment_not_due"
    stored = False


class CaptureAmountExceedsAuthorized(Refusal):
    """More than is left to capture; `remaining` tells how much that is."""

    code = "capture_amount_exceeds_authorized"


class CaptureLimitReached(Refusal):
    """The payment has as many captures as one may have."""

    code = "capture_limit_reached"


class PaymentNotRefundable(Refusal):
    """Nothing of the payment was captured, or its time for refunds is over. Facts as `PaymentStateInvalid`."""

    code = "payment_not_refundable"


class RefundAmountExceedsRemaining(Refusal):
    """More than was captured and not yet refunded; `remaining` tells how much that is."""

    code = "refund_amount_exceeds_remaining"


class RefundLimitReached(Refusal):
    """The payment has as many refunds as one may have."""

    code = "refund_limit_reached"


class SameCurrency(Refusal):
    """Both currencies of an exchange are the same."""

    code = "same_currency"


class AmountTooSmall(Refusal):
    """Changed into the other currency, it is less than a minor unit."""

    code = "amount_too_small"


class AmountTooLarge(Refusal):
    """Changed into the other currency, it is more than an amount may be."""

    code = "amount_too_large"


class AlreadyReversed(Refusal):
    """The transaction was reversed before, by `reversed_by`."""

    code = "already_reversed"


class UseRefund(Refusal):
    """What belongs to a payment is taken back with a refund, or by canceling it."""

    code = "use_refund"


class TransactionNotReversible(Refusal):
    """A reversal cannot be reversed itself: the deposit or payout is made again."""

    code = "transaction_not_reversible"


class DuplicateReference(Refusal):
    """The reference names another payment already, of the same customer or of the merchant's own requests."""

    code = "duplicate_reference"


class EventNotFound(Refusal):
    """No such event, or none of the asker's."""

    code = "event_not_found"


class EmailTaken(Refusal):
    """Somebody has registered this address already."""

    code = "email_taken"


class UserExists(Refusal):
    """There is a user of this id already."""

    code = "user_exists"


class IdempotencyKeyReused(Refusal):
    """The key belongs to another request."""

    code = "idempotency_key_reused"


class IdempotencyInProgress(Refusal):
    """The first request with this key is still running."""

    code = "idempotency_in_progress"
    stored = False
