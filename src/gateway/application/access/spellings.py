"""The spellings of an e-mail address that its user may be stored under."""

from gateway.application.emails import canonical_email
from gateway.application.errors import InvalidInput
from gateway.domain.user import normal_email


def spellings_of(email: str) -> tuple[str, ...]:
    """The spellings that are looked up for somebody who logs in, the one that counts first.

    Users are stored under the canonical spelling. Earlier versions stored other spellings (`gateway migrate` lists
    them); such users log in with the stored spelling only.
    """
    typed = normal_email(email)
    if typed.isascii() and "xn--" not in typed:  # Its canonical spelling is the same, if it is an address.
        return (typed,)
    try:
        canonical = canonical_email(email)
    except InvalidInput:
        return (typed,)
    return (canonical,) if typed == canonical else (typed, canonical)
