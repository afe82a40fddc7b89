"""The spelling of an e-mail address that its user is stored under."""

from gateway.application.emails import canonical_email
from gateway.application.errors import InvalidInput
from gateway.application.ports.users import Users
from gateway.domain.user import normal_email


async def stored_spelling(users: Users, email: str) -> str:
    """The spelling that the user of an address is stored under: the canonical spelling, or an earlier version's.

    Earlier versions stored other spellings (`gateway migrate` lists them). Such users log in with the stored spelling
    only.
    """
    typed = normal_email(email)
    try:
        canonical = canonical_email(email)
    except InvalidInput:
        return typed
    if typed != canonical and await users.by_email(typed) is not None:
        return typed
    return canonical
