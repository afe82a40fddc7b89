"""Invite a customer whom a merchant manages to become a user of their own."""

from dataclasses import field
from datetime import timedelta
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.customers import customer_event
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_id, check_integer
from gateway.domain.customer import CustomerInvitation, CustomerWithAccounts, check_hash
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import (
    CUSTOMER_INVITATION_SECONDS_DEFAULT,
    CUSTOMER_INVITATION_SECONDS_MAX,
    CUSTOMER_INVITATION_SECONDS_MIN,
)
from gateway.domain.user import UserId


@immutable
class InviteCustomer(Command[CustomerWithAccounts]):
    """Let the customer become a user of their own with a secret, once, in the next `valid_seconds`.

    `merchant_id` is the merchant who must manage the customer. `secret_hash` is of a new secret:
    `application/customers.py` makes one. An earlier invitation ends.
    Refuses: customer_not_found, customer_joined, user_disabled (the merchant).
    """

    result_type: ClassVar = CustomerWithAccounts

    customer_id: UserId
    merchant_id: UserId
    secret_hash: bytes = field(repr=False)
    valid_seconds: int = CUSTOMER_INVITATION_SECONDS_DEFAULT

    def __post_init__(self) -> None:
        check_id("customer_id", self.customer_id)
        check_id("merchant_id", self.merchant_id)
        check_hash(self.secret_hash)
        check_integer(
            "valid_seconds", self.valid_seconds, CUSTOMER_INVITATION_SECONDS_MIN, CUSTOMER_INVITATION_SECONDS_MAX
        )

    @override
    def needs(self) -> Needs:
        return Needs(users=(self.merchant_id,), customers=(self.customer_id,), account_owners=(self.customer_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[CustomerWithAccounts]:
        before = ledger.customer_of(self.customer_id, self.merchant_id)
        ledger.must_not_be_disabled(self.merchant_id)
        expires_at = moment.now + timedelta(seconds=self.valid_seconds)
        after = before.invited(CustomerInvitation(secret_hash=self.secret_hash, expires_at=expires_at))
        shown = CustomerWithAccounts(customer=after, accounts=tuple(ledger.accounts_of(after.id)))
        return Decision(
            outcome=shown,
            customers=(after,),
            events=(customer_event(EventType.CUSTOMER_INVITED, shown, moment),),
            notes=(
                AuditNote(
                    action=AuditAction.CUSTOMER_INVITED,
                    object_id=after.id,
                    owner_id=after.merchant_id,
                    after={"merchant_id": after.merchant_id},
                ),
            ),
        )
