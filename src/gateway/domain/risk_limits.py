"""The gateway's own rules of risk: limits of amounts, of payments and sums over time, and of a share of the balance.

A limit is exceeded by more than it says: a payment of exactly the limit is allowed.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol, cast

from gateway.domain.checks import check_integer, check_text, check_type, wrong_type
from gateway.domain.errors import InvalidInput, Refusal, invalid
from gateway.domain.immutable import immutable
from gateway.domain.limits import RISK_COUNT_MAX, RISK_LIMITS_MAX, RISK_SUM_MINOR_MAX
from gateway.domain.money import CurrencyCode, check_amount, currency_code
from gateway.domain.payment_counters import check_window, check_windows
from gateway.domain.risk import ALLOWED, PaymentAttempt, RiskVerdict, refused, reviewed
from gateway.domain.user import Role

_PERCENT: Final = 100
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class RiskLimit(Protocol):
    """One limit."""

    @property
    def name(self) -> str:
        """The name that refusals and reviews give."""
        ...

    @property
    def window(self) -> timedelta | None:
        """The length of time in which it counts payments; `None` if it counts none."""
        ...

    def is_exceeded(self, attempt: PaymentAttempt) -> bool:
        """Whether the payment exceeds the limit."""
        ...

    def retry_at(self, attempt: PaymentAttempt) -> datetime | None:
        """When a payment that exceeds it will be within it; `None` if nobody knows."""
        ...


@immutable
class AmountLimit:
    """The largest payment in a currency: that a customer makes, or that a merchant gets. `name`: `amount.customer.USD`.

    Raises:
        InvalidInput: The role is neither, or the limit is not an amount in minor units.
        UnknownCurrency: The currency is not one of ISO 4217.
    """

    role: Role
    currency: CurrencyCode
    limit_minor: int

    window = None

    def __post_init__(self) -> None:
        check_type("role", self.role, Role)
        if self.role is Role.OPERATOR:
            raise invalid("role", "value_invalid", "Operators neither pay nor are paid.")
        currency_code(self.currency)
        check_amount("limit_minor", self.limit_minor)

    @property
    def name(self) -> str:
        """As `RiskLimit.name`."""
        return f"amount.{self.role.value}.{self.currency}"

    def is_exceeded(self, attempt: PaymentAttempt) -> bool:
        """As `RiskLimit.is_exceeded`."""
        money = attempt.paid if self.role is Role.CUSTOMER else attempt.amount
        return money.currency == self.currency and money.amount_minor > self.limit_minor

    def retry_at(self, attempt: PaymentAttempt) -> datetime | None:  # noqa: ARG002 - as the others.
        """Never."""
        return None


@immutable
class CountLimit:
    """The largest number of payments of a customer within a time, in all currencies. `name`: `count.1h`.

    Raises:
        InvalidInput: `window` is not a length of whole minutes, or the limit not 1 … `RISK_COUNT_MAX`.
    """

    window: timedelta
    limit: int

    def __post_init__(self) -> None:
        check_window("window", self.window)
        check_integer("limit", self.limit, 1, RISK_COUNT_MAX)

    @property
    def name(self) -> str:
        """As `RiskLimit.name`."""
        return f"count.{_words(self.window)}"

    def is_exceeded(self, attempt: PaymentAttempt) -> bool:
        """As `RiskLimit.is_exceeded`."""
        return attempt.counters.count(self.window, attempt.now) >= self.limit

    def retry_at(self, attempt: PaymentAttempt) -> datetime | None:
        """When enough payments have left the window."""
        return attempt.counters.count_falls_to(self.limit - 1, self.window, attempt.now)


@immutable
class SumLimit:
    """The largest sum that a customer pays in a currency within a time. `name`: `sum.USD.1d`.

    Raises:
        InvalidInput: `window` is not a length of whole minutes, or the limit not 1 … `RISK_SUM_MINOR_MAX` minor units.
        UnknownCurrency: The currency is not one of ISO 4217.
    """

    window: timedelta
    currency: CurrencyCode
    limit_minor: int

    def __post_init__(self) -> None:
        check_window("window", self.window)
        currency_code(self.currency)
        check_integer("limit_minor", self.limit_minor, 1, RISK_SUM_MINOR_MAX)

    @property
    def name(self) -> str:
        """As `RiskLimit.name`."""
        return f"sum.{self.currency}.{_words(self.window)}"

    def is_exceeded(self, attempt: PaymentAttempt) -> bool:
        """As `RiskLimit.is_exceeded`."""
        paid = attempt.paid
        if paid.currency != self.currency:
            return False
        before = attempt.counters.sum_minor(self.window, self.currency, attempt.now)
        return before + paid.amount_minor > self.limit_minor

    def retry_at(self, attempt: PaymentAttempt) -> datetime | None:
        """When enough payments have left the window; never for a payment that is larger than the limit."""
        room = self.limit_minor - attempt.paid.amount_minor
        return attempt.counters.sum_falls_to(room, self.window, self.currency, attempt.now)


@immutable
class BalanceShareLimit:
    """The largest share of their available balance that a customer pays at once. `name`: `balance_share`.

    A payment beyond the whole balance is none of its business: it lacks funds.

    Raises:
        InvalidInput: The limit is not 1 … 99 percent.
    """

    limit_percent: int

    window = None
    name = "balance_share"

    def __post_init__(self) -> None:
        check_integer("limit_percent", self.limit_percent, 1, _PERCENT - 1)

    def is_exceeded(self, attempt: PaymentAttempt) -> bool:
        """As `RiskLimit.is_exceeded`."""
        paid, available = attempt.paid.amount_minor, attempt.available_minor
        return paid <= available and paid * _PERCENT > available * self.limit_percent

    def retry_at(self, attempt: PaymentAttempt) -> datetime | None:  # noqa: ARG002 - as the others.
        """Nobody knows when there is more on the account."""
        return None


@immutable
class RiskLimits:
    """Limits that refuse payments, and limits that send them to a review. See the port `RiskRules`.

    If several are exceeded, one that refuses comes before one that reviews, and then the first of the list.

    Raises:
        InvalidInput: Something is no limit, or there are more than `RISK_LIMITS_MAX`, or more windows than
            `RISK_WINDOWS_MAX`.
    """

    refuse: Sequence[RiskLimit] = ()
    review: Sequence[RiskLimit] = ()

    def __post_init__(self) -> None:
        # Copies: who holds the lists cannot add a limit that was never checked, or whose window nobody counts.
        object.__setattr__(self, "refuse", _checked("refuse", self.refuse))
        object.__setattr__(self, "review", _checked("review", self.review))
        if len(self.refuse) + len(self.review) > RISK_LIMITS_MAX:
            raise invalid("refuse", "value_invalid", f"There may be at most {RISK_LIMITS_MAX} limits.")
        check_windows(self.windows)

    @property
    def windows(self) -> frozenset[timedelta]:
        """As `RiskRules.windows`."""
        return frozenset(limit.window for limit in (*self.refuse, *self.review) if limit.window is not None)

    def assess(self, attempt: PaymentAttempt) -> RiskVerdict:
        """As `RiskRules.assess`."""
        for limit in self.refuse:
            if limit.is_exceeded(attempt):
                return refused(limit.name, retry_at=limit.retry_at(attempt))
        for limit in self.review:
            if limit.is_exceeded(attempt):
                return reviewed(limit.name)
        return ALLOWED


RISK_LIMIT_FORMS: Final = (
    "amount.customer.USD=100000",
    "amount.merchant.USD=100000",
    "count.1h=10",
    "sum.USD.1d=500000",
    "balance_share=80",
)
"""One limit of each form that `risk_limit` reads."""


def risk_limit(text: str) -> RiskLimit:
    """Read a limit: its name, `=` and a number, for example `amount.customer.USD=100000` or `count.1h=10`.

    Raises:
        InvalidInput: It has another form, or a value is out of bounds.
        UnknownCurrency: A currency is not one of ISO 4217.
    """
    check_text("limit", text, _TEXT_LENGTH_MAX)
    found = _FORM.fullmatch(text)
    if found is None:
        raise _no_limit(text)
    name, number = found["name"].split("."), int(found["number"])
    kind, arguments = name[0], name[1:]
    try:
        return _MAKE[kind, len(arguments)](arguments, number)
    except KeyError:
        raise _no_limit(text) from None


def _no_limit(text: str) -> InvalidInput:
    forms = ", ".join(f"`{form}`" for form in RISK_LIMIT_FORMS)
    return invalid("limit", "value_invalid", f"{text!r} is no limit. Limits are written like {forms}.")


def is_risk_limit(text: str) -> bool:
    """Whether `risk_limit` reads it."""
    try:
        risk_limit(text)
    except Refusal:
        return False
    return True


_TEXT_LENGTH_MAX: Final = 64
_MEMBERS: Final = ("name", "window", "is_exceeded", "retry_at")
"""The members that a risk limit has."""
_FORM: Final = re.compile(r"(?P<name>[a-z_]+(\.[A-Za-z0-9]+)*)=(?P<number>[0-9]{1,18})")
_LENGTH: Final = re.compile(r"(?P<number>[0-9]{1,5})(?P<unit>[mhd])")
_MAKE: Final[dict[tuple[str, int], Callable[[Sequence[str], int], RiskLimit]]] = {
    ("amount", 2): lambda of, number: AmountLimit(role=_role(of[0]), currency=currency_code(of[1]), limit_minor=number),
    ("count", 1): lambda of, number: CountLimit(window=_window(of[0]), limit=number),
    ("sum", 2): lambda of, number: SumLimit(window=_window(of[1]), currency=currency_code(of[0]), limit_minor=number),
    ("balance_share", 0): lambda _, number: BalanceShareLimit(limit_percent=number),
}


def _checked(field: str, limits: object) -> tuple[RiskLimit, ...]:
    if not isinstance(limits, Sequence):
        raise wrong_type(field, "a sequence of limits", limits)
    given = cast("Sequence[object]", limits)
    for limit in given:
        if isinstance(limit, type) or not all(hasattr(limit, name) for name in _MEMBERS):
            raise wrong_type(field, "limits", limit)
    return tuple(cast("Sequence[RiskLimit]", given))


def _role(text: str) -> Role:
    return Role(text) if text in {Role.CUSTOMER, Role.MERCHANT} else Role.OPERATOR


def _window(text: str) -> timedelta:
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise invalid("window", "value_invalid", f"{text!r} is no length of time such as `10m`, `24h` or `7d`.")
    return int(found["number"]) * _UNITS[found["unit"]]


def _words(window: timedelta) -> str:
    unit = next(unit for unit in ("d", "h", "m") if not window % _UNITS[unit])
    return f"{window // _UNITS[unit]}{unit}"
