"""Effects: what a command must come to, according to the model's rules."""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Final

from gateway.domain.account import AccountKey
from gateway.domain.api_key import ApiKeyId
from gateway.domain.immutable import immutable
from gateway.domain.member import MemberId
from gateway.domain.payment import PaymentId, QuoteId
from gateway.domain.transaction import TransactionId
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId
from gateway.simulation.model_records import (
    ModelAccount,
    ModelCustomer,
    ModelEndpoint,
    ModelKey,
    ModelMember,
    ModelPayment,
    ModelQuote,
    Move,
)

REFUSALS_NOT_STORED: Final = frozenset(
    {
        "account_frozen",
        "api_key_limit_reached",
        "endpoint_limit_reached",
        "idempotency_in_progress",
        "member_limit_reached",
        "payment_not_due",
        "rate_not_found",
        "role_forbidden",
        "user_disabled",
        "validation_error",
        "webhook_endpoint_disabled",
    }
)
"""Refusals that are not stored under their key."""


@immutable
class Effect:
    """The effect that a command must have.

    Attributes:
        refusal: The code, or nothing. It may come with effects: a failed payment is stored, a request stores why.
        facts: What the refusal must tell.
        told: What the answer must tell, as `answers.told` reads it. Without it, that is the payment, or else the quote,
            or else the endpoint, or else the API key, or else the customer, or else the member.
        opened: New accounts, with nothing in them.
        changed: Accounts that changed, but for their balances.
        moves: Transfers, in their order.
        payment: The payment as it must be afterwards.
        quote: The quote as it must be afterwards, if it is new or used.
        endpoint: The webhook endpoint as it must be afterwards, if it is new, changed or deleted.
        key: The API key as it must be afterwards, if it is new or changed.
        old_key: The API key that `key` replaces, as it must be afterwards.
        keys_deleted: The API keys that make room for `key`.
        customer: The customer whom a merchant manages, as it must be afterwards, if it is new or changed.
        member: The member as they must be afterwards, if they are new or changed.
        members_deleted: The members who make room for `member`.
        transaction: The type of the transaction that the moves make.
        reverses: The earlier transaction that this transaction reverses.
        email: The address that is now taken.
        user_id: The id of a user that is now taken.
        role: Of this user.
        disabled: Users who are now disabled, or no longer.
        sessions_ended: Users whose sessions have ended.
        recorded: What the audit log records: nothing, or one action.
        events: The types of all events, in their order.
    """

    refusal: str = ""
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    told: object = None
    opened: tuple[AccountKey, ...] = ()
    changed: Mapping[AccountKey, ModelAccount] = field(default_factory=dict[AccountKey, ModelAccount])
    moves: tuple[Move, ...] = ()
    payment: ModelPayment | None = None
    quote: ModelQuote | None = None
    endpoint: ModelEndpoint | None = None
    key: ModelKey | None = None
    old_key: ModelKey | None = None
    keys_deleted: tuple[ModelKey, ...] = ()
    customer: ModelCustomer | None = None
    member: ModelMember | None = None
    members_deleted: tuple[ModelMember, ...] = ()
    transaction: str = ""
    reverses: TransactionId | None = None
    email: str = ""
    user_id: UserId | None = None
    role: str = ""
    disabled: Mapping[UserId, bool] = field(default_factory=dict[UserId, bool])
    sessions_ended: tuple[UserId, ...] = ()
    recorded: str = ""
    events: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[ModelKey, ...]:
        """All API keys as they must be afterwards."""
        return (*(each for each in (self.old_key, self.key) if each is not None), *self.keys_deleted)

    @property
    def members(self) -> tuple[ModelMember, ...]:
        """All members as they must be afterwards."""
        return (*(() if self.member is None else (self.member,)), *self.members_deleted)

    @property
    def stored(self) -> bool:
        """Whether the answer is stored under its key."""
        return self.refusal not in REFUSALS_NOT_STORED

    def named(
        self,
        payment_id: PaymentId | None,
        quote_id: QuoteId | None,
        endpoint_id: EndpointId | None = None,
        key_id: ApiKeyId | None = None,
        customer_id: UserId | None = None,
        member_id: MemberId | None = None,
    ) -> "Effect":
        """The same effect, with the ids that the gateway assigned to what is new."""
        if self.customer is not None and not self.customer.id and customer_id is not None:
            return self._of_customer(replace(self.customer, id=customer_id))
        if self.member is not None and not self.member.id and member_id is not None:
            return replace(self, member=replace(self.member, id=member_id))
        if self.key is not None and not self.key.id and key_id is not None:
            old_key = None if self.old_key is None else replace(self.old_key, replaced_by=key_id)
            return replace(self, key=replace(self.key, id=key_id), old_key=old_key)
        if self.endpoint is not None and not self.endpoint.id and endpoint_id is not None:
            return replace(self, endpoint=replace(self.endpoint, id=endpoint_id))
        return self._of_payment(payment_id, quote_id)

    def _of_payment(self, payment_id: PaymentId | None, quote_id: QuoteId | None) -> "Effect":
        payment, quote = self.payment, self.quote
        if payment is not None and not payment.id and payment_id is not None:
            payment = replace(payment, id=payment_id)
            if quote is not None:
                quote = replace(quote, payment=payment_id)
            return replace(self, payment=payment, quote=quote)
        if quote is not None and not quote.id and quote_id is not None:
            return replace(self, quote=replace(quote, id=quote_id))
        return self

    def _of_customer(self, customer: ModelCustomer) -> "Effect":
        opened = tuple(key if key.owner_id else key._replace(owner_id=customer.id) for key in self.opened)
        return replace(self, customer=customer, opened=opened)
