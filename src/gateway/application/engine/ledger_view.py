"""The read-only view of the ledger on which commands decide."""

from collections.abc import Sequence
from operator import attrgetter

from gateway.application.engine.risk import Risk
from gateway.application.ports.batch_records import AccountHolder
from gateway.application.ports.unit_of_work import Records
from gateway.domain.account import Account, AccountId, AccountKey
from gateway.domain.api_key import ApiKey
from gateway.domain.customer import Customer, ExternalId
from gateway.domain.customer_errors import CustomerNotFound, ExternalIdTaken
from gateway.domain.errors import (
    AccountNotFound,
    DuplicateReference,
    EmailTaken,
    PaymentNotFound,
    TransactionNotFound,
    UserDisabled,
    UserExists,
    UserNotFound,
)
from gateway.domain.exchange_errors import QuoteNotFound
from gateway.domain.member import Member
from gateway.domain.payment import Payment, PaymentId, PaymentReference, QuoteId
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.quote import Quote
from gateway.domain.transaction import Transaction, TransactionId
from gateway.domain.user import User, UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint
from gateway.domain.webhook_errors import WebhookEndpointNotFound


class RequiresOwnTransaction(Exception):  # noqa: N818 - it says what must be.
    """A command uses a reference, or an external id, that another command of the same batch releases.

    One statement writes the whole batch, and the unique index may see the new payment before the old one ends. Each
    command of the batch is then run alone. This needs two concurrent requests with one reference, and so is rare.
    """


