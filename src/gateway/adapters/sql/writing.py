"""The rows that a batch writes."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Final, TypeAlias, TypeVar

from gateway.adapters.sql.hybrid_clock import HybridClock
from gateway.adapters.sql.rows.accounts import account_changes, account_values
from gateway.adapters.sql.rows.api_keys import api_key_values
from gateway.adapters.sql.rows.audit import audit_values
from gateway.adapters.sql.rows.customers import customer_values
from gateway.adapters.sql.rows.events import answer_values, event_batch_values, event_values
from gateway.adapters.sql.rows.members import member_values
from gateway.adapters.sql.rows.payment_counters import payment_counters_values
from gateway.adapters.sql.rows.payments import payment_changes, payment_values, refund_values
from gateway.adapters.sql.rows.quotes import quote_changes, quote_values
from gateway.adapters.sql.rows.transactions import transfer_values
from gateway.adapters.sql.rows.users import user_changes, user_values
from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.rows.webhook_endpoints import webhook_endpoint_values
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Records, StorageRefused
from gateway.domain.account import Account
from gateway.domain.customer import Customer
from gateway.domain.payment import Payment
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.quote import Quote
from gateway.domain.user import User

Writes: TypeAlias = Mapping[str, Sequence[Values]]
"""Rows to write, by the field of `Changes` that they come from."""

Versions: TypeAlias = Mapping[str, int]
"""The versions of the records that were loaded, by their ids."""

Changed = TypeVar("Changed", bound=Account | Payment | Quote | User)

IDS_AHEAD: Final = "ids_ahead"
SESSIONS_ENDED: Final = "sessions_ended"
ACCOUNTS_HANDED_OVER: Final = "accounts_handed_over"

MANY_CHANGES: Final = 256
"""Rows of more answers take many milliseconds."""


def versions_of(records: Records) -> Versions:
    """The versions that changes are checked against."""
    versions: dict[str, int] = {payment.id: payment.version for payment in records.payments}
    versions |= {quote.id: quote.version for quote in records.quotes}
    versions |= {account.id: account.version for account in records.accounts}
    if records.payment_counters:
        versions |= {_counters_key(each): each.version for each in records.payment_counters}
    if records.users:
        versions |= {user.id: user.version for user in records.users}
    return versions


async def rows_to_write(changes: Changes, versions: Versions, clock: HybridClock) -> dict[str, Sequence[Values]]:
    """The rows of every kind that there are any of, in the order in which they are written.

    Between the kinds of many changes, the event loop runs other tasks.

    Raises:
        StorageRefused: A text has a lone surrogate, of which no JSON is made.
    """
    clock.notice([changes.latest_at])
    ahead = clock.ids_ahead(changes)
    if len(changes.answers_new) > MANY_CHANGES:
        writes = await _writes_in_slices(changes, versions, clock.latest_at)
    else:
        writes = writes_of(changes, versions, clock.latest_at)
    return {IDS_AHEAD: ahead, **writes} if ahead else {**writes}


def check_counts(writes: Writes, counts: Mapping[str, int]) -> None:
    """Check that every row was written.

    Raises:
        KeyTaken: Another transaction has answered one of the idempotency keys.
    """
    for name, count in counts.items():
        if count == len(writes[name]) or name == SESSIONS_ENDED:  # A user may have any number of sessions.
            continue
        if name == "answers_new":
            raise KeyTaken("Another transaction has answered one of the idempotency keys.")
        raise RuntimeError(f"{count} of {len(writes[name])} rows of {name} were written: they are not what was loaded.")


def writes_of(changes: Changes, versions: Versions, latest_at: datetime | None) -> Writes:
    """Rows by kind; kinds without rows are left out. Each changed row ends with the version that it replaces.

    Rows that other transactions may also write are sorted by key, so that locks are taken in one order.

    Raises:
        StorageRefused: A text has a lone surrogate, of which no JSON is made.
    """
    try:
        return {name: rows for name, rows in _kinds(changes, versions, latest_at) if rows}
    except UnicodeEncodeError as error:
        raise StorageRefused("A text has a character that cannot be kept.") from error


async def _writes_in_slices(changes: Changes, versions: Versions, latest_at: datetime | None) -> Writes:
    """As `writes_of`."""
    writes: dict[str, list[Values]] = {}
    try:
        for name, rows in _kinds(changes, versions, latest_at):
            if rows:
                writes[name] = rows
                await asyncio.sleep(0)
    except UnicodeEncodeError as error:
        raise StorageRefused("A text has a character that cannot be kept.") from error
    return writes


def _kinds(changes: Changes, versions: Versions, latest_at: datetime | None) -> Iterator[tuple[str, list[Values]]]:
    """The rows of each kind."""
    yield "users_new", list(map(user_values, sorted(changes.users_new, key=attrgetter("user.email"))))
    if changes.users_changed or changes.sessions_ended:
        yield "users_changed", _rows_changed(changes.users_changed, user_changes, versions)
        yield SESSIONS_ENDED, [(each.user_id, each.at) for each in changes.sessions_ended]
    accounts = sorted(changes.accounts_new, key=attrgetter("key"))
    yield "accounts_new", [account_values(account, latest_at) for account in accounts]
    accounts = sorted(changes.accounts_changed, key=attrgetter("id"))
    if changes.accounts_handed_over:
        handed_over = [account for account in accounts if account.id in changes.accounts_handed_over]
        accounts = [account for account in accounts if account.id not in changes.accounts_handed_over]
        yield ACCOUNTS_HANDED_OVER, _account_rows(handed_over, versions, latest_at)
    yield "accounts_changed", _account_rows(accounts, versions, latest_at)
    yield "payments_new", list(map(payment_values, changes.payments_new))
    yield "payments_changed", _rows_changed(changes.payments_changed, payment_changes, versions)
    if changes.payment_counters:
        yield from _payment_counter_writes(changes.payment_counters, versions).items()
    yield "transactions_new", list(chain.from_iterable(map(transfer_values, changes.transactions_new)))
    yield "quotes_new", list(map(quote_values, changes.quotes_new))
    yield "quotes_changed", _rows_changed(changes.quotes_changed, quote_changes, versions)
    yield "refunds_new", list(map(refund_values, changes.refunds_new))
    yield from _webhook_endpoint_writes(changes).items()
    if changes.api_keys_new or changes.api_keys_changed:
        # As webhook endpoints, they were locked.
        yield "api_keys_new", list(map(api_key_values, changes.api_keys_new))
        yield "api_keys_changed", list(map(api_key_values, changes.api_keys_changed))
        yield "api_keys_deleted", [(key_id,) for key_id in changes.api_keys_deleted]
    if changes.customers_new or changes.customers_changed:
        # They were locked, too.
        yield "customers_new", [customer_values(each) for each in _in_order(changes.customers_new)]
        yield "customers_changed", [customer_values(each) for each in _in_order(changes.customers_changed)]
    if changes.members_new or changes.members_changed:
        yield "members_new", list(map(member_values, changes.members_new))
        yield "members_changed", list(map(member_values, changes.members_changed))
        yield "members_deleted", [(member_id,) for member_id in changes.members_deleted]
    if changes.audit_new:
        yield "audit_new", list(map(audit_values, changes.audit_new))
        yield "audit_unlinked", [(record.id,) for record in changes.audit_new]
    yield "event_batches_new", [event_batch_values(changes.events_new)] if changes.events_new else []
    yield "events_new", [event_values(event, index) for index, event in enumerate(changes.events_new)]
    answers = sorted(changes.answers_new, key=attrgetter("key"))
    data_of = {event.id: event.data for event in changes.events_new}
    yield "answers_new", [answer_values(answer, data_of) for answer in answers]


def _account_rows(accounts: Iterable[Account], versions: Versions, latest_at: datetime | None) -> list[Values]:
    return _rows_changed(accounts, partial(account_changes, latest_at=latest_at), versions)


def _in_order(customers: Iterable[Customer]) -> list[Customer]:
    """In the order of their external ids, which other transactions may also write."""
    return sorted(customers, key=lambda each: (each.merchant_id, each.external_id or ""))


def _payment_counter_writes(changed: Iterable[PaymentCounters], versions: Versions) -> dict[str, list[Values]]:
    """Counters that were not loaded are new."""
    writes: dict[str, list[Values]] = {"payment_counters_new": [], "payment_counters_changed": []}
    for counters in sorted(changed, key=attrgetter("customer_id")):
        before = versions.get(_counters_key(counters))
        if before is None:
            writes["payment_counters_new"].append(payment_counters_values(counters))
        else:
            writes["payment_counters_changed"].append((*payment_counters_values(counters), before))
    return writes


def _counters_key(counters: PaymentCounters) -> str:
    """Users have versions of their own."""
    return f"payment_counters {counters.customer_id}"


def _webhook_endpoint_writes(changes: Changes) -> dict[str, list[Values]]:
    """They were locked when they were loaded: no versions are compared."""
    if not (changes.webhook_endpoints_new or changes.webhook_endpoints_changed or changes.webhook_endpoints_deleted):
        return {}
    return {
        "webhook_endpoints_new": [webhook_endpoint_values(each) for each in changes.webhook_endpoints_new],
        "webhook_endpoints_changed": [webhook_endpoint_values(each) for each in changes.webhook_endpoints_changed],
        "webhook_endpoints_deleted": [(endpoint_id,) for endpoint_id in changes.webhook_endpoints_deleted],
    }


def _rows_changed(records: Iterable[Changed], values: Callable[[Changed], Values], versions: Versions) -> list[Values]:
    """Rows that end with the version that each of them replaces."""
    return [(*values(record), _version_before(record, versions)) for record in records]


def _version_before(changed: Account | Payment | Quote | User, versions: Versions) -> int:
    before = versions.get(changed.id)
    if before is None or changed.version <= before:
        raise RuntimeError(f"{changed.id} is no change of what was loaded.")
    return before
