"""Answers of the gateway, as records of the model."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.application.commands.register import Registered
from gateway.application.commands.send_test_event import SentTestEvent
from gateway.application.commands.shared.payments import PaymentResult
from gateway.domain.account import Account, AccountStatus
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.customer import Customer, CustomerWithAccounts
from gateway.domain.deposit import Deposit
from gateway.domain.errors import Refusal
from gateway.domain.member import Member, MemberId
from gateway.domain.payment import CaptureMethod, Payment, PaymentId, QuoteId
from gateway.domain.payout import Payout
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction
from gateway.domain.user import UserId
from gateway.domain.user_with_accounts import UserWithAccounts
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint
from gateway.simulation.model_records import (
    BOTH_SIGN,
    ModelAccount,
    ModelCustomer,
    ModelEndpoint,
    ModelKey,
    ModelMember,
    ModelPayment,
    ModelQuote,
)


def told(outcome: object) -> object:
    """The facts in an outcome, which the rules must produce too."""
    facts = _FACTS.get(type(outcome))
    return None if facts is None else facts(outcome)


def model_account(account: Account) -> ModelAccount:
    """An account as a record of the model."""
    return ModelAccount(
        posted=account.posted,
        held=account.held,
        incoming=account.incoming,
        frozen=account.status in {AccountStatus.FROZEN, AccountStatus.SUSPENDED_FROZEN},
        suspended=account.status in {AccountStatus.SUSPENDED, AccountStatus.SUSPENDED_FROZEN},
        closed=account.status is AccountStatus.CLOSED,
        basis_points=account.fees.basis_points,
        fixed_minor=account.fees.fixed_minor,
        version=account.version,
    )


def model_payment(payment: Payment) -> ModelPayment:
    """A payment as a record of the model."""
    return ModelPayment(
        id=payment.id,
        status=payment.status.value,
        amount=payment.amount.amount_minor,
        currency=payment.amount.currency,
        manual=payment.capture is CaptureMethod.MANUAL,
        customer=payment.customer_id,
        merchant=payment.merchant_id,
        reference=payment.reference,
        expires_at=payment.expires_at,
        captured=payment.amount_captured_minor,
        refunded=payment.amount_refunded_minor,
        charged=payment.fee_amount_minor + payment.fee_refunded_minor,
        fee_returned=payment.fee_refunded_minor,
        refunded_with_fee=payment.amount_refunded_with_fee_minor,
        captures=payment.captures,
        refunds=payment.refunds,
        version=payment.version,
        quote=payment.quote_id,
        failure=payment.failure_code,
    )


def model_quote(quote: Quote) -> ModelQuote:
    """A quote as a record of the model."""
    return ModelQuote(
        id=quote.id,
        customer=quote.customer_id,
        source=quote.source.amount_minor,
        source_currency=quote.source.currency,
        target=quote.target.amount_minor,
        target_currency=quote.target.currency,
        spread=quote.spread_minor,
        expires_at=quote.expires_at,
        refundable_until=quote.refundable_until,
        spread_refund=quote.spread_refund.value,
        payment=quote.payment_id,
    )


def model_endpoint(endpoint: WebhookEndpoint) -> ModelEndpoint:
    """A webhook endpoint as a record of the model."""
    expires_at = endpoint.previous_secret_expires_at
    return ModelEndpoint(
        id=endpoint.id,
        owner=endpoint.owner_id,
        all_merchants=endpoint.all_merchants,
        url=endpoint.url,
        filters=endpoint.events,
        description=endpoint.description,
        disabled="" if endpoint.disabled_reason is None else endpoint.disabled_reason.value,
        secrets=(endpoint.secret, *(() if endpoint.previous_secret is None else (endpoint.previous_secret,))),
        rotated_at=None if expires_at is None else expires_at - BOTH_SIGN,
        told=endpoint.sequence,
        after=endpoint.after_position,
        created_at=endpoint.created_at,
        changed_at=endpoint.updated_at,
    )


def model_key(key: ApiKey) -> ModelKey:
    """An API key as a record of the model."""
    return ModelKey(
        id=key.id,
        owner=key.owner_id,
        role=key.owner_role.value,
        name=key.name,
        scopes=frozenset(scope.value for scope in key.scopes),
        secret_hash=key.secret_hash,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        replaced_by=key.replaced_by,
        told=key.sequence,
        requests_per_minute=key.requests_per_minute,
    )


def model_customer(customer: Customer) -> ModelCustomer:
    """A customer whom a merchant manages as a record of the model."""
    return ModelCustomer(
        id=customer.id,
        merchant=customer.merchant_id,
        name=customer.name,
        email=customer.email,
        external_id=customer.external_id,
        version=customer.version,
        secret_hash=None if customer.invitation is None else customer.invitation.secret_hash,
        invited_until=None if customer.invitation is None else customer.invitation.expires_at,
        joined_at=customer.joined_at,
    )


def customer_id_of(outcome: Any) -> UserId | None:
    """The customer that an outcome made, or is about."""
    return outcome.id if isinstance(outcome, CustomerWithAccounts) else None


def model_member(member: Member) -> ModelMember:
    """A member as a record of the model."""
    return ModelMember(
        id=member.id,
        merchant=member.merchant_id,
        email=member.email,
        role=member.role.value,
        inviter=member.invited_by,
        token_hash=member.token_hash,
        created_at=member.created_at,
        expires_at=member.expires_at,
        user=member.user_id,
        joined_at=member.joined_at,
        removed_at=member.removed_at,
        told=member.sequence,
    )


def member_id_of(outcome: Any) -> MemberId | None:
    """The member that an outcome made, or is about."""
    return outcome.id if isinstance(outcome, Member) else None


def key_id_of(outcome: Any) -> ApiKeyId | None:
    """The API key that an outcome made, or is about."""
    return outcome.id if isinstance(outcome, ApiKey) else None


def endpoint_id_of(outcome: Any) -> EndpointId | None:
    """The webhook endpoint that an outcome made, or is about."""
    return outcome.id if isinstance(outcome, WebhookEndpoint) else None


def ids_of(outcome: Any) -> tuple[EndpointId | None, ApiKeyId | None, UserId | None, MemberId | None]:
    """The webhook endpoint, the API key, the customer and the member that an outcome made, or is about."""
    return endpoint_id_of(outcome), key_id_of(outcome), customer_id_of(outcome), member_id_of(outcome)


def quote_id_of(outcome: Any) -> QuoteId | None:
    """The quote that an outcome made."""
    return outcome.id if isinstance(outcome, Quote) else None


def payment_id_of(outcome: Any) -> PaymentId | None:
    """The payment that an outcome made, or is about."""
    match outcome:
        case PaymentResult():
            return outcome.payment.id
        case Payment():
            return outcome.id
        case Refusal():
            return outcome.facts.get("payment_id")
        case _:
            return None


_FACTS: Final[Mapping[type[object], Callable[[Any], object]]] = {
    PaymentResult: lambda result: model_payment(result.payment),
    Payment: model_payment,
    Account: model_account,
    Quote: model_quote,
    WebhookEndpoint: model_endpoint,
    ApiKey: model_key,
    CustomerWithAccounts: lambda shown: model_customer(shown.customer),
    Member: model_member,
    Refund: lambda refund: ("refund", refund.amount.amount_minor, refund.fee_refunded_minor),
    Deposit: lambda deposit: ("deposit", deposit.amount.amount_minor),
    Payout: lambda payout: ("payout", payout.amount.amount_minor),
    Transaction: lambda transaction: (transaction.type.value, transaction.amount_minor),
    Registered: lambda registered: ("registered", len(registered.accounts)),
    UserWithAccounts: lambda shown: (
        shown.user.id,
        shown.user.status.value,
        {account.key: model_account(account) for account in shown.accounts},
    ),
    SentTestEvent: lambda sent: ("test", sent.endpoint_id, sent.created_at),
    str: lambda endpoint_id: ("deleted", endpoint_id),
}
