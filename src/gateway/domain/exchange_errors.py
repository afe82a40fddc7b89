"""Refusals about rates and quotes."""

from gateway.domain.errors import Refusal


class RateChangeTooLarge(Refusal):
    """The rate would change by more than the set share; `current_rate` tells the present one. It can be confirmed."""

    code = "rate_change_too_large"


class RateNotFound(Refusal):
    """Nobody has set a rate for these currencies, in this direction. Not kept: somebody may."""

    code = "rate_not_found"
    stored = False


class QuoteNotFound(Refusal):
    """No such quote, or none of the asker's."""

    code = "quote_not_found"


class QuoteExpired(Refusal):
    """The time of the quote is over."""

    code = "quote_expired"


class QuoteUsed(Refusal):
    """Another payment has used the quote."""

    code = "quote_used"


class QuoteAmountMismatch(Refusal):
    """The payment is over another amount than the quote's target; `target_amount` is the target."""

    code = "quote_amount_mismatch"
