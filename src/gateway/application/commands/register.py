"""Register a user, with a first account."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import account_event, keys_to_open, open_missing
from gateway.application.emails import canonical_email
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.batch_records import NewUser
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import KIND_OF_ROLE, Account, AccountKey, check_user_id
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_text
from gateway.domain.errors import invalid
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import EMAIL_LENGTH_MAX, PASSWORD_HASH_LENGTH_MAX
from gateway.domain.money import CurrencyCode, currency_code
from gateway.domain.user import Role, User, UserId, check_profile


@immutable
class Registered:
    """A new user, with their account; an operator has none."""

    user: User
    accounts: tuple[Account, ...]


@immutable
class Register(Command[Registered]):
    """Create a user, and open an account in `currency`. `email` is canonical, as `canonical_email` returns it.

    Refuses: email_taken, user_exists.

    Raises:
        InvalidInput: `email` is no address, or is not canonical.
    """

    result_type: ClassVar = Registered

    user_id: UserId
    email: str
    password_hash: str
    role: Role
    name: str | None
    currency: CurrencyCode

    def __post_init__(self) -> None:
        check_user_id("user_id", self.user_id)
        check_text("email", self.email, EMAIL_LENGTH_MAX)
        check_text("password_hash", self.password_hash, PASSWORD_HASH_LENGTH_MAX)
        check_profile(self.role, self.name)
        currency_code(self.currency)
        if canonical_email(self.email) != self.email:
            raise invalid("email", "email_invalid", "Give the canonical spelling of the e-mail address.")

    @override
    def needs(self) -> Needs:
        """The e-mail address and the id, which must be free, and the accounts to open."""
        ids = (self.user_id,)
        return Needs(emails=(self.email,), user_ids=ids, customers=ids, account_keys=self._keys())

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Registered]:
        ledger.must_be_unregistered(self.email, self.user_id)
        ledger.must_not_be_managed(self.user_id)
        user = User(id=self.user_id, email=self.email, role=self.role, name=self.name, created_at=moment.now)
        accounts = open_missing(self._keys(), ledger, moment)
        return Decision(
            outcome=Registered(
                user=user, accounts=tuple(account for account in accounts if account.owner_id == user.id)
            ),
            users=(NewUser(user=user, password_hash=self.password_hash),),
            accounts=accounts,
            events=[account_event(EventType.ACCOUNT_OPENED, account, moment) for account in accounts],
            notes=(
                (AuditNote(action=AuditAction.OPERATOR_CREATED, object_id=user.id, owner_id=user.id),)
                if self.role is Role.OPERATOR
                else ()
            ),
        )

    def _keys(self) -> tuple[AccountKey, ...]:
        if self.role is Role.OPERATOR:
            return ()
        return keys_to_open(AccountKey(self.user_id, self.currency, KIND_OF_ROLE[self.role]))
