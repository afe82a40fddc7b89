"""UserWithAccounts: a user as they are shown, with all of their accounts."""

from datetime import datetime

from gateway.domain.account import Account
from gateway.domain.immutable import immutable
from gateway.domain.user import Role, User, UserId


@immutable
class UserWithAccounts:
    """A user, and all of their accounts, the newest first."""

    user: User
    accounts: tuple[Account, ...]

    @property
    def id(self) -> UserId:
        """The id of the user."""
        return self.user.id

    @property
    def created_at(self) -> datetime:
        """When the user registered."""
        return self.user.created_at

    @property
    def customer_id(self) -> UserId | None:
        """The user, if they are a customer."""
        return self.user.id if self.user.role is Role.CUSTOMER else None

    @property
    def merchant_id(self) -> UserId | None:
        """The user, if they are a merchant."""
        return self.user.id if self.user.role is Role.MERCHANT else None
