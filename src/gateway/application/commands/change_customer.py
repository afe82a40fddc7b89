"""Change a customer whom a merchant manages."""

from dataclasses import field
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.customers import change_note, check_given, customer_event
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.checks import check_id
from gateway.domain.customer import CustomerWithAccounts, ExternalId
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId


@immutable
class ChangeCustomer(Command[CustomerWithAccounts]):
    """Change the values that are not `None`. An empty one clears the field.

    `merchant_id` is the merchant who must manage the customer; `email` is as in `CreateCustomer`.
    Refuses: customer_not_found, customer_joined, external_id_taken.

    Raises:
        InvalidInput: A value is not valid, or `email` is not canonical.
    """

    result_type: ClassVar = CustomerWithAccounts

    customer_id: UserId
    merchant_id: UserId
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    external_id: str | None = None

    def __post_init__(self) -> None:
        check_id("customer_id", self.customer_id)
        check_id("merchant_id", self.merchant_id)
        check_given(name=self.name, email=self.email, external_id=self.external_id, may_be_empty=True)

    @override
    def needs(self) -> Needs:
        ids = (self.customer_id,)
        return Needs(
            customers=ids,
            account_owners=ids,
            external_ids=(ExternalId(self.merchant_id, self.external_id),) if self.external_id else (),
        )

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[CustomerWithAccounts]:
        before = ledger.customer_of(self.customer_id, self.merchant_id)
        after = before.changed(name=self.name, email=self.email, external_id=self.external_id)
        accounts = tuple(ledger.accounts_of(self.customer_id))
        shown = CustomerWithAccounts(customer=after, accounts=accounts)
        if after is before:
            return Decision(outcome=shown)
        if after.external_key is not None and after.external_key != before.external_key:
            ledger.must_be_free_externally(after.external_key)
        return Decision(
            outcome=shown,
            customers=(after,),
            events=(customer_event(EventType.CUSTOMER_UPDATED, shown, moment),),
            notes=(change_note(before, after),),
        )
