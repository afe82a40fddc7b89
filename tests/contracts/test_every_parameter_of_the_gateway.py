"""Queries, exchange and access refuse what is not valid, with the same codes on every storage, in every parameter."""

import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from gateway.adapters.memory import MemoryWebhookSender
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.access.access import Access
from gateway.application.access.caller import Caller
from gateway.application.accounts import Accounts
from gateway.application.api_keys import ApiKeys
from gateway.application.audit_ids import audit_ids
from gateway.application.audit_queries import AuditQueries
from gateway.application.customers import Customers
from gateway.application.engine.outcome_codec import refusals
from gateway.application.events.feed import Events
from gateway.application.members import Members
from gateway.application.ports.audit_log import AuditFilter
from gateway.application.ports.customers import CustomerFilter
from gateway.application.ports.reader import AccountFilter, PaymentFilter, TransactionFilter
from gateway.application.ports.sessions import SessionId
from gateway.application.ports.storage import Storage
from gateway.application.queries import Queries
from gateway.application.quotes import Quotes
from gateway.application.recovery import Recovery
from gateway.application.second_factors import SecondFactorEnrolment
from gateway.application.webhook_deliveries import WebhookDeliveries
from gateway.application.webhooks import Webhooks
from gateway.contracts.records import EUR, NOW, USD, api_key_id, by_email, endpoint_id, member_id, quote_id
from gateway.domain.audit import Actor, ActorKind, Origin
from gateway.domain.errors import InvalidInput, Refusal
from gateway.domain.fees import FeeSchedule
from gateway.domain.rate import CurrencyPair, rate_of
from gateway.domain.refund import RefundId
from gateway.domain.transaction import TransactionId
from gateway.domain.user import Role
from support.access import an_access
from support.builders import CUSTOMER, CUSTOMER_ACCOUNT, MERCHANT, StandingClock, opened, usd
from support.hostile import VALUES

CALLER = Caller(user_id=CUSTOMER, role=Role.CUSTOMER, session_id=SessionId("ses_1"))
FILTERS = {
    "accounts": AccountFilter(),
    "payments": PaymentFilter(),
    "transactions": TransactionFilter(),
    "records": AuditFilter(),
    "customers": CustomerFilter(),
}
VALID: Mapping[str, object] = {
    "caller": CALLER,
    "account_id": CUSTOMER_ACCOUNT,
    "owner_id": CUSTOMER,
    "payment_id": "pay_1",
    "quote_id": quote_id(1),
    "refund_id": RefundId("ref_1"),
    "transaction_id": TransactionId("txn_1"),
    "merchant_id": MERCHANT,
    "customer_id": CUSTOMER,
    "confirmed": False,
    "reason": "the market moves",
    "before": None,
    "limit": 20,
    "after": 0,
    "fees": FeeSchedule(basis_points=100, fixed_minor=5),
    "pair": CurrencyPair(EUR, USD),
    "rate": rate_of("1.1"),
    "spread_basis_points": 50,
    "amount": usd(10),
    "email": "ada@example.com",
    "password": "correct horse battery",
    "role": Role.CUSTOMER,
    "owner_role": Role.CUSTOMER,
    "member": None,
    "name": "Ada",
    "currency": "USD",
    "address": "127.0.0.1",
    "refresh_token": "rt_" + "0" * 64,
    "current": "correct horse battery",
    "new": "incorrect horse battery",
    "user_id": CUSTOMER,
    "access_token": "a.b.c",
    "endpoint_id": endpoint_id(1),
    "url": "https://shop.example/webhooks",
    "events": ["payment.*"],
    "description": "orders",
    "enabled": True,
    "all_merchants": False,
    "event_id": "evt_1",
    "outcomes": [None],
    "origin": Origin(actor=Actor(kind=ActorKind.CLI, id="cli"), address="ada@host", request_id="req_1"),
    "request_id": "req_1",
    "created_from": NOW,
    "created_to": NOW + timedelta(days=1),
    "key_id": api_key_id(1),
    "scopes": ["payments:read"],
    "expires_at": None,
    "old_key_seconds": 60,
    "code": "123456",
    "requests_per_minute": 60,
    "member_id": member_id(1),
    "actor_id": None,
    "token": "gi_1",
    "external_id": None,
    "valid_seconds": 60,
    "idempotency_key": None,
}
"""An argument for each parameter of each method; `where` is a filter of the method's own."""


