"""Customers whom merchants manage, as they were committed. Commands create and change them, in a unit of work."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Protocol

from gateway.domain.account import Account
from gateway.domain.checks import check_id, check_text
from gateway.domain.customer import CustomerWithAccounts
from gateway.domain.immutable import immutable
from gateway.domain.limits import EMAIL_LENGTH_MAX, EXTERNAL_ID_LENGTH_MAX
from gateway.domain.user import UserId


@immutable
class CustomerFilter:
    """Which customers. `None` allows all values.

    Attributes:
        merchant_id: Who manages them.
        external_id: The merchant's own name for them.
        email: In its canonical spelling.
    """

    merchant_id: UserId | None = None
    external_id: str | None = None
    email: str | None = None

    def __post_init__(self) -> None:
        if self.merchant_id is not None:
            check_id("merchant_id", self.merchant_id)
        if self.external_id is not None:
            check_text("external_id", self.external_id, EXTERNAL_ID_LENGTH_MAX)
        if self.email is not None:
            check_text("email", self.email, EMAIL_LENGTH_MAX)


def newest_first(accounts: Iterable[Account]) -> tuple[Account, ...]:
    """Accounts in the order of `CustomerWithAccounts`."""
    return tuple(sorted(accounts, key=attrgetter("id"), reverse=True))


class StoredCustomers(Protocol):
    """Look-ups of customers, with the accounts that their merchant manages. All methods raise `StorageUnavailable`."""

    async def customer(self, customer_id: UserId) -> CustomerWithAccounts | None:
        """The customer with this id."""
        ...

    async def customers(
        self, where: CustomerFilter, *, before: UserId | None, limit: int
    ) -> Sequence[CustomerWithAccounts]:
        """A page of customers, newest first.

        Args:
            where: Which.
            before: The id of the last customer of the page before.
            limit: How many customers at most.
        """
        ...