class LedgerView:
    """The loaded records of a batch, with the changes of the commands decided so far."""

    __slots__ = (
        "_account_holders",
        "_account_ids",
        "_accounts",
        "_api_keys",
        "_customers",
        "_emails_taken",
        "_external_ids_given_back",
        "_external_ids_taken",
        "_members",
        "_payment_counters",
        "_payments",
        "_quotes",
        "_references_given_back",
        "_references_taken",
        "_transactions",
        "_user_ids_taken",
        "_users",
        "_webhook_endpoints",
        "risk",
    )

    def __init__(self, records: Records, risk: Risk | None = None) -> None:
        """The records, and the rules that payments are to be asked for, if there are any."""
        self.risk = risk
        self._payment_counters = {counters.customer_id: counters for counters in records.payment_counters}
        self._accounts = {account.id: account for account in records.accounts}
        self._account_ids = {account.key: account.id for account in records.accounts}
        self._payments = {payment.id: payment for payment in records.payments}
        self._transactions = {transaction.id: transaction for transaction in records.transactions}
        self._quotes = {quote.id: quote for quote in records.quotes}
        self._account_holders = set(records.account_holders)
        self._references_taken = set(records.references_taken)
        self._references_given_back = set[PaymentReference]()
        self._emails_taken = set(records.emails_taken)
        self._user_ids_taken = set(records.user_ids_taken)
        self._webhook_endpoints = {endpoint.id: endpoint for endpoint in records.webhook_endpoints}
        self._users = {user.id: user for user in records.users}
        self._api_keys = {key.id: key for key in records.api_keys}
        self._customers = {customer.id: customer for customer in records.customers}
        self._external_ids_taken = set(records.external_ids_taken)
        self._external_ids_given_back = set[ExternalId]()
        self._members = {member.id: member for member in records.members}

    def account(self, account_id: AccountId) -> Account:
        """The account with this id.

        Raises:
            AccountNotFound: It does not exist.
        """
        try:
            return self._accounts[account_id]
        except KeyError:
            raise AccountNotFound("There is no such account.") from None

    def find_account(self, key: AccountKey) -> Account | None:
        """The account of this owner, currency and kind, if it is open."""
        account_id = self._account_ids.get(key)
        return None if account_id is None else self._accounts[account_id]

    def has_account_in_another_currency(self, key: AccountKey) -> bool:
        """Whether the owner has an account of this kind in another currency; for keys of missing accounts only."""
        return AccountHolder(key.owner_id, key.kind) in self._account_holders

    def is_managed_in_another_currency(self, key: AccountKey, merchant_id: UserId) -> bool:
        """As `has_account_in_another_currency`, of an owner whom this merchant manages."""
        return AccountHolder(key.owner_id, key.kind, merchant_id) in self._account_holders

    def accounts_of(self, owner_id: UserId) -> list[Account]:
        """All accounts of an owner who is among the loaded owners, the newest first."""
        found = [account for account in self._accounts.values() if account.owner_id == owner_id]
        return sorted(found, key=attrgetter("id"), reverse=True)

    def user(self, user_id: UserId) -> User:
        """The user with this id.

        Raises:
            UserNotFound: They do not exist.
        """
        try:
            return self._users[user_id]
        except KeyError:
            raise UserNotFound("There is no such user.") from None

    def must_not_be_disabled(self, user_id: UserId) -> None:
        """Check that a user, if there is one with this id, is not disabled.

        Raises:
            UserDisabled: They are.
        """
        if self.is_disabled(user_id):
            raise UserDisabled("The user is disabled.")

    def is_disabled(self, user_id: UserId) -> bool:
        """Whether there is a user with this id, and they are disabled."""
        user = self._users.get(user_id)
        return user is not None and user.disabled_at is not None

    def payment(self, payment_id: PaymentId) -> Payment:
        """The payment with this id.

        Raises:
            PaymentNotFound: It does not exist.
        """
        try:
            return self._payments[payment_id]
        except KeyError:
            raise PaymentNotFound("There is no such payment.") from None

    def payment_counters(self, customer_id: UserId) -> PaymentCounters:
        """What a customer has paid lately, if it is counted and was loaded."""
        found = self._payment_counters.get(customer_id)
        return PaymentCounters(customer_id=customer_id, windows={}) if found is None else found

    def transaction(self, transaction_id: TransactionId) -> Transaction:
        """The transaction with this id, including its `reversed_by`.

        Raises:
            TransactionNotFound: It does not exist.
        """
        try:
            return self._transactions[transaction_id]
        except KeyError:
            raise TransactionNotFound("There is no such transaction.") from None

    def quote(self, quote_id: QuoteId) -> Quote:
        """The quote with this id.

        Raises:
            QuoteNotFound: It does not exist.
        """
        try:
            return self._quotes[quote_id]
        except KeyError:
            raise QuoteNotFound("There is no such quote.") from None

    def webhook_endpoint(self, endpoint_id: EndpointId) -> WebhookEndpoint:
        """The webhook endpoint with this id.

        Raises:
            WebhookEndpointNotFound: It does not exist.
        """
        try:
            return self._webhook_endpoints[endpoint_id]
        except KeyError:
            raise WebhookEndpointNotFound("There is no such webhook endpoint.") from None

    def find_webhook_endpoint(self, endpoint_id: EndpointId) -> WebhookEndpoint | None:
        """The webhook endpoint with this id, if it exists."""
        return self._webhook_endpoints.get(endpoint_id)

    def count_webhook_endpoints(self, owner_id: UserId) -> int:
        """The number of webhook endpoints of an owner who is among the loaded owners."""
        return sum(endpoint.owner_id == owner_id for endpoint in self._webhook_endpoints.values())

    def api_keys_of(self, owner_id: UserId) -> Sequence[ApiKey]:
        """The API keys of an owner who is among the loaded owners, ended ones too."""
        return [key for key in self._api_keys.values() if key.owner_id == owner_id]

    def find_customer(self, customer_id: UserId) -> Customer | None:
        """The customer with this id whom a merchant manages, if there is one among the loaded customers."""
        return self._customers.get(customer_id)

    def must_not_be_managed(self, user_id: UserId) -> None:
        """Check that no merchant manages a customer with this id, which is among the loaded customers.

        Raises:
            UserExists: One does.
        """
        if user_id in self._customers:
            raise UserExists("There is a user of this id already.")

    def customer_of(self, customer_id: UserId, merchant_id: UserId) -> Customer:
        """The customer with this id.

        Raises:
            CustomerNotFound: They do not exist, or another merchant manages them.
        """
        customer = self._customers.get(customer_id)
        if customer is None or customer.merchant_id != merchant_id:
            raise CustomerNotFound("There is no such customer.")
        return customer

    def must_be_free_externally(self, key: ExternalId) -> None:
        """Check that no customer of the merchant has this external id.

        Raises:
            ExternalIdTaken: A customer has it.
            RequiresOwnTransaction: A customer had it, and was changed by another command of the same batch.
        """
        if key in self._external_ids_given_back:
            raise RequiresOwnTransaction
        if key in self._external_ids_taken:
            raise ExternalIdTaken("Another customer of yours has this external id.")

    def members_of(self, merchant_id: UserId) -> Sequence[Member]:
        """The members of a merchant who is among the loaded merchants, removed ones too."""
        return [member for member in self._members.values() if member.merchant_id == merchant_id]

    def must_be_free(self, reference: PaymentReference) -> None:
        """Check that no payment has this reference.

        Raises:
            DuplicateReference: A payment has it.
            RequiresOwnTransaction: A payment had it, and was ended by another command of the same batch.
        """
        if reference in self._references_given_back:
            raise RequiresOwnTransaction
        if reference in self._references_taken:
            raise DuplicateReference("Another payment of yours at this merchant has this reference.")

    def must_be_unregistered(self, email: str, user_id: UserId) -> None:
        """Check that no user has this e-mail address or this id.

        Raises:
            EmailTaken, UserExists: A user has it.
        """
        if email in self._emails_taken:
            raise EmailTaken("Somebody has registered with this e-mail address already.")
        if user_id in self._user_ids_taken:
            raise UserExists("There is a user of this id already.")

    def must_be_registered(self, user_id: UserId) -> None:
        """Check that there is a user of this id, which is among the loaded ids.

        Raises:
            UserNotFound: There is none.
        """
        if user_id not in self._user_ids_taken:
            raise UserNotFound("There is no such user.")
