"""Account: debits and credits, pending and posted; what is available.

The four counters are TigerBeetle's model of an account: posted counters only grow, pending ones rise with a hold and
fall when it is captured or released. Everything else (posted, held, available) is derived.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, NewType

from gateway.domain.checks import check_id, check_type, wrong_type
from gateway.domain.errors import AccountNotEmpty, BalanceOverflow, invalid
from gateway.domain.fees import NO_FEES, FeeSchedule
from gateway.domain.immutable import immutable
from gateway.domain.money import COUNTER_MAX, CurrencyCode, currency_code
from gateway.domain.user import SYSTEM, Role, UserId

AccountId = NewType("AccountId", str)


class AccountKind(StrEnum):
    """Whose money an account counts."""

    CUSTOMER = "customer"
    MERCHANT = "merchant"
    FUNDING = "funding"  # the world outside: money enters and leaves through it
    FEES = "fees"
    EXCHANGE = "exchange"


SYSTEM_KINDS = (AccountKind.FUNDING, AccountKind.FEES, AccountKind.EXCHANGE)
MAY_BE_NEGATIVE = frozenset({AccountKind.FUNDING, AccountKind.EXCHANGE})
KIND_OF_ROLE = {Role.CUSTOMER: AccountKind.CUSTOMER, Role.MERCHANT: AccountKind.MERCHANT}


class AccountStatus(StrEnum):
    """What an account may do (docs/decisions/0044).

    Attributes:
        OPEN: Everything.
        FROZEN: It receives but does not pay.
        SUSPENDED: Its owner is disabled. It begins nothing: it neither pays nor is paid. What was begun before ends.
        SUSPENDED_FROZEN: Both; it is frozen when its owner is enabled.
        CLOSED: Nothing, for ever. It is empty.
    """

    OPEN = "open"
    FROZEN = "frozen"
    SUSPENDED = "suspended"
    SUSPENDED_FROZEN = "suspended_frozen"
    CLOSED = "closed"


_FROZEN: Final = {
    AccountStatus.OPEN: AccountStatus.FROZEN,
    AccountStatus.SUSPENDED: AccountStatus.SUSPENDED_FROZEN,
}
_SUSPENDED: Final = {
    AccountStatus.OPEN: AccountStatus.SUSPENDED,
    AccountStatus.FROZEN: AccountStatus.SUSPENDED_FROZEN,
}
_UNFROZEN: Final = {after: before for before, after in _FROZEN.items()}
_RESUMED: Final = {after: before for before, after in _SUSPENDED.items()}


class AccountKey(NamedTuple):
    """The unique key of an account: owner, currency and kind."""

    owner_id: UserId
    currency: CurrencyCode
    kind: AccountKind


@immutable
class Account:
    """One owner's money in one currency. All counters are minor units ≥ 0; `version` rises by 1 at each change.

    `fees` is what the gateway keeps of payments to the account. It is a field of the account, which every payment loads
    anyway (docs/decisions/0007). So is `managed_by`: the merchant who manages its owner, a customer who pays that
    merchant alone (docs/decisions/0047).
    """

    id: AccountId
    owner_id: UserId
    kind: AccountKind
    currency: CurrencyCode
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int
    status: AccountStatus
    version: int
    created_at: datetime
    fees: FeeSchedule = NO_FEES
    managed_by: UserId | None = None

    @property
    def key(self) -> AccountKey:
        """The unique key of the account."""
        return AccountKey(self.owner_id, self.currency, self.kind)

    @property
    def customer_id(self) -> UserId | None:
        """The owner of a customer's account."""
        return self.owner_id if self.kind is AccountKind.CUSTOMER else None

    @property
    def merchant_id(self) -> UserId | None:
        """The owner of a merchant's account, or the merchant who manages the owner."""
        return self.owner_id if self.kind is AccountKind.MERCHANT else self.managed_by

    @property
    def posted(self) -> int:
        """What has arrived less what has left, in minor units."""
        return self.credits_posted - self.debits_posted

    @property
    def held(self) -> int:
        """What is promised to somebody and not yet taken, in minor units."""
        return self.debits_pending

    @property
    def available(self) -> int:
        """What may be spent now, in minor units."""
        return self.credits_posted - self.debits_posted - self.debits_pending

    @property
    def incoming(self) -> int:
        """What others have promised to this account, in minor units."""
        return self.credits_pending

    def changed(
        self,
        *,
        debits_pending: int = 0,
        debits_posted: int = 0,
        credits_pending: int = 0,
        credits_posted: int = 0,
        status: AccountStatus | None = None,
        fees: FeeSchedule | None = None,
    ) -> "Account":
        """The account one version on, its counters moved by these minor units.

        Raises:
            BalanceOverflow: A counter would pass `COUNTER_MAX`.
        """
        # Written out, not `dataclasses.replace`: this runs twice for each transfer, and costs a third of it.
        after = Account(
            id=self.id,
            owner_id=self.owner_id,
            kind=self.kind,
            currency=self.currency,
            debits_pending=self.debits_pending + debits_pending,
            debits_posted=self.debits_posted + debits_posted,
            credits_pending=self.credits_pending + credits_pending,
            credits_posted=self.credits_posted + credits_posted,
            status=status or self.status,
            version=self.version + 1,
            created_at=self.created_at,
            fees=self.fees if fees is None else fees,
            managed_by=self.managed_by,
        )
        if max(after.debits_pending, after.debits_posted, after.credits_pending, after.credits_posted) > COUNTER_MAX:
            raise BalanceOverflow("The account cannot count any higher.")
        return after

    def frozen(self) -> "Account":
        """The account, so that it may receive but not pay. Unchanged if it is frozen or closed."""
        return self._moved(_FROZEN)

    def unfrozen(self) -> "Account":
        """The account, so that it may pay again. Unchanged unless it is frozen."""
        return self._moved(_UNFROZEN)

    def suspended(self) -> "Account":
        """The account of a disabled user. Unchanged if it is suspended or closed."""
        return self._moved(_SUSPENDED)

    def resumed(self) -> "Account":
        """The account of a user who is enabled, as it was before it was suspended. Unchanged unless it is suspended."""
        return self._moved(_RESUMED)

    def closed(self) -> "Account":
        """The account, closed for ever. Unchanged if it is closed.

        Raises:
            AccountNotEmpty: Something is left on it, held on it, or promised to it.
        """
        if self.status is AccountStatus.CLOSED:
            return self
        if self.posted or self.held or self.incoming:
            raise AccountNotEmpty(
                "The account is not empty.", posted=self.posted, held=self.held, incoming=self.incoming
            )
        return self.changed(status=AccountStatus.CLOSED)

    def with_fee_schedule(self, fees: FeeSchedule) -> "Account":
        """The account, with this schedule for payments to it. Unchanged if it has it already."""
        return self if self.fees == fees else self.changed(fees=fees)

    def handed_over(self) -> "Account":
        """The account of a customer whom nobody manages any more. Unchanged if nobody does."""
        return self if self.managed_by is None else replace(self, managed_by=None, version=self.version + 1)

    def _moved(self, statuses: Mapping[AccountStatus, AccountStatus]) -> "Account":
        after = statuses.get(self.status)
        return self if after is None else self.changed(status=after)


