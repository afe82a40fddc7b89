"""The model's records: accounts, payments, quotes, transactions, endpoints, keys and answers, as they must be."""

from dataclasses import field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.api_key import ApiKeyId
from gateway.domain.immutable import immutable
from gateway.domain.member import MemberId
from gateway.domain.money import CurrencyCode
from gateway.domain.payment import PaymentId, QuoteId
from gateway.domain.user import SYSTEM, UserId
from gateway.domain.webhook_endpoint import EndpointId

ENDS_AS: Final = {"requires_confirmation": "expired", "authorized": "expired", "partially_captured": "captured"}
"""The status of a payment after it expires. Other statuses are final."""

ALLOWED: Final = {
    "requires_confirmation": ("confirm", "cancel"),
    "authorized": ("capture", "cancel"),
    "partially_captured": ("capture", "cancel"),
}
"""The actions that a status allows, besides refunds of what was captured."""


BOTH_SIGN: Final = timedelta(days=1)
"""How long the secret before a rotation signs, too."""


@immutable
class ModelAccount:
    """An account as it must be. Amounts are in minor units."""

    posted: int = 0
    held: int = 0
    incoming: int = 0
    frozen: bool = False
    suspended: bool = False
    closed: bool = False
    basis_points: int = 0
    fixed_minor: int = 0
    version: int = 1

    @property
    def status(self) -> str:
        """What the account may do, in one word."""
        if self.closed:
            return "closed"
        if self.suspended:
            return "suspended_frozen" if self.frozen else "suspended"
        return "frozen" if self.frozen else "open"

    @property
    def available(self) -> int:
        """The amount that the owner can spend."""
        return self.posted - self.held


@immutable
class ModelPayment:
    """A payment as it must be. `id` is empty until the gateway has assigned one; amounts are in minor units."""

    status: str
    amount: int
    currency: str
    manual: bool
    customer: UserId | None
    merchant: UserId
    reference: str | None
    expires_at: datetime | None = None
    named_by: UserId = field(default=UserId(""), compare=False)
    """The user who gave the reference. No answer shows it, but it decides whether later payments are refused."""
    id: PaymentId = PaymentId("")
    captured: int = 0
    refunded: int = 0
    charged: int = 0
    fee_returned: int = 0
    refunded_with_fee: int = 0
    captures: int = 0
    refunds: int = 0
    version: int = 1
    quote: QuoteId | None = None
    failure: str | None = None

    @property
    def held(self) -> int:
        """The amount on hold in its stored status."""
        return self.amount - self.captured if self.status in {"authorized", "partially_captured"} else 0

    def status_at(self, now: datetime) -> str:
        """Its status at a time: it expires at the moment that `now` reaches `expires_at`."""
        over = self.expires_at is not None and self.expires_at <= now
        return ENDS_AS.get(self.status, self.status) if over else self.status

    def state_facts(self, now: datetime) -> dict[str, object]:
        """The status and the actions that refusals and views show at a time."""
        return {"current_status": self.status_at(now), "allowed_actions": self.actions_at(now)}

    def actions_at(self, now: datetime) -> list[str]:
        """The actions that the payment allows at a time."""
        actions = list(ALLOWED.get(self.status_at(now), ()))
        if self.captured > self.refunded:
            actions.append("refund")
        return actions


@immutable
class ModelQuote:
    """A quote as it must be. `id` is empty until the gateway has assigned one; `payment` is the one that used it."""

    customer: UserId
    source: int
    source_currency: CurrencyCode
    target: int
    target_currency: CurrencyCode
    spread: int
    expires_at: datetime
    refundable_until: datetime | None = None
    spread_refund: str = "always"
    id: QuoteId = QuoteId("")
    payment: PaymentId | None = None

    @property
    def version(self) -> int:
        """2 after a payment has used it, otherwise 1."""
        return 1 if self.payment is None else 2


