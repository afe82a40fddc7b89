"""Accept the invitation to become a user of one's own."""

from dataclasses import field
from operator import attrgetter
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import account_event
from gateway.application.commands.shared.customers import check_given, customer_event
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.batch_records import NewUser
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_id, check_text
from gateway.domain.customer import CustomerWithAccounts, check_hash, invitation_invalid
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import EMAIL_LENGTH_MAX, PASSWORD_HASH_LENGTH_MAX
from gateway.domain.user import Role, User, UserId
from gateway.domain.user_with_accounts import UserWithAccounts


@immutable
class AcceptCustomerInvitation(Command[UserWithAccounts]):
    """Make a user of a customer, who keeps id and accounts; the merchant no longer manages them.

    `merchant_id` is the merchant who invited them, and must not be disabled. `secret_hash` is of the secret of the
    invitation, `email` is canonical, as `canonical_email` returns it.
    Refuses: invitation_invalid, email_taken.

    Raises:
        InvalidInput: `email` is no address, or is not canonical.
    """

    result_type: ClassVar = UserWithAccounts

    customer_id: UserId
    merchant_id: UserId
    secret_hash: bytes = field(repr=False)
    email: str = field(repr=False)
    password_hash: str = field(repr=False)

    def __post_init__(self) -> None:
        check_id("customer_id", self.customer_id)
        check_id("merchant_id", self.merchant_id)
        check_hash(self.secret_hash)
        check_text("email", self.email, EMAIL_LENGTH_MAX)
        check_given(name=None, email=self.email, external_id=None)
        check_text("password_hash", self.password_hash, PASSWORD_HASH_LENGTH_MAX)

    @override
    def needs(self) -> Needs:
        """The customer with all accounts, the merchant, and the e-mail address, which must be free."""
        return Needs(
            users=(self.merchant_id,),
            customers=(self.customer_id,),
            account_owners=(self.customer_id,),
            emails=(self.email,),
        )

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[UserWithAccounts]:
        before = ledger.find_customer(self.customer_id)
        if before is None or before.merchant_id != self.merchant_id or ledger.is_disabled(self.merchant_id):
            raise invitation_invalid()
        after = before.joined(self.secret_hash, now=moment.now)
        ledger.must_be_unregistered(self.email, self.customer_id)
        # Events about the user go on counting where those about the customer, which have the same id, end.
        user = User(
            id=after.id,
            email=self.email,
            role=Role.CUSTOMER,
            name=after.name,
            created_at=moment.now,
            version=after.version + 1,
        )
        managed = [account for account in ledger.accounts_of(after.id) if account.managed_by is not None]
        accounts = sorted((account.handed_over() for account in managed), key=attrgetter("key"))
        seen_by_merchant = CustomerWithAccounts(customer=after, accounts=())
        return Decision(
            outcome=UserWithAccounts(user=user, accounts=tuple(sorted(accounts, key=attrgetter("id"), reverse=True))),
            users=(NewUser(user=user, password_hash=self.password_hash),),
            customers=(after,),
            accounts=accounts,
            accounts_handed_over=[account.id for account in accounts],
            events=(
                customer_event(EventType.CUSTOMER_JOINED, seen_by_merchant, moment),
                *(account_event(EventType.ACCOUNT_HANDED_OVER, account, moment) for account in accounts),
            ),
            notes=(
                AuditNote(
                    action=AuditAction.CUSTOMER_JOINED,
                    object_id=after.id,
                    owner_id=after.merchant_id,
                    after={"merchant_id": after.merchant_id, "accounts": len(accounts)},
                ),
            ),
        )
