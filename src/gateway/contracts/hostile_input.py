"""What every storage promises of hostile input: an answer, or an error of the ports. No driver error leaves it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import pytest

from gateway.application.ports.api_keys import StoredApiKeys
from gateway.application.ports.audit_log import AuditFilter, AuditLog
from gateway.application.ports.batch_records import AnswerKey, Payer
from gateway.application.ports.customers import CustomerFilter, StoredCustomers
from gateway.application.ports.event_cursors import EventCursors
from gateway.application.ports.login_failures import Failures, LoginFailures
from gateway.application.ports.members import StoredMembers
from gateway.application.ports.rate_budgets import RateBudgets
from gateway.application.ports.rates import Rates
from gateway.application.ports.reader import AccountFilter, PaymentFilter, Reader, TransactionFilter
from gateway.application.ports.second_factors import SecondFactors
from gateway.application.ports.sessions import SessionId, Sessions, StoredToken, Successor
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, StorageRefused, Wanted
from gateway.application.ports.users import Users
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.contracts.audit_log import a_record
from gateway.contracts.records import (
    NOW,
    a_customer,
    a_payment,
    a_quote,
    a_rate,
    a_transaction,
    a_transfer,
    a_user,
    a_webhook_endpoint,
    account_id,
    an_account,
    an_answer,
    an_api_key,
    an_event,
    an_invitation,
    commit,
    load,
    payment_counters,
    user_id,
)
from gateway.domain.account import AccountId, AccountKey, AccountKind
from gateway.domain.api_key import ApiKeyId
from gateway.domain.audit import AuditId
from gateway.domain.customer import ExternalId
from gateway.domain.event_type import EventType
from gateway.domain.member import MemberId
from gateway.domain.money import CurrencyCode
from gateway.domain.payment import PaymentId, PaymentReference, QuoteId
from gateway.domain.payment_counters import Bucket
from gateway.domain.rate import CurrencyPair
from gateway.domain.refund import RefundId
from gateway.domain.second_factor import SecondFactor
from gateway.domain.transaction import TransactionId
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId


class Hostile(NamedTuple):
    """One of each type."""

    text: str
    number: int
    moment: datetime


INPUTS: Final[Mapping[str, Hostile]] = {
    "nothing": Hostile("", 0, datetime(1970, 1, 1, tzinfo=UTC)),
    "nul": Hostile("a\0b", -1, datetime.min.replace(tzinfo=UTC)),
    "lone surrogate": Hostile("\ud800", -(2**63) - 1, datetime.max.replace(tzinfo=UTC)),
    "quotes": Hostile("'; DROP TABLE accounts; --", 2**31, NOW),
    "patterns": Hostile("%_\\", 2**63 - 1, NOW),
    "long": Hostile("x" * 10_000, 2**63, NOW),
    "longer than any number": Hostile("é🙈", 2**80, NOW),
}

Call = Callable[[Storage, Hostile], Awaitable[object]]


def _token(given: Hostile) -> StoredToken:
    return StoredToken(token_hash=given.text.encode("utf-8", "replace"), expires_at=given.moment)


CALLS: Final[Mapping[type, Mapping[str, Call]]] = {
    Users: {
        "at_login": lambda storage, given: storage.users.at_login([(given.text, given.text)]),
        "by_id": lambda storage, given: storage.users.by_id(UserId(given.text)),
        "disabled_since": lambda storage, given: storage.users.disabled_since(given.moment),
        "replace_password_hash": lambda storage, given: storage.users.replace_password_hash(
            UserId(given.text), old=given.text, new=given.text, sessions_end_at=given.moment
        ),
        "replace_email": lambda storage, given: storage.users.replace_email(
            UserId(given.text), old=given.text, new=given.text
        ),
    },
    Sessions: {
        "start": lambda storage, given: storage.sessions.start(
            SessionId(given.text),
            UserId(given.text),
            _token(given),
            password_hash=given.text,
            network=given.text,
            now=given.moment,
        ),
        "repeat": lambda storage, given: storage.sessions.repeat(
            given.text.encode("utf-8", "replace"), now=given.moment
        ),
        "rotate": lambda storage, given: storage.sessions.rotate(
            given.text.encode("utf-8", "replace"), Successor(token=_token(given), sealed=b"\0"), now=given.moment
        ),
        "revoke": lambda storage, given: storage.sessions.revoke(SessionId(given.text), now=given.moment),
        "revoke_token": lambda storage, given: storage.sessions.revoke_token(
            b"\0", UserId(given.text), now=given.moment
        ),
        "revoke_user": lambda storage, given: storage.sessions.revoke_user(UserId(given.text), now=given.moment),
        "revoked_since": lambda storage, given: storage.sessions.revoked_since(given.moment),
    },
    LoginFailures: {
        "of": lambda storage, given: storage.login_failures.of([given.text]),
        "update": lambda storage, given: storage.login_failures.update(
            [given.text], lambda _: {given.text: Failures(count=1, last_at=given.moment)}
        ),
    },
    SecondFactors: {
        "of": lambda storage, given: storage.second_factors.of(UserId(given.text)),
        "change": lambda storage, given: storage.second_factors.change(
            UserId(given.text),
            lambda _: (
                SecondFactor(user_id=UserId("usr_1"), secret="x", created_at=NOW),  # noqa: S106 - nobody's.
                None,
            ),
        ),
    },
    RateBudgets: {
        "update": lambda storage, given: storage.rate_budgets.update(given.text, lambda _full_at, _now: given.number),
    },
    EventCursors: {
        "position": lambda storage, given: storage.event_cursors.position(given.text),
        "move": lambda storage, given: storage.event_cursors.move(given.text, expected=given.number, to=given.number),
    },
    Rates: {
        "rate": lambda storage, given: storage.rates.rate(
            CurrencyPair(CurrencyCode(given.text), CurrencyCode(given.text))
        ),
        "rates": lambda storage, _: storage.rates.rates(),
        "put": lambda storage, _: storage.rates.put(a_rate()),
    },
    AuditLog: {
        "append": lambda storage, given: storage.audit_log.append(
            a_record(11, object_id=given.text, reason=given.text, after={"text": given.text, "number": given.number})
        ),
        "records": lambda storage, given: storage.audit_log.records(
            AuditFilter(), before=AuditId(given.text), limit=given.number
        ),
        "link": lambda storage, given: storage.audit_log.link(limit=given.number),
    },
    WebhookEndpoints: {
        "endpoint": lambda storage, given: storage.webhook_endpoints.endpoint(EndpointId(given.text)),
        "endpoints": lambda storage, given: storage.webhook_endpoints.endpoints(
            UserId(given.text), before=EndpointId(given.text), limit=given.number
        ),
        "enabled_for": lambda storage, given: storage.webhook_endpoints.enabled_for([UserId(given.text)]),
    },
    StoredApiKeys: {
        "key": lambda storage, given: storage.api_keys.key(ApiKeyId(given.text)),
        "keys": lambda storage, given: storage.api_keys.keys(
            UserId(given.text), before=ApiKeyId(given.text), limit=given.number
        ),
        "at_use": lambda storage, given: storage.api_keys.at_use([ApiKeyId(given.text)]),
        "ended_since": lambda storage, given: storage.api_keys.ended_since(given.moment, now=given.moment),
        "note_uses": lambda storage, given: storage.api_keys.note_uses({ApiKeyId(given.text): given.moment}),
    },
    StoredCustomers: {
        "customer": lambda storage, given: storage.customers.customer(UserId(given.text)),
        "customers": lambda storage, given: storage.customers.customers(
            CustomerFilter(), before=UserId(given.text), limit=given.number
        ),
    },
    StoredMembers: {
        "member": lambda storage, given: storage.members.member(MemberId(given.text)),
        "members": lambda storage, given: storage.members.members(
            UserId(given.text), before=MemberId(given.text), limit=given.number
        ),
        "memberships": lambda storage, given: storage.members.memberships(
            UserId(given.text), before=MemberId(given.text), limit=given.number
        ),
        "membership": lambda storage, given: storage.members.membership(UserId(given.text), UserId(given.text)),
        "invitation": lambda storage, given: storage.members.invitation(given.text.encode("utf-8", "replace")),
        "changed_since": lambda storage, given: storage.members.changed_since(given.moment),
    },
    Reader: {
        "account": lambda storage, given: storage.reader.account(AccountId(given.text)),
        "accounts": lambda storage, given: storage.reader.accounts(
            AccountFilter(), before=AccountId(given.text), limit=given.number
        ),
        "payment": lambda storage, given: storage.reader.payment(PaymentId(given.text)),
        "payments": lambda storage, given: storage.reader.payments(
            PaymentFilter(), before=PaymentId(given.text), limit=given.number
        ),
        "payments_due": lambda storage, given: storage.reader.payments_due(given.moment, limit=given.number),
        "quote": lambda storage, given: storage.reader.quote(QuoteId(given.text)),
        "refund": lambda storage, given: storage.reader.refund(RefundId(given.text)),
        "refunds": lambda storage, given: storage.reader.refunds(
            PaymentId(given.text), before=RefundId(given.text), limit=given.number
        ),
        "transaction": lambda storage, given: storage.reader.transaction(TransactionId(given.text)),
        "transactions": lambda storage, given: storage.reader.transactions(
            TransactionFilter(), before=TransactionId(given.text), limit=given.number
        ),
        "totals": lambda storage, _: storage.reader.totals(),
        "check": lambda storage, _: storage.reader.check(),
    },
}
"""A call of each method of each port that is given anything."""


def _wanted(given: Hostile) -> Iterator[Wanted]:
    text, user = given.text, UserId(given.text)
    yield Wanted(answers=[AnswerKey(user, text)])
    yield Wanted(account_keys=[AccountKey(user, CurrencyCode(text), AccountKind.CUSTOMER)])
    yield Wanted(account_keys=[AccountKey(user, CurrencyCode(text), AccountKind.CUSTOMER)], counts_payments=True)
    yield Wanted(account_ids=[AccountId(text)])
    yield Wanted(payments=[PaymentId(text)])
    yield Wanted(references=[PaymentReference(user, text, user)])
    yield Wanted(emails=[text])
    yield Wanted(user_ids=[user])
    yield Wanted(payments=[PaymentId(text)], payers=[Payer(PaymentId(text), user)])
    yield Wanted(transactions=[TransactionId(text)])
    yield Wanted(quotes=[QuoteId(text)])
    yield Wanted(webhook_endpoints=[EndpointId(text)])
    yield Wanted(webhook_owners=[user])
    yield Wanted(api_key_owners=[user])
    yield Wanted(member_merchants=[user])
    yield Wanted(users=[user])
    yield Wanted(customers=[user])
    yield Wanted(external_ids=[ExternalId(user, text)])
    yield Wanted(account_owners=[user])


def _changes(given: Hostile) -> Iterator[Changes]:
    text, user, number, moment = given.text, UserId(given.text), given.number, given.moment
    yield Changes(users_new=[a_user(11, name=text)])
    yield Changes(users_new=[a_user(12, created_at=moment)])
    yield Changes(accounts_new=[an_account(11, owner_id=user)])
    yield Changes(accounts_new=[an_account(12, credits_posted=number)])
    yield Changes(accounts_new=[an_account(13, version=number)])
    yield Changes(payments_new=[a_payment(11, description=text, metadata={text: text})])
    yield Changes(payments_new=[a_payment(12, captures=number)])
    yield Changes(payments_new=[a_payment(13, expires_at=moment)])
    yield Changes(payment_counters=[payment_counters(11, customer_id=user)])
    yield Changes(payment_counters=[payment_counters(12, version=number)])
    buckets = [Bucket(number, number, {CurrencyCode(text): number})]
    yield Changes(payment_counters=[payment_counters(13, windows={timedelta(hours=1): buckets})])
    yield Changes(quotes_new=[a_quote(11, spread_minor=number)])
    yield Changes(transactions_new=[a_transaction(11, a_transfer(account_id(8), account_id(9), amount_minor=number))])
    yield Changes(transactions_new=[a_transaction(12, description=text)])
    yield Changes(events_new=[replace(an_event(11, an_account(9), EventType.ACCOUNT_OPENED), customer_id=user)])
    yield Changes(webhook_endpoints_new=[a_webhook_endpoint(11, sequence=max(0, min(number, 2**63 - 1)))])
    yield Changes(api_keys_new=[an_api_key(11, sequence=max(0, min(number, 2**63 - 1)))])
    yield Changes(customers_new=[a_customer(11, version=max(1, min(number, 2**63 - 1)))])
    yield Changes(members_new=[an_invitation(11, sequence=max(0, min(number, 2**63 - 1)))])
    yield Changes(audit_new=[a_record(11, object_id=text, reason=text, before={text: text})])
    yield Changes(audit_new=[a_record(12, after={"number": number})])
    yield Changes(answers_new=[an_answer(text)])
    yield Changes(answers_new=[an_answer("key-9", created_at=moment)])


class HostileInputContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    @pytest.mark.parametrize("port", CALLS, ids=lambda port: port.__name__)
    def test_every_method_of_a_port_is_called(self, port: type) -> None:
        """One that comes later must be called too."""
        assert CALLS[port].keys() == {name for name in vars(port) if not name.startswith("_")}

    @pytest.mark.parametrize("port", CALLS, ids=lambda port: port.__name__)
    async def test_a_call_with_hostile_input_is_answered_or_refused(self, storage: Storage, port: type) -> None:
        """What the storage cannot compare or keep is `StorageRefused`, which no retry would change."""
        for call in CALLS[port].values():
            for given in INPUTS.values():
                await _answered_or_refused(call(storage, given))
                await storage.reader.check()

    @pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS)
    async def test_hostile_records_are_not_found_or_refused(self, storage: Storage, given: Hostile) -> None:
        """Each kind of record that a batch may want."""
        await commit(storage, Changes(accounts_new=[an_account(1)]))
        for wanted in _wanted(given):
            await _answered_or_refused(load(storage, wanted))
        assert (await load(storage, Wanted(account_ids=[account_id(1)]))).accounts == (an_account(1),)

    @pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS)
    async def test_hostile_changes_are_kept_or_refused_as_a_whole(self, storage: Storage, given: Hostile) -> None:
        """What comes with what is refused is not written either, and the next commit is."""
        for number, changes in enumerate(_changes(given), start=100):
            witness = an_answer(f"key-{number}")
            together: dict[str, Any] = {each.name: getattr(changes, each.name) for each in fields(Changes)}
            together["answers_new"] = [*changes.answers_new, witness]
            kept = await _answered_or_refused(commit(storage, Changes(**together)))
            assert bool((await load(storage, Wanted(answers=[witness.key]))).answers) is kept
            await commit(storage, Changes(accounts_new=[an_account(number)]))

    async def test_a_record_with_the_id_of_another_is_refused(self, storage: Storage) -> None:
        """Ids are made once. Nothing of the first record is lost."""
        endpoint = a_webhook_endpoint(1)
        first = Changes(
            accounts_new=[an_account(1)],
            payments_new=[a_payment(1)],
            webhook_endpoints_new=[endpoint],
            api_keys_new=[an_api_key(1)],
            customers_new=[a_customer(1)],
            members_new=[an_invitation(1)],
        )
        await commit(storage, first)
        for changes in (
            Changes(accounts_new=[an_account(1, owner_id=user_id(2))]),
            Changes(payments_new=[a_payment(1, description="another")]),
            Changes(webhook_endpoints_new=[a_webhook_endpoint(1, owner=3)]),
            Changes(api_keys_new=[an_api_key(1, owner=3)]),
            Changes(customers_new=[a_customer(1, merchant=3)]),
            Changes(members_new=[an_invitation(1, merchant=3, token_hash=b"9" * 32)]),
        ):
            with pytest.raises(StorageRefused):
                await commit(storage, changes)
        assert await storage.reader.account(account_id(1)) == an_account(1)
        assert await storage.reader.payment(a_payment(1).id) == a_payment(1)
        assert await storage.webhook_endpoints.endpoint(endpoint.id) == endpoint
        assert await storage.api_keys.key(an_api_key(1).id) == an_api_key(1)
        assert await storage.members.member(an_invitation(1).id) == an_invitation(1)


async def _answered_or_refused(call: Awaitable[object]) -> bool:
    """Whether it was answered."""
    try:
        await call
    except StorageRefused:
        return False
    return True