def check_users_account(key: object) -> None:
    """Refuse what does not name an account that a user may have: the gateway's own are not theirs to open.

    Raises:
        InvalidInput: It is no key, its kind is the gateway's, or its owner the gateway or no id.
        UnknownCurrency: Its currency is not one of ISO 4217.
    """
    if not isinstance(key, AccountKey):
        raise wrong_type("key", "an AccountKey", key)
    check_user_id("owner_id", key.owner_id)
    currency_code(key.currency)
    check_type("kind", key.kind, AccountKind)
    if key.kind in SYSTEM_KINDS:
        raise invalid("kind", "value_invalid", f"The accounts for {key.kind} are the gateway's own.")


def check_user_id(field: str, user_id: object) -> None:
    """Refuse what is not an id that a user may have."""
    check_id(field, user_id)
    if user_id == SYSTEM:
        raise invalid(field, "value_invalid", f"The id {SYSTEM} is the gateway's own.")


def open_account(key: AccountKey, *, account_id: AccountId, now: datetime, managed_by: UserId | None = None) -> Account:
    """A new account with nothing in it, at version 1."""
    return Account(
        id=account_id,
        owner_id=key.owner_id,
        kind=key.kind,
        currency=key.currency,
        debits_pending=0,
        debits_posted=0,
        credits_pending=0,
        credits_posted=0,
        status=AccountStatus.OPEN,
        version=1,
        created_at=now,
        managed_by=managed_by,
    )


def system_account(kind: AccountKind, currency: CurrencyCode) -> AccountKey:
    """The key of one of the gateway's own accounts."""
    return AccountKey(SYSTEM, currency, kind)
