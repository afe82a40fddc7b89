"""Currency (ISO 4217) and Money: whole minor units of one currency."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NewType

from gateway.domain.checks import check_integer, wrong_type
from gateway.domain.errors import UnknownCurrency
from gateway.domain.iso4217 import EXPONENTS

CurrencyCode = NewType("CurrencyCode", str)
"""Three capital letters of ISO 4217, for example `"USD"`. Made by `currency_code`, so it is always a known one."""

AMOUNT_MINOR_MIN: Final = 1
AMOUNT_MINOR_MAX: Final = 999_999_999_999
COUNTER_MAX: Final = 2**63 - 1
"""The largest value of an account's counter: a signed 64-bit integer, as databases keep it."""


def check_amount(field: str, amount_minor: object) -> None:
    """Refuse what is not an amount: an integer of `AMOUNT_MINOR_MIN` to `AMOUNT_MINOR_MAX` minor units."""
    check_integer(field, amount_minor, AMOUNT_MINOR_MIN, AMOUNT_MINOR_MAX)


def currency_code(text: str) -> CurrencyCode:
    """Read a currency code.

    Raises:
        InvalidInput: `text` is no text.
        UnknownCurrency: `text` is not a code of ISO 4217 that has minor units (gold and test codes have none).
    """
    if type(text) is not str:
        raise wrong_type("currency", "text", text)
    if text not in EXPONENTS:
        raise UnknownCurrency(f"{text!r} is not an ISO 4217 currency code.")
    return CurrencyCode(text)


def exponent(currency: CurrencyCode) -> int:
    """How many decimals the minor unit is away from the major one: 2 for USD, 0 for JPY, 3 for KWD."""
    return EXPONENTS[currency]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount that can be moved: `AMOUNT_MINOR_MIN` to `AMOUNT_MINOR_MAX` minor units of one currency.

    Raises:
        InvalidInput: The amount is not an integer, or outside the bounds. A float never becomes money, nor does a bool.
        UnknownCurrency: The currency is not one of ISO 4217.
    """

    amount_minor: int
    currency: CurrencyCode

    if TYPE_CHECKING:  # Any text may be given, since it is checked; the dataclass makes the constructor.

        def __init__(self, amount_minor: int, currency: str) -> None: ...

    def __post_init__(self) -> None:
        # The comparisons first, without a call: every record with an amount is made so, and nearly all are right.
        amount_minor, currency = self.amount_minor, self.currency
        if type(amount_minor) is not int or not AMOUNT_MINOR_MIN <= amount_minor <= AMOUNT_MINOR_MAX:
            check_amount("amount_minor", amount_minor)
        if type(currency) is not str or currency not in EXPONENTS:
            currency_code(currency)

    def __str__(self) -> str:
        """The amount in major units with the code behind it, for people: `10.50 USD`."""
        decimals = exponent(self.currency)
        if decimals == 0:
            return f"{self.amount_minor} {self.currency}"
        major, minor = divmod(self.amount_minor, 10**decimals)
        return f"{major}.{minor:0{decimals}d} {self.currency}"
