"""Customers whom a merchant manages: who is created, what changes, and for whom they pay."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway.application.commands.accept_customer_invitation import AcceptCustomerInvitation
from gateway.application.commands.change_customer import ChangeCustomer
from gateway.application.commands.create_customer import CreateCustomer
from gateway.application.commands.invite_customer import InviteCustomer
from gateway.application.commands.pay import ChargeCustomer, Pay
from gateway.application.commands.request_payment import RequestPayment
from gateway.domain.account import AccountKind
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.user import UserId
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model, Refused, Rules
from gateway.simulation.model_records import ModelCustomer, customer_key, merchant_key
from gateway.simulation.rules.accounts import missing_accounts
from gateway.simulation.rules.payments import pay, request


def create(model: Model, command: CreateCustomer, now: datetime) -> Effect:
    """A merchant creates a customer, who has an account."""
    merchant = command.merchant_id
    has_account = merchant_key(merchant, command.currency) in model.accounts
    if not has_account and (merchant, AccountKind.MERCHANT) not in model.holders:
        raise Refused("merchant_not_found")
    _must_not_be_disabled(model, merchant)
    _must_be_free(model, merchant, command.external_id)
    # Its id stands in its key once the gateway has assigned one.
    opened = missing_accounts(model, customer_key(UserId(""), command.currency))
    return Effect(
        customer=ModelCustomer(
            merchant=merchant, name=command.name, email=command.email, external_id=command.external_id
        ),
        opened=opened,
        events=("customer.created", *("account.opened",) * len(opened)),
    )


def change(model: Model, command: ChangeCustomer, now: datetime) -> Effect:
    """Change what is given; an empty text clears."""
    before = model.customers.get(command.customer_id)
    if before is None or before.merchant != command.merchant_id:
        raise Refused("customer_not_found")
    if before.joined_at is not None:
        raise Refused("customer_joined")
    given = {"name": command.name, "email": command.email, "external_id": command.external_id}
    after = before
    for field, value in given.items():
        if value is not None:
            after = replace(after, **{field: value or None})  # type: ignore[arg-type]  # texts, all of them.
    if after == before:
        return Effect(told=before)
    if after.external_id != before.external_id:
        _must_be_free(model, before.merchant, after.external_id)
    after = replace(after, version=before.version + 1)
    return Effect(customer=after, recorded="customer.changed", events=("customer.updated",))


def charge(model: Model, command: ChargeCustomer, now: datetime) -> Effect:
    """The customer pays at once the merchant who manages them. Everybody else is asked."""
    asked = command.request
    customer = asked.customer_id or UserId("")
    if model.manager(customer) != asked.merchant_id:
        return request(model, RequestPayment(request=asked), now)
    if customer_key(customer, asked.amount.currency) not in model.accounts:
        raise Refused("currency_mismatch")
    if asked.capture is CaptureMethod.AUTOMATIC and asked.expires_in_seconds is not None:
        raise Refused("validation_error")
    order = PaymentOrder(
        customer_id=customer,
        merchant_id=asked.merchant_id,
        amount=asked.amount,
        reference=asked.reference,
        capture=asked.capture,
        expires_in_seconds=asked.expires_in_seconds,
    )
    return pay(model, Pay(order=order), now)


def invite(model: Model, command: InviteCustomer, now: datetime) -> Effect:
    """Invite a customer whom the merchant manages. The last invitation counts."""
    before = model.customers.get(command.customer_id)
    if before is None or before.merchant != command.merchant_id:
        raise Refused("customer_not_found")
    _must_not_be_disabled(model, before.merchant)
    if before.joined_at is not None:
        raise Refused("customer_joined")
    until = now + timedelta(seconds=command.valid_seconds)
    after = replace(before, secret_hash=command.secret_hash, invited_until=until, version=before.version + 1)
    return Effect(customer=after, recorded="customer.invited", events=("customer.invited",))


def accept(model: Model, command: AcceptCustomerInvitation, now: datetime) -> Effect:
    """The customer becomes a user, once and in time, with all of their accounts."""
    before = model.customers.get(command.customer_id)
    if before is None or before.secret_hash != command.secret_hash:
        raise Refused("invitation_invalid")
    if before.invited_until is None or before.invited_until <= now:
        raise Refused("invitation_invalid")
    if model.disabled.get(before.merchant, False):
        raise Refused("invitation_invalid")
    if command.email in model.emails:
        raise Refused("email_taken")
    after = replace(before, secret_hash=None, invited_until=None, joined_at=now, version=before.version + 1)
    keys = sorted(key for key in model.accounts if key.owner_id == before.id and key.kind is AccountKind.CUSTOMER)
    changed = {key: replace(model.accounts[key], version=model.accounts[key].version + 1) for key in keys}
    return Effect(
        customer=after,
        told=(before.id, "active", changed),
        changed=changed,
        email=command.email,
        user_id=before.id,
        recorded="customer.joined",
        events=("customer.joined", *("account.handed_over",) * len(changed)),
    )


def _must_not_be_disabled(model: Model, merchant: UserId) -> None:
    if model.disabled.get(merchant, False):
        raise Refused("user_disabled")


def _must_be_free(model: Model, merchant: UserId, external_id: str | None) -> None:
    taken = {each.external_id for each in model.customers.values() if each.merchant == merchant}
    if external_id is not None and external_id in taken:
        raise Refused("external_id_taken")


RULES: Final[Rules] = {
    CreateCustomer: create,
    ChangeCustomer: change,
    ChargeCustomer: charge,
    InviteCustomer: invite,
    AcceptCustomerInvitation: accept,
}
