"""The authorization table: who may call each operation, with which scope, and whose objects it shows or changes.

Each operation has a row, by its name. The checks of requests, the OpenAPI document and the table in docs/access.md come
from it. An operation without a row cannot be declared.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.application.access.caller import Caller
from gateway.application.errors import RoleForbidden, ScopeMissing
from gateway.domain.scope import Scope
from gateway.domain.user import Role

ANYONE: Final[frozenset[Role]] = frozenset()
"""No token is required."""
EVERY_ROLE: Final = frozenset(Role)
CUSTOMER: Final = frozenset({Role.CUSTOMER})
MERCHANT: Final = frozenset({Role.MERCHANT})
OPERATOR: Final = frozenset({Role.OPERATOR})


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
    """

    roles: frozenset[Role]
    scope: Scope | None
    objects: Objects = Objects.NONE
    missing: str = ""


PUBLIC: Final = Row(ANYONE, None)

_PAYMENT: Final = "payment_not_found"
_ENDPOINT: Final = "webhook_endpoint_not_found"

TABLE: Final[Mapping[str, Row]] = {
    # Users and tokens
    "register": PUBLIC,
    "logIn": PUBLIC,
    "refresh": PUBLIC,
    "enrolSecondFactor": PUBLIC,
    "confirmSecondFactor": PUBLIC,
    "disableSecondFactor": PUBLIC,
    "logOut": Row(EVERY_ROLE, None, Objects.OWN),
    "getMe": Row(EVERY_ROLE, Scope.ACCOUNTS_READ, Objects.OWN),
    "changePassword": Row(EVERY_ROLE, None, Objects.OWN),
    "getKeySet": PUBLIC,
    "disableUser": Row(OPERATOR, None, Objects.ALL, "user_not_found"),
    "enableUser": Row(OPERATOR, None, Objects.ALL, "user_not_found"),
    "endSessions": Row(OPERATOR, None, Objects.ALL, "user_not_found"),
    # API keys: no key makes, shows or ends keys
    "createApiKey": Row(EVERY_ROLE, None, Objects.OWN),
    "listApiKeys": Row(EVERY_ROLE, None, Objects.OWN),
    "getApiKey": Row(EVERY_ROLE, None, Objects.OWN, "api_key_not_found"),
    "revokeApiKey": Row(EVERY_ROLE, None, Objects.OWN, "api_key_not_found"),
    "rotateApiKey": Row(EVERY_ROLE, None, Objects.OWN, "api_key_not_found"),
    # Accounts, deposits and payouts
    "listAccounts": Row(EVERY_ROLE, Scope.ACCOUNTS_READ, Objects.OWN_OR_ALL),
    "openAccount": Row(CUSTOMER | MERCHANT, None, Objects.OWN),
    "getAccount": Row(EVERY_ROLE, Scope.ACCOUNTS_READ, Objects.OWN_OR_ALL, "account_not_found"),
    "freezeAccount": Row(OPERATOR, None, Objects.ALL, "account_not_found"),
    "unfreezeAccount": Row(OPERATOR, None, Objects.ALL, "account_not_found"),
    "closeAccount": Row(EVERY_ROLE, None, Objects.OWN_OR_ALL, "account_not_found"),
    "makeDeposit": Row(EVERY_ROLE, Scope.PAYOUTS_WRITE, Objects.OWN_OR_ALL, "account_not_found"),
    "makePayout": Row(CUSTOMER | MERCHANT, Scope.PAYOUTS_WRITE, Objects.OWN, "account_not_found"),
    # Payments and refunds
    "createPayments": Row(CUSTOMER | OPERATOR, Scope.PAYMENTS_WRITE, Objects.OWN_OR_ALL),
    "createPayment": Row(CUSTOMER | MERCHANT, Scope.PAYMENTS_WRITE, Objects.OWN),
    "listPayments": Row(EVERY_ROLE, Scope.PAYMENTS_READ, Objects.PARTY),
    "getPayment": Row(EVERY_ROLE, Scope.PAYMENTS_READ, Objects.PARTY, _PAYMENT),
    "confirmPayment": Row(CUSTOMER, Scope.PAYMENTS_WRITE, Objects.PARTY, _PAYMENT),
    "approvePayment": Row(OPERATOR, None, Objects.ALL, _PAYMENT),
    "declinePayment": Row(OPERATOR, None, Objects.ALL, _PAYMENT),
    "capturePayment": Row(MERCHANT, Scope.PAYMENTS_WRITE, Objects.PARTY, _PAYMENT),
    "cancelPayment": Row(CUSTOMER | MERCHANT, Scope.PAYMENTS_WRITE, Objects.PARTY, _PAYMENT),
    "createRefund": Row(MERCHANT, Scope.REFUNDS_WRITE, Objects.PARTY, _PAYMENT),
    "listRefunds": Row(EVERY_ROLE, Scope.PAYMENTS_READ, Objects.PARTY, _PAYMENT),
    "getRefund": Row(EVERY_ROLE, Scope.PAYMENTS_READ, Objects.PARTY, "refund_not_found"),
    # Transactions
    "createTransaction": Row(CUSTOMER, Scope.PAYMENTS_WRITE, Objects.OWN),
    "listTransactions": Row(EVERY_ROLE, Scope.TRANSACTIONS_READ, Objects.PARTY),
    "getTransaction": Row(EVERY_ROLE, Scope.TRANSACTIONS_READ, Objects.PARTY, "transaction_not_found"),
    "reverseTransaction": Row(OPERATOR, None, Objects.ALL, "transaction_not_found"),
    # Exchange and fees
    "listRates": Row(EVERY_ROLE, Scope.PAYMENTS_READ),
    "setRate": Row(OPERATOR, None),
    "createQuote": Row(CUSTOMER, Scope.PAYMENTS_WRITE, Objects.OWN),
    "getQuote": Row(EVERY_ROLE, Scope.PAYMENTS_READ, Objects.OWN_OR_ALL, "quote_not_found"),
    "setFees": Row(OPERATOR, None, Objects.ALL, "merchant_not_found"),
    "getFees": Row(MERCHANT | OPERATOR, Scope.ACCOUNTS_READ, Objects.OWN_OR_ALL, "merchant_not_found"),
    # Events and webhooks
    "createWebhookEndpoint": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN),
    "listWebhookEndpoints": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN),
    "getWebhookEndpoint": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT),
    "changeWebhookEndpoint": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT),
    "deleteWebhookEndpoint": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT),
    "rotateWebhookSecret": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT),
    "testWebhookEndpoint": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT),
    "listDeliveries": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT),
    "replayEvents": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.OWN, _ENDPOINT),
    "redeliverEvent": Row(MERCHANT | OPERATOR, Scope.WEBHOOKS_WRITE, Objects.PARTY, "event_not_found"),
    "listEvents": Row(EVERY_ROLE, Scope.EVENTS_READ, Objects.PARTY),
    "streamEvents": Row(EVERY_ROLE, Scope.EVENTS_READ, Objects.PARTY),
    "getEvent": Row(EVERY_ROLE, Scope.EVENTS_READ, Objects.PARTY, "event_not_found"),
    # Operations
    "listAuditRecords": Row(MERCHANT | OPERATOR, None, Objects.OWN_OR_ALL),
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


def is_permitted(caller: Caller, roles: frozenset[Role], scope: Scope | None) -> bool:
    """Whether somebody of these roles, if they use a key with this scope, is who asks."""
    return caller.role in roles and (caller.scopes is None or scope in caller.scopes)


def forbidden(caller: Caller, roles: frozenset[Role], scope: Scope | None) -> RoleForbidden | ScopeMissing:
    """The refusal of a caller who is not permitted. The role comes first: no scope would help."""
    if caller.role not in roles:
        return RoleForbidden(f"A {caller.role} may not do this.")
    if scope is None:
        return ScopeMissing("No API key may do this: log in.", required_scope=None)
    return ScopeMissing(f"This API key does not have the scope {scope}.", required_scope=scope.value)
