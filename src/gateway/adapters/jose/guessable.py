"""Secrets that a person has made up: keyboard rows, sequences, phrases, placeholders."""

import math
import re
from typing import Final

from zxcvbn import zxcvbn

_PLACEHOLDERS: Final = re.compile(
    r"change|default|dummy|example|gateway|jwt|key|passw(or)?d|placeholder|please|replace|sample|secret|super|test"
    r"|this|token|your|12345678(90?)?|[\s_-]"
)
"""What people write where a secret belongs, and what they write between words. Something has to be left without it."""
_CHARACTERS_LEFT_MIN: Final = 24
_DISTINCT_CHARACTERS_MIN: Final = 8

_FAMOUS: Final = (
    *("lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "eiusmod", "tempor"),
    *("incididunt", "labore", "dolore", "magna", "aliqua", "supercalifragilisticexpialidocious", "expialidocious"),
    *("3.14159265358979323846264338327950288419716939937510", "314159265358979323846264338327950288419716939937510"),
)
"""What the dictionaries of zxcvbn lack. They are English."""

_STEPS_MIN: Final = 8
_DISTANCES: Final = range(1, 5)
"""`00010203`, `a1b2c3` and `aaaabbbb` go on in the same steps, from one character to the next, second, … fourth one."""

_HEXADECIMAL: Final = re.compile(r"[0-9a-f]*")
_CHARACTERS_MAX: Final = 64
_HEXADECIMAL_MAX: Final = 32
"""How many characters are looked at: the time grows faster than their number, and for digits, which also stand for
letters (`0` for `o`), faster yet."""
_DIGITS_MIN: Final = 0.75
_HEXADECIMAL_DIGITS_MIN: Final = 0.5
"""How many decimal digits the number of guesses has to have for each character. zxcvbn gives random ones 1 at most: 44
of base64 had at least 0.92 in 600 tries, 32 hexadecimal ones 0.78. Of 60 phrases and rows, some with digits for
letters, the best that its dictionaries know had 0.74."""


def can_be_guessed(secret: str) -> bool:
    """Whether a secret looks made up, so that a program that tries what people make up finds it.

    Takes up to 50 ms. Phrases in other languages than English are not known.
    """
    left = _PLACEHOLDERS.sub("", secret.lower())
    if len(left) < _CHARACTERS_LEFT_MIN or len(set(left)) < _DISTINCT_CHARACTERS_MIN or _goes_in_steps(left):
        return True
    if _HEXADECIMAL.fullmatch(left):
        return _digits_of_guesses(left[:_HEXADECIMAL_MAX]) < _HEXADECIMAL_DIGITS_MIN
    return _digits_of_guesses(left[:_CHARACTERS_MAX]) < _DIGITS_MIN


def _goes_in_steps(text: str) -> bool:
    steps = ({ord(then) - ord(now) for now, then in zip(text, text[far:], strict=False)} for far in _DISTANCES)
    return any(len(each) < _STEPS_MIN for each in steps)


def _digits_of_guesses(text: str) -> float:
    """The decimal digits of the number of guesses for each character.

    The parts alone count, not in how many ways they could be put together: of a known phrase, that is known too.
    """
    parts = zxcvbn(text, _FAMOUS, max_length=_CHARACTERS_MAX)["sequence"]
    guesses = [part["guesses"] for part in parts]  # pyright: ignore[reportTypedDictNotRequiredAccess]  # A result has it.
    return sum(map(math.log10, guesses)) / len(text)
