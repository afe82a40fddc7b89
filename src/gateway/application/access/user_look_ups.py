"""Look-ups of users, for operators on the command line."""

from collections.abc import Sequence

from gateway.application.access.spellings import spellings_of
from gateway.application.ports.users import Users
from gateway.domain.checks import FIRST_INSTANT, check_text
from gateway.domain.errors import UserNotFound
from gateway.domain.limits import EMAIL_LENGTH_MAX
from gateway.domain.user import User


async def user_by_email(users: Users, email: str) -> User:
    """The user who logs in with this address.

    Raises:
        InvalidInput: It is not a text, or too long.
        UserNotFound: There is none.
    """
    check_text("email", email, EMAIL_LENGTH_MAX)
    found = await users.at_login([(spelling, "") for spelling in spellings_of(email)])
    if not found:
        raise UserNotFound("There is no such user.")
    return next(iter(found.values())).credentials.user


async def disabled_users(users: Users) -> Sequence[User]:
    """The users who are disabled, the first one first."""
    found = [await users.by_id(user_id) for user_id in await users.disabled_since(FIRST_INSTANT)]
    disabled = [each.user for each in found if each is not None and each.user.disabled_at is not None]
    return sorted(disabled, key=lambda user: (user.disabled_at or FIRST_INSTANT, user.id))
