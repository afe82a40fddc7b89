"""Card numbers in free text. Keeping one would bind the gateway to PCI DSS, so none is kept.

A card number has a prefix and a length that a card network issues, and a check digit (ISO/IEC 7812-1). Other long
numbers mostly have not: times, order numbers, IMEIs, IBANs.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple


class Issued(NamedTuple):
    """The numbers that a network issues: from one prefix to another, both of the same length, with so many digits."""

    first: str
    last: str
    lengths: frozenset[int]


def _issued(first: str, last: str, *lengths: int) -> Issued:
    return Issued(first, last, frozenset(lengths))


NETWORKS: Final[Sequence[Issued]] = (
    _issued("4", "4", 13, 16, 19),  # Visa
    _issued("51", "55", 16),  # Mastercard
    _issued("2221", "2720", 16),
    _issued("34", "34", 15),  # American Express
    _issued("37", "37", 15),
    _issued("6011", "6011", 16, 17, 18, 19),  # Discover
    _issued("644", "649", 16, 17, 18, 19),
    _issued("65", "65", 16, 17, 18, 19),
    _issued("62", "62", 16, 17, 18, 19),  # UnionPay, and Discover's 622126 to 622925
    _issued("300", "305", 14),  # Diners Club
    _issued("36", "36", 14),
    _issued("38", "39", 14),
    _issued("3528", "3589", 16, 17, 18, 19),  # JCB
    # Maestro, but for its numbers of 12 to 15 digits: too many other numbers look like these.
    _issued("5018", "5018", 16, 17, 18, 19),
    _issued("5020", "5020", 16, 17, 18, 19),
    _issued("5038", "5038", 16, 17, 18, 19),
    _issued("5893", "5893", 16, 17, 18, 19),
    _issued("6304", "6304", 16, 17, 18, 19),
    _issued("6759", "6759", 16, 17, 18, 19),
    _issued("6761", "6763", 16, 17, 18, 19),
)
DIGITS_MIN: Final = 13
DIGITS_MAX: Final = 19
GROUP_DIGITS_MIN: Final = 3
"""The fewest digits of each group of a number except the last."""

_SEPARATOR: Final = r"[ \u00a0\u202f.\-\u2010-\u2013_]"
_DIGITS: Final = re.compile(rf"(?<![0-9+])[2-6](?:{_SEPARATOR}?[0-9]){{{DIGITS_MIN - 1},}}")
"""As many digits as the shortest card number has, perhaps in groups. A telephone number begins with a plus."""
_GROUPS: Final = re.compile(_SEPARATOR)
_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_LETTERS_AND_DIGITS: Final = 36
"""The base in which IBANs read a letter as a number."""


def has_card_number(text: str) -> bool:
    """Whether a card number stands in a text: in one piece, or in groups with one separator between them."""
    if _DIGITS.search(text) is None:
        return False
    without_ibans = _IBAN.sub(lambda found: "" if _is_iban(found.group()) else found.group(), text)
    return any(_has_card_number_in(found.group()) for found in _DIGITS.finditer(without_ibans))


def _has_card_number_in(digits_and_separators: str) -> bool:
    """Whether any of the groups of digits ends a card number that begins with any of them.

    What stands before may be a number of something else, and what follows may be the card's expiry date.
    """
    groups = _GROUPS.split(digits_and_separators)
    return any(_begins_with_card_number(groups[start:]) for start in range(len(groups)))


def _begins_with_card_number(groups: Sequence[str]) -> bool:
    digits = ""
    for group in groups:
        digits += group
        if len(digits) >= DIGITS_MIN and _is_card_number(digits):
            return True
        # Cards are printed in groups of three digits at least: days, months and hours are none.
        if len(group) < GROUP_DIGITS_MIN or len(digits) >= DIGITS_MAX:
            return False
    return False


def _is_card_number(digits: str) -> bool:
    return _is_issued(digits) and _luhn(digits)


def _is_issued(digits: str) -> bool:
    """Whether a network issues numbers of this length that begin so."""
    return any(
        network.first <= digits[: len(network.first)] <= network.last and len(digits) in network.lengths
        for network in NETWORKS
    )


def _luhn(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the check digits of an IBAN are right (ISO 13616-1)."""
    iban = text.replace(" ", "")
    number = "".join(str(int(character, _LETTERS_AND_DIGITS)) for character in iban[4:] + iban[:4])
    return int(number) % 97 == 1