def parts(storage: Storage) -> list[Any]:
    access = an_access(storage, StandingClock())
    return [
        Accounts(executor=access.executor, reader=storage.reader),
        Queries(storage.reader, StandingClock()),
        Quotes(executor=access.executor, rates=storage.rates, clock=StandingClock()),
        Events(storage.events),
        Webhooks(
            executor=access.executor,
            stored=storage.webhook_endpoints,
            feed=storage.events,
            sender=MemoryWebhookSender(),
        ),
        WebhookDeliveries(
            stored=storage.deliveries,
            endpoints=storage.webhook_endpoints,
            feed=storage.events,
            clock=StandingClock(),
            identifiers=time_ordered_id,
        ),
        ApiKeys(access),
        SecondFactorEnrolment(access),
        Members(access, storage.members),
        Customers(access=access, stored=storage.customers),
        Recovery(access, storage.customers),
        AuditQueries(storage.audit_log, access.executor, StandingClock(), audit_ids(storage)),
        access,
    ]


def methods(part: object) -> dict[str, Callable[..., Any]]:
    """The coroutine methods of a part of the gateway, and those that make a command."""
    kind = part if isinstance(part, type) else type(part)
    # Asked of the class: Python 3.11.2 cannot list the members of a value with slots.
    names = [
        name
        for name, member in vars(kind).items()
        if inspect.iscoroutinefunction(member) or (inspect.isfunction(member) and name.endswith("_command"))
    ]
    return {name: getattr(part, name) for name in names if not name.startswith("_")}


async def test_whatever_stands_in_a_parameter_is_answered_or_refused_with_a_code(storage: Storage) -> None:
    await opened(storage)
    refused = answered = 0
    for part in parts(storage):
        for name, method in methods(part).items():
            valid = {each: VALID.get(each, FILTERS.get(name)) for each in inspect.signature(method).parameters}
            for parameter in valid:
                for hostile in VALUES:
                    code: str
                    try:
                        asked = method(**valid | {parameter: hostile})
                        if inspect.isawaitable(asked):
                            await asked
                    except Refusal as refusal:
                        code = refusal.code
                    else:
                        code = ""
                    assert code == "" or code in refusals(), (name, parameter, hostile)
                    refused += code == "validation_error"
                    answered += code == ""
    assert refused > answered > 0


@pytest.mark.parametrize(
    "part",
    [
        Accounts,
        Queries,
        Quotes,
        Events,
        Webhooks,
        WebhookDeliveries,
        AuditQueries,
        ApiKeys,
        SecondFactorEnrolment,
        Members,
        Customers,
        Recovery,
        Access,
    ],
)
def test_no_parameter_is_forgotten(part: type[Any]) -> None:
    parameters = {name for method in methods(part).values() for name in inspect.signature(method).parameters}
    assert parameters - {"self"} <= VALID.keys() | {"where"}
    assert methods(part)


@pytest.mark.parametrize("limit", [0, -1, 101, True, 1.0, "20", None])
async def test_a_page_of_a_list_has_1_to_100_records(storage: Storage, limit: Any) -> None:
    queries = Queries(storage.reader, StandingClock())
    for listed in (
        queries.accounts(CALLER, AccountFilter(), before=None, limit=limit),
        queries.payments(CALLER, PaymentFilter(), before=None, limit=limit),
        queries.transactions(CALLER, TransactionFilter(), before=None, limit=limit),
    ):
        with pytest.raises(InvalidInput) as refused:
            await listed
        assert [error.field for error in refused.value.errors] == ["limit"]


@pytest.mark.parametrize("role", ["operator", "admin", None, 1])
async def test_a_caller_of_no_role_sees_nothing(storage: Storage, role: Any) -> None:
    await opened(storage)
    queries = Queries(storage.reader, StandingClock())
    nobody = Caller(user_id=CUSTOMER, role=role, session_id=SessionId("ses_1"))
    with pytest.raises(InvalidInput) as refused:
        await queries.payments(nobody, PaymentFilter(), before=None, limit=10)
    assert [error.field for error in refused.value.errors] == ["role"]


@pytest.mark.parametrize("kind", [AccountFilter, PaymentFilter, TransactionFilter, AuditFilter])
def test_a_filter_with_a_wrong_type_or_out_of_bounds_cannot_be_made(kind: type[Any]) -> None:
    wrong: list[Any] = [7, True, "x" * 65, "\0", "\ud800", b"x", [], {}]
    for name in inspect.signature(kind).parameters:
        for value in wrong:
            with pytest.raises(Refusal) as refused:
                kind(**{name: value})
            assert refused.value.code in {"validation_error", "unknown_currency"}, (name, value)


async def test_a_card_number_is_no_name(storage: Storage) -> None:
    access = an_access(storage, StandingClock())
    with pytest.raises(InvalidInput) as refused:
        await access.register(
            email="ada@example.com", password="correct horse battery", role=Role.CUSTOMER, name="5555 5555 5555 4444"
        )
    assert [(error.field, error.code) for error in refused.value.errors] == [("name", "card_number")]
    assert await by_email(storage, "ada@example.com") is None
