"""Look-ups that end early lose nothing and repeat nothing: the lists of every storage, in steps of a few rows."""

import pytest

from gateway.adapters.sql import bounded_lists, payment_lists, transaction_lists
from gateway.application.ports.reader import PaymentFilter, TransactionFilter
from gateway.application.ports.storage import Storage
from gateway.contracts.history import OpenStorage
from gateway.contracts.reader import PAYMENTS, ReaderContract, fill, newest_first
from gateway.contracts.records import JPY, user_id
from gateway.domain.payment import Payment
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.user import Role
from support.api_client import open_world


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at three rows, then at two more."""
    monkeypatch.setattr(bounded_lists, "ROWS_FIRST", 3)
    monkeypatch.setattr(payment_lists, "ROWS_PER_STEP", 2)
    monkeypatch.setattr(transaction_lists, "ROWS_PER_STEP", 2)
    monkeypatch.setattr(transaction_lists, "ROWS_WITH_LOOK_UP_PER_STEP", 2)
    monkeypatch.setattr(bounded_lists, "LOOK_SECONDS_MAX", 0.0)
    monkeypatch.setattr(bounded_lists, "UNORDERED_ROWS_MAX", 1)


class TestReaderInSmallSteps(ReaderContract):
    """All that a reader promises, also when its look-ups end early."""


async def test_a_look_up_ends_after_some_rows_and_says_where(open_sqlite: OpenStorage) -> None:
    async with open_sqlite() as storage:
        await fill(storage)
        found = await storage.reader.payments(PaymentFilter(currency=JPY), before=None, limit=21)
        assert (list(found), found.stopped_at) == ([], PAYMENTS[-5].id)
        entries = await storage.reader.transactions(
            TransactionFilter(customer_id=user_id(1), merchant_id=user_id(99)), before=None, limit=21
        )
        assert list(entries) == []
        # The customer has no more than these three rows and two, of every third transaction.
        assert entries.stopped_at is None


async def test_of_two_parties_the_one_with_the_shorter_list_is_looked_through(storage: Storage) -> None:
    await fill(storage)
    nobody = user_id(99)
    for where in (
        PaymentFilter(customer_id=nobody, merchant_id=user_id(12)),
        PaymentFilter(customer_id=user_id(1), merchant_id=nobody),
    ):
        found = await storage.reader.payments(where, before=None, limit=21)
        assert (list(found), found.stopped_at) == ([], None)


async def test_over_http_a_page_may_be_short_and_the_cursor_leads_to_all_others(open_sqlite: OpenStorage) -> None:
    def is_wanted(payment: Payment) -> bool:
        return payment.status is PaymentStatus.FAILED

    async with open_sqlite() as storage, open_world(storage=storage) as world:
        await fill(storage)
        token = world.gateway.access.tokens.issue(
            subject=user_id(1), role=Role.OPERATOR, token_id="ses_1.1", now=world.clock()
        )
        api = world.anyone.with_token(token)
        page = (await api.get("/payments", status="failed", limit=3)).json()
        found, sizes = page["data"], [len(page["data"])]
        while page["has_more"]:
            page = (await api.get("/payments", cursor=page["next_cursor"], limit=3)).json()
            found += page["data"]
            sizes.append(len(page["data"]))
    assert [each["id"] for each in found] == [each.id for each in newest_first(PAYMENTS, is_wanted)]
    assert sizes == [1, 1, 1, 1, 0]