@immutable
class ModelEndpoint:
    """A webhook endpoint as it must be. `id` is empty until the gateway has assigned one.

    Attributes:
        disabled: Why nothing is sent to it: `by_owner`, `gone` or `failing`; empty while it is enabled.
        secrets: The secret that signs, and the secret before it, if there was one.
        rotated_at: When the secret was last replaced.
        told: How many events are about it.
        after: How many events had been committed when its creation was asked for.
        deleted: The model keeps what was deleted, so that nothing is sent to it unnoticed.
    """

    owner: UserId
    all_merchants: bool
    url: str = field(repr=False)
    filters: tuple[str, ...]
    description: str | None
    disabled: str
    secrets: tuple[str, ...] = field(repr=False)
    rotated_at: datetime | None = None
    told: int = 0
    after: int = 0
    created_at: datetime
    changed_at: datetime
    id: EndpointId = EndpointId("")
    deleted: bool = False

    def signing(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign at a time, the newest first."""
        is_over = self.rotated_at is None or now >= self.rotated_at + BOTH_SIGN
        return self.secrets[:1] if is_over else self.secrets

    def wants(self, event_type: str, object_id: str, merchant: UserId | None) -> bool:
        """Whether an event is for this endpoint, if it is enabled."""
        if event_type == "endpoint.test":
            return object_id == self.id
        if not self.all_merchants and merchant != self.owner:
            return False
        kind, _, _ = event_type.partition(".")
        return any(each in {"*", f"{kind}.*", event_type} for each in self.filters)


@immutable
class ModelKey:
    """An API key as it must be. `id` is empty until the gateway has assigned one.

    Attributes:
        told: How many events are about it.
        deleted: The model keeps what was deleted.
    """

    owner: UserId
    role: str
    name: str
    scopes: frozenset[str]
    secret_hash: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    replaced_by: ApiKeyId | None = None
    told: int = 1
    requests_per_minute: int | None = None
    id: ApiKeyId = ApiKeyId("")
    deleted: bool = False

    def ends(self) -> datetime | None:
        """When it ends or ended."""
        return self.revoked_at or self.expires_at


@immutable
class ModelCustomer:
    """A customer whom a merchant manages, as it must be. `id` is empty until the gateway has assigned one.

    Attributes:
        secret_hash: Of the invitation that can be accepted until `invited_until`.
        joined_at: Since when the customer is a user, whom nobody manages.
    """

    merchant: UserId
    name: str | None
    email: str | None
    external_id: str | None
    version: int = 1
    secret_hash: bytes | None = field(default=None, repr=False)
    invited_until: datetime | None = None
    joined_at: datetime | None = None
    id: UserId = UserId("")


@immutable
class ModelMember:
    """A member of a merchant, or an invitation.

    Attributes:
        told: How many events are about it.
        deleted: The model keeps what was deleted.
    """

    merchant: UserId
    email: str
    role: str
    inviter: UserId
    token_hash: bytes | None = field(repr=False)
    created_at: datetime
    expires_at: datetime | None
    user: UserId | None = None
    joined_at: datetime | None = None
    removed_at: datetime | None = None
    told: int = 1
    id: MemberId = MemberId("")
    deleted: bool = False


class Move(NamedTuple):
    """One transfer: `post`, `hold`, `post_held` or `release`."""

    kind: str
    debit: AccountKey
    credit: AccountKey
    amount: int


@immutable
class ModelTransaction:
    """A transaction that can be asked to be reversed."""

    type: str
    move: Move
    reversed: bool = False


@immutable
class ModelAnswer:
    """The answer that a key must replay."""

    fingerprint: bytes
    body: bytes
    refused: bool


def customer_key(customer: UserId, currency: Any) -> AccountKey:
    """The key of a customer's account."""
    return AccountKey(customer, currency, AccountKind.CUSTOMER)


def merchant_key(merchant: UserId, currency: Any) -> AccountKey:
    """The key of a merchant's account."""
    return AccountKey(merchant, currency, AccountKind.MERCHANT)


def own_key(kind: AccountKind, currency: Any) -> AccountKey:
    """The key of one of the gateway's own accounts."""
    return AccountKey(SYSTEM, currency, kind)
