"""The canonical spelling of e-mail addresses."""

import unicodedata
from typing import Final

import idna
from email_validator import EmailNotValidError, validate_email

from gateway.domain.errors import InvalidInput, invalid
from gateway.domain.limits import EMAIL_LENGTH_MAX
from gateway.domain.user import normal_email

_LETTERS_AND_DIGITS: Final[tuple[int, ...]] = tuple(idna.idnadata.codepoint_classes["PVALID"])  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - its type lacks the elements'.
"""RFC 5892: letters, digits and marks of all scripts, in lower case; nothing invisible, and no variants of others."""


def canonical_email(text: str) -> str:
    """The canonical spelling of an e-mail address. Addresses with the same one belong to the same user.

    Surrounding spaces are dropped, letters are lower case, the part before the @ is in Unicode's normal form C
    (RFC 6532, 3.1), and the domain is in Unicode, not in Punycode (RFC 5890). The function is idempotent.

    Raises:
        InvalidInput: It is not an address, is longer than `EMAIL_LENGTH_MAX`, or has characters outside ASCII before
            the @ that a domain name cannot have: invisible ones, or variants of others.
    """
    try:
        # The domain need not exist; names reserved for tests are allowed.
        found = validate_email(
            normal_email(unicodedata.normalize("NFC", text)), check_deliverability=False, test_environment=True
        )
    except (EmailNotValidError, UnicodeError, TypeError):
        raise _not_an_address() from None
    if len(found.normalized) > EMAIL_LENGTH_MAX or not all(map(_is_plain, found.local_part)):
        raise _not_an_address()
    return found.normalized


def _is_plain(character: str) -> bool:
    return character.isascii() or idna.intranges_contain(ord(character), _LETTERS_AND_DIGITS)


def _not_an_address() -> InvalidInput:
    return invalid("email", "email_invalid", "This is not an e-mail address.")
