"""Every filter of every list of the API, with values that match much, little and nothing in a long history.

The ledger is `one_merchant.sql`: a merchant and a customer have nearly all payments, the second ones a tenth, the third
ones one each. What is rare is the oldest, so that a search for it goes through everything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from gateway.application.ports.reader import AccountFilter, PaymentFilter, Reader
from gateway.domain.money import currency_code
from gateway.domain.user import Role, UserId
from support.every_operation import EVERY_OPERATION

LEDGER: Final = Path(__file__).with_name("one_merchant.sql")
DAYS: Final = 80
PAGE_FIELDS: Final = {"limit", "cursor"}

ENDPOINT: Final = "whe_01kc3x0m5fe7v8qj2r4n6p9stk"
OPERATOR: Final = (UserId("usr_operator"), Role.OPERATOR)
MERCHANT: Final = (UserId("usr_merchant"), Role.MERCHANT)
SECOND_MERCHANT: Final = (UserId("usr_merchant2"), Role.MERCHANT)
CUSTOMER: Final = (UserId("usr_customer"), Role.CUSTOMER)
CALLERS: Final = (OPERATOR, MERCHANT, SECOND_MERCHANT, CUSTOMER)


@dataclass(frozen=True, slots=True)
class Question:
    """One look-up: who asks, and for what."""

    caller: UserId
    role: Role
    list_name: str
    path: str

    @property
    def filters(self) -> str:
        """The list and its filters, without their values: `listPayments: status`."""
        names = " and ".join(name for name, _ in parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        return f"{self.list_name}: {names}" if names else self.list_name

    @property
    def title(self) -> str:
        """For people: `operator: /payments?status=failed`."""
        return f"{self.caller.removeprefix('usr_')}: {self.path}"


def filters(begun: datetime, ids: Mapping[str, str]) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """The values of each filter, by list. The second one matches little, or nothing.

    Args:
        begun: When the ledger begins.
        ids: Of the ledger: `oldest` payment, `dollars`, `euros` and `yen` of the merchant.
    """
    ended = begun + timedelta(days=DAYS)
    created = {
        "created_after": [
            _time(begun - timedelta(hours=1)),
            _time(ended - timedelta(hours=1)),
            _time(ended + timedelta(days=1)),
        ],
        "created_before": [_time(begun), _time(begun + timedelta(hours=1)), _time(ended)],
    }
    return {
        "listPayments": {
            "status": [
                *("captured", "failed", "canceled", "expired"),
                *("authorized", "partially_captured", "requires_confirmation"),
            ],
            "currency": ["USD", "EUR", "JPY"],
            "merchant_id": ["usr_merchant", "usr_merchant2", "usr_merchant3", "usr_none"],
            "customer_id": ["usr_customer", "usr_customer2", "usr_customer3", "usr_none"],
            "reference": ["rare", "order-100", "none"],
            **created,
        },
        "listTransactions": {
            "type": ["payment", "deposit", "payout", "hold", "capture", "release", "refund", "reversal"],
            "account_id": [ids["dollars"], ids["euros"], ids["yen"], "acc_none"],
            "payment_id": [ids["oldest"], "pay_none"],
            **created,
        },
        "listAccounts": {"currency": ["USD", "EUR", "CHF"], "owner_id": ["usr_merchant", "usr_none"]},
        "listEvents": {
            "type": ["payment.captured", "payment.failed", "payment.*", "refund.succeeded"],
            "object_id": [ids["oldest"], "pay_none"],
            "after": ["", "5"],
            **created,
        },
        "listAuditRecords": {
            "actor": ["usr_operator", "usr_operator2", "usr_none"],
            "action": ["session.started", "account.closed", "user.disabled"],
            "object_id": ["usr_customer", "acc_rare", "acc_none"],
            "owner_id": ["usr_customer", "usr_merchant", "usr_none"],
            **created,
        },
        "listRefunds": {},
        "listApiKeys": {},
        "listCustomers": {
            "external_id": ["c-1", "c-9", "none"],
            "email": ["rare@example.com", "many@example.com", "none@example.com"],
        },
        "listMembers": {},
        "listMemberships": {},
        "listWebhookEndpoints": {},
        "listDeliveries": {"status": ["pending", "delivered", "failed", "canceled"]},
        "listRates": {},
    }


async def ids_of(reader: Reader) -> dict[str, str]:
    """The ids of the ledger that filters need: see `filters`."""
    accounts = await reader.accounts(AccountFilter(owner_id=MERCHANT[0]), before=None, limit=10)
    by_currency = {account.currency: account.id for account in accounts}
    [oldest] = await reader.payments(PaymentFilter(merchant_id=MERCHANT[0], reference="rare"), before=None, limit=2)
    named = {"dollars": "USD", "euros": "EUR", "yen": "JPY"}
    return {"oldest": oldest.id, **{name: by_currency[currency_code(code)] for name, code in named.items()}}


def declared_filters(document: Mapping[str, Any]) -> dict[str, set[str]]:
    """The query parameters of every list in an OpenAPI document."""
    found: dict[str, set[str]] = {}
    for path in document["paths"].values():
        operation = path.get("get", {})
        parameters = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
        if "limit" in parameters or operation.get("operationId", "").startswith("list"):
            found[operation["operationId"]] = parameters - PAGE_FIELDS
    return found


def questions(values: Mapping[str, Mapping[str, Sequence[str]]], ids: Mapping[str, str]) -> Iterator[Question]:
    """Each list as everybody: without a filter, with each value of a filter, and with two filters that match little."""
    operations = {operation.name: operation for operation in EVERY_OPERATION}
    for list_name, of_list in values.items():
        operation = operations[list_name]
        path = operation.path.format(payment_id=ids["oldest"], endpoint_id=ENDPOINT)
        for caller, role in CALLERS:
            if role in operation.roles:
                for chosen in _choices(of_list):
                    yield Question(caller, role, list_name, f"{path}?{urlencode(chosen)}" if chosen else path)


def _choices(of_list: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    yield {}
    for name, values in of_list.items():
        yield from ({name: value} for value in values)
    for one, other in combinations(of_list, 2):
        yield {one: of_list[one][1], other: of_list[other][1]}


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
