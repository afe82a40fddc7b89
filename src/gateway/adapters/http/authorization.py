"""The authorization table: who may call each operation, with which scope, and whose objects it shows or changes.

Each operation has a row, by its name. The checks of requests, the OpenAPI document and the table in docs/access.md come
from it. An operation without a row cannot be declared.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.application.access.caller import Caller
from gateway.application.errors import RoleForbidden, ScopeMissing
from gateway.domain.member_role import ROLES_FROM, MemberRole
from gateway.domain.scope import Scope
from gateway.domain.user import Role

ANYONE: Final[frozenset[Role]] = frozenset()
"""No token is required."""
EVERY_ROLE: Final = frozenset(Role)
CUSTOMER: Final = frozenset({Role.CUSTOMER})
MERCHANT: Final = frozenset({Role.MERCHANT})
OPERATOR: Final = frozenset({Role.OPERATOR})

ADMIN: Final = MemberRole.ADMIN
DEVELOPER: Final = MemberRole.DEVELOPER
SUPPORT: Final = MemberRole.SUPPORT
VIEWER: Final = MemberRole.VIEWER


class Objects(StrEnum):
    """Whose objects an operation shows, changes or refers to. All others are answered like objects that do not exist.

    Attributes:
        NONE: It concerns nobody's objects.
        OWN: The caller's own. All operators own the webhook endpoints for all merchants.
        OWN_OR_ALL: The caller's own; for an operator, everybody's.
        PARTY: Those that the caller is a party to; for an operator, everybody's.
        ALL: Everybody's.
    """

    NONE = "-"
    OWN = "own"
    OWN_OR_ALL = "own; operators: all"
    PARTY = "as a party; operators: all"
    ALL = "all"


class Row(NamedTuple):
    """The rule of an operation.

    Attributes:
        roles: The roles that may call it; `ANYONE` needs neither a token nor a key.
        scope: The scope that an API key needs; `None` if no key may call it.
        objects: Whose objects it concerns.
        missing: The code of its answer if the object in its path, or the account in its body, belongs to somebody else
            or does not exist.
        least: The role that a member who acts for a merchant needs; `None` if members may not call it for a merchant.
    """

    roles: frozenset[Role]
    scope: Scope | None
    objects: Objects = Objects.NONE
    missing: str = ""
    least: MemberRole | None = None

    @property
    def members(self) -> frozenset[MemberRole]:
        """The roles of members who may call it for a merchant."""
        return frozenset() if self.least is None else ROLES_FROM[self.least]


PUBLIC: Final = Row(ANYONE, None)

_PAYMENT: Final = "payment_not_found"
_CUSTOMER: Final = "customer_not_found"
_ENDPOINT: Final = "webhook_endpoint_not_found"
_MEMBER: Final = "member_not_found"

TABLE: Final[Mapping[str, Row]] = {
    # Users and tokens
    "register": PUBLIC,
    "logIn": PUBLIC,
    "refresh": PUBLIC,
    "enrolSecondFactor": PUBLIC,
    "confirmSecondFactor": PUBLIC,
    "disableSecondFactor": PUBLIC,
    "logOut": Row(EVERY_ROLE, None, Objects.OWN),
    "getMe": Row(EVERY_ROLE, Scope.ACCOUNTS_READ, Objects.OWN, least=VIEWER),
    "changePassword": Row(EVERY_ROLE, None, Objects.OWN),
    "getKeySet": PUBLIC,
    "disableUser": Row(OPERATOR, None, Objects.ALL, "user_not_found"),
    "enableUser": Row(OPERATOR, None, Objects.ALL, "user_not_found"),
    "endSessions": Row(OPERATOR, None, Objects.ALL, "user_not_found"),
    # Members of a merchant: no key manages them
    "inviteMember": Row(MERCHANT, None, Objects.OWN, least=ADMIN),
    "listMembers": Row(MERCHANT, None, Objects.OWN, least=ADMIN),
    "getMember": Row(MERCHANT, None, Objects.OWN, _MEMBER, least=ADMIN),
    "changeMember": Row(MERCHANT, None, Objects.OWN, _MEMBER, least=ADMIN),
    "removeMember": Row(MERCHANT, None, Objects.OWN, _MEMBER, least=ADMIN),
    "acceptInvitation": Row(CUSTOMER | MERCHANT, None, Objects.OWN),
    "registerMember": PUBLIC,
    "listMemberships": Row(CUSTOMER | MERCHANT, None, Objects.OWN),
    "leaveMerchant": Row(CUSTOMER | MERCHANT, None, Objects.OWN, _MEMBER),
    # API keys: no key makes, shows or ends keys
    "createApiKey": Row(EVERY_ROLE, None, Objects.OWN, least=DEVELOPER),
    "listApiKeys": Row(EVERY_ROLE, None, Objects.OWN, least=VIEWER),
    "getApiKey": Row(EVERY_ROLE, None, Objects.OWN, "api_key_not_found", least=VIEWER),
    "revokeApiKey": Row(EVERY_ROLE, None, Objects.OWN, "api_key_not_found", least=DEVELOPER),
    "rotateApiKey": Row(EVERY_ROLE, None, Objects.OWN, "api_key_not_found", least=DEVELOPER),
    # Accounts, deposits and payouts
    "listAccounts": Row(EVERY_ROLE, Scope.ACCOUNTS_READ, Objects.OWN_OR_ALL, least=VIEWER),
    "openAccount": Row(CUSTOMER | MERCHANT, None, Objects.OWN, least=ADMIN),
    "getAccount": Row(EVERY_ROLE, Scope.ACCOUNTS_READ, Objects.OWN_OR_ALL, "account_not_found", least=VIEWER),
    "freezeAccount": Row(OPERATOR, None, Objects.ALL, "account_not_found"),
    "unfreezeAccount": Row(OPERATOR, None, Objects.ALL, "account_not_found"),
    "closeAccount": Row(EVERY_ROLE, None, Objects.OWN_OR_ALL, "account_not_found", least=ADMIN),
    "makeDeposit": Row(EVERY_ROLE, Scope.PAYOUTS_WRITE, Objects.OWN_OR_ALL, "account_not_found", least=ADMIN),
    "makePayout": Row(CUSTOMER | MERCHANT, Scope.PAYOUTS_WRITE, Objects.OWN, "account_not_found", least=ADMIN),
    # Payments and refunds
    "createPayments": Row(EVERY_ROLE, Scope.PAYMENTS_WRITE, Objects.OWN_OR_ALL, least=ADMIN),
    "createPayment": Row(CUSTOMER | MERCHANT, Scope.PAYMENTS_WRITE, Objects.OWN, least=ADMIN),
    "listPayments": Row(EVERY_ROLE, Scope.PAYMENTS_READ, Objects.PARTY, least=VIEWER),
    "getPayment": Row(EVERY_ROLE, Scope.PAYMENTS_READ, Objects.PARTY, _PAYMENT, least=VIEWER),
    "confirmPayment": Row(CUSTOMER, Scope.PAYMENTS_WRITE, Objects.PARTY, _PAYMENT),
    "approvePayment": Row(OPERATOR, None, Objects.ALL, _PAYMENT),
    "declinePayment": Row(OPERATOR, None, Objects.ALL, _PAYMENT),
    "capturePayment": Row(MERCHANT, Scope.PAYMENTS_WRITE, Objects.PARTY, _PAYMENT, least=ADMIN),
    "cancelPayment": Row(CUSTOMER | MERCHANT, Scope.PAYMENTS_WRITE, Objects.PARTY, _PAYMENT, least=ADMIN),
    "createRefund": Row(MERCHANT, Scope.REFUNDS_WRITE, Objects.PARTY, _PAYMENT, least=SUPPORT),
    "listRefunds": Row(EVERY_ROLE, Scope.PAYMENTS_READ, Objects.PARTY, _PAYMENT, least=VIEWER),
    "getRefund": Row(EVERY_ROLE, Scope.PAYMENTS_READ, Objects.PARTY, "refund_not_found", least=VIEWER),
    # Customers without passwords
    "createCustomer": Row(MERCHANT, Scope.CUSTOMERS_WRITE, Objects.OWN, least=ADMIN),
    "listCustomers": Row(MERCHANT, Scope.CUSTOMERS_READ, Objects.OWN, least=VIEWER),
    "getCustomer": Row(MERCHANT, Scope.CUSTOMERS_READ, Objects.OWN, _CUSTOMER, least=VIEWER),
    "changeCustomer": Row(MERCHANT, Scope.CUSTOMERS_WRITE, Objects.OWN, _CUSTOMER, least=ADMIN),
    "inviteCustomer": Row(MERCHANT, Scope.CUSTOMERS_WRITE, Objects.OWN, _CUSTOMER, least=ADMIN),
    "acceptCustomerInvitation": PUBLIC,
    # Transactions
    "createTransaction": Row(CUSTOMER, Scope.PAYMENTS_WRITE, Objects.OWN),
    "listTransactions": Row(EVERY_ROLE, Scope.TRANSACTIONS_READ, Objects.PARTY, least=VIEWER),
    "getTransaction": Row(EVERY_ROLE, Scope.TRANSACTIONS_READ, Objects.PARTY, "transaction_not_found", least=VIEWER),
    "reverseTransaction": Row(OPERATOR, None, Objects.ALL, "transaction_not_found"),
    # Exchange and fees
    "listRates": Row(EVERY_ROLE, Scope.PAYMENTS_READ, least=VIEWER),
    "setRate": Row(OPERATOR, None),
    "createQuote": Row(CUSTOMER, Scope.PAYMENTS_WRITE, Objects.OWN),
    "getQuote": Row(EVERY_ROLE, Scope.PAYMENTS_READ, Objects.OWN_OR_ALL, "quote_not_found", least=VIEWER),
    "setFees": Row(OPERATOR, None, Objects.ALL, "merchant_not_found"),
    "getFees": Row(MERCHANT | OPERATOR, Scope.ACCOUNTS_READ, Objects.OWN_OR_ALL, "merchant_not_found", least=VIEWER),
    # Events and webhooks
    "createWebhookEndpoint": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, least=DEVELOPER),
    "listWebhookEndpoints": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, least=VIEWER),
    "getWebhookEndpoint": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT, least=VIEWER),
    "changeWebhookEndpoint": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT, least=DEVELOPER),
    "deleteWebhookEndpoint": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT, least=DEVELOPER),
    "rotateWebhookSecret": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT, least=DEVELOPER),
    "testWebhookEndpoint": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT, least=DEVELOPER),
    "listDeliveries": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT, least=VIEWER),
    "replayEvents": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT, least=DEVELOPER),
    "redeliverEvent": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.PARTY, "event_not_found", least=DEVELOPER),
    "listEvents": Row(EVERY_ROLE, Scope.EVENTS_READ, Objects.PARTY, least=VIEWER),
    "streamEvents": Row(EVERY_ROLE, Scope.EVENTS_READ, Objects.PARTY, least=VIEWER),
    "getEvent": Row(EVERY_ROLE, Scope.EVENTS_READ, Objects.PARTY, "event_not_found", least=VIEWER),
    # Operations
    "listAuditRecords": Row(MERCHANT | OPERATOR, None, Objects.OWN_OR_ALL, least=ADMIN),
    "getLiveness": PUBLIC,
    "getReadiness": PUBLIC,
    "getInvariants": Row(OPERATOR, Scope.TRANSACTIONS_READ, Objects.ALL),
}
"""The rows, by the name of the operation."""


def row_of(name: str) -> Row:
    """The row of an operation.

    Raises:
        LookupError: It has none.
    """
    try:
        return TABLE[name]
    except KeyError:
        raise LookupError(f"The operation {name} has no row in the authorization table, {__file__}.") from None


def is_permitted(caller: Caller, roles: frozenset[Role], scope: Scope | None, members: frozenset[MemberRole]) -> bool:
    """Whether somebody of these roles, if they use a key with this scope, is who asks.

    A member who acts for a merchant must have one of the roles `members`.
    """
    return (
        caller.role in roles
        and (caller.scopes is None or scope in caller.scopes)
        and (caller.member is None or caller.member.role in members)
    )


def forbidden(
    caller: Caller, roles: frozenset[Role], scope: Scope | None, members: frozenset[MemberRole]
) -> RoleForbidden | ScopeMissing:
    """The refusal of a caller who is not permitted. The role comes first: no scope would help."""
    if caller.role not in roles:
        return RoleForbidden(f"A {caller.role} may not do this.")
    if caller.member is not None:
        if not members:
            return RoleForbidden("Nobody does this for a merchant: leave out Gateway-Merchant.")
        return RoleForbidden(f"This is for a member who is {' or '.join(sorted(members))}.")
    if scope is None:
        return ScopeMissing("No API key may do this: log in.", required_scope=None)
    return ScopeMissing(f"This API key does not have the scope {scope}.", required_scope=scope.value)
