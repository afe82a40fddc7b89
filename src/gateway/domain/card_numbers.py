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
_NETWORKS_OF: Final = {
    digit: tuple(network for network in NETWORKS if network.first[0] <= digit <= network.last[0]) for digit in "23456"
}
"""By the first digit of a number. Texts of many groups of digits are checked often."""

DIGITS_MIN: Final = 13
DIGITS_MAX: Final = 19
GROUP_DIGITS_MIN: Final = 3
"""The fewest digits of each group of a number except the last."""

_BLANK: Final = r"[ \u00a0\u202f]"
_DASH: Final = r"[\-\u2010-\u2013]"
_SEPARATOR: Final = r"[ \u00a0\u202f.\-\u2010-\u2013_]"
_WIDE_SEPARATOR: Final = "|".join(
    (
        rf"{_BLANK}{{2,4}}",
        rf"{_BLANK}{{1,2}}{_DASH}{_BLANK}{{1,2}}",
        "[/,]",
        rf"{_BLANK}?(?:\r?\n){{1,2}}{_BLANK}?",
    )
)
"""Between groups of digits as cards have them. Lists of other numbers are often written so."""

_FIRST: Final = r"[2-6](?<![0-9+].)"
"""The first digit, which follows no other. A telephone number begins with a plus.

The digit stands before the look at what precedes it, for speed: texts are searched for digits, not for places.
"""
_REST: Final = rf"(?:{_SEPARATOR}?[0-9]){{{DIGITS_MIN - 1},}}"
_REST_AS_ON_CARDS: Final = (
    rf"[0-9]{{3}}(?P<wide>{_WIDE_SEPARATOR})"
    r"(?:[0-9]{4}(?P=wide)[0-9]{4}(?P=wide)[0-9]{4}|[0-9]{6}(?P=wide)[0-9]{4,5})"
    r"(?![0-9])(?!(?P=wide)[0-9]{4}(?![0-9]))"
)
_DIGITS: Final = re.compile(_FIRST + _REST)
"""As many digits as the shortest card number has, perhaps in groups."""
_GROUPS: Final = re.compile(_SEPARATOR)
_AS_ON_CARDS: Final = re.compile(_FIRST + _REST_AS_ON_CARDS)
"""Groups of 4-4-4-4, 4-6-5 or 4-6-4 digits, with the same separator between them, which may be a wide one.

A further group of four digits makes them a list of other numbers.
"""
_EITHER: Final = re.compile(f"{_FIRST}(?:{_REST}|{_REST_AS_ON_CARDS})")
_FOUR_DIGITS_BEFORE: Final = re.compile(r"(?<![0-9])[0-9]{4}\Z")
_IBAN: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}"
    r"(?:(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?"
    rf"|(?P<between>{_WIDE_SEPARATOR}|{_SEPARATOR})[A-Z0-9]{{4}}(?:(?P=between)[A-Z0-9]{{4}}){{1,6}}"
    r"(?:(?P=between)[A-Z0-9]{1,3})?)(?![A-Za-z0-9])"
)
_NOT_OF_IBANS: Final = re.compile("[^A-Z0-9]")
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")
"""Each digit doubled, and the digits of the result added."""

_LETTERS_AND_DIGITS: Final = 36
"""The base in which IBANs read a letter as a number."""


def has_card_number(text: str) -> bool:
    """Whether a card number stands in a text: in one piece, in groups with one separator between them, or as on cards.

    Groups as on cards may have wider separators between them.
    """
    if _EITHER.search(text) is None:
        return False
    without_ibans = _IBAN.sub(lambda found: "" if _is_iban(found.group()) else found.group(), text)
    return any(_has_card_number_in(found.group()) for found in _DIGITS.finditer(without_ibans)) or any(
        _is_printed_card_number(found) for found in _AS_ON_CARDS.finditer(without_ibans)
    )


def _is_printed_card_number(found: re.Match[str]) -> bool:
    """Whether groups as on cards are a card number, and not the end of a list of other numbers."""
    before = found.string[: found.start()]
    separator = found["wide"]
    if before.endswith(separator) and _FOUR_DIGITS_BEFORE.search(before.removesuffix(separator)[-5:]):
        return False
    return _is_card_number(found.group().replace(separator, ""))


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
        for network in _NETWORKS_OF.get(digits[0], ())
    )


def _luhn(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    characters = digits.encode()
    total = sum(characters[-1::-2]) + sum(characters[-2::-2].translate(_DOUBLED))
    return (total - len(characters) * ord("0")) % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the check digits of an IBAN are right (ISO 13616-1)."""
    iban = _NOT_OF_IBANS.sub("", text)
    number = "".join(str(int(character, _LETTERS_AND_DIGITS)) for character in iban[4:] + iban[:4])
    return int(number) % 97 == 1
