"""Create a customer whom a merchant manages."""

from dataclasses import field
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import (
    account_event,
    keys_to_open,
    merchant_must_exist,
    open_missing,
    payee_key,
    payer_key,
)
from gateway.application.commands.shared.customers import check_given, customer_event
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import check_user_id
from gateway.domain.customer import Customer, CustomerWithAccounts, ExternalId
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.money import CurrencyCode, currency_code
from gateway.domain.user import UserId


@immutable
class CreateCustomer(Command[CustomerWithAccounts]):
    """Create a customer who does not sign in and whom `merchant_id` manages, with an account in `currency`.

    `email` is canonical, as `canonical_email` returns it. `external_id` is the merchant's own name for the customer.
    Refuses: merchant_not_found, user_disabled (the merchant), external_id_taken.

    Raises:
        InvalidInput: A value is not valid, or `email` is not canonical.
    """

    result_type: ClassVar = CustomerWithAccounts

    merchant_id: UserId
    currency: CurrencyCode
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    external_id: str | None = None

    def __post_init__(self) -> None:
        check_user_id("merchant_id", self.merchant_id)
        currency_code(self.currency)
        check_given(name=self.name, email=self.email, external_id=self.external_id)

    @override
    def needs(self) -> Needs:
        """The merchant, with an account, the external id, and the gateway's own accounts."""
        payee = payee_key(self.merchant_id, self.currency)
        return Needs(
            account_keys=keys_to_open(payee),
            users=(self.merchant_id,),
            external_ids=() if self.external_id is None else (ExternalId(self.merchant_id, self.external_id),),
        )

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[CustomerWithAccounts]:
        merchant_must_exist(ledger, payee_key(self.merchant_id, self.currency))
        ledger.must_not_be_disabled(self.merchant_id)
        customer = Customer(
            id=UserId(moment.new_id("usr")),
            merchant_id=self.merchant_id,
            name=self.name,
            email=self.email,
            external_id=self.external_id,
            created_at=moment.now,
        )
        if customer.external_key is not None:
            ledger.must_be_free_externally(customer.external_key)
        keys = keys_to_open(payer_key(customer.id, self.currency))
        accounts = open_missing(keys, ledger, moment, managed_by=self.merchant_id)
        created = CustomerWithAccounts(customer=customer, accounts=(accounts[0],))
        return Decision(
            outcome=created,
            customers=(customer,),
            accounts=accounts,
            events=(
                customer_event(EventType.CUSTOMER_CREATED, created, moment),
                *(account_event(EventType.ACCOUNT_OPENED, account, moment) for account in accounts),
            ),
        )
