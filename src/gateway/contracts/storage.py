"""Every contract of a storage in one class."""

from collections.abc import AsyncGenerator

import pytest_asyncio

from gateway.application.ports.rates import Rates
from gateway.application.ports.storage import Storage
from gateway.contracts.api_keys import ApiKeysContract
from gateway.contracts.audit import AuditContract
from gateway.contracts.audit_log import AuditLogContract
from gateway.contracts.cancellation import CancellationContract
from gateway.contracts.customers import CustomersContract
from gateway.contracts.deliveries import DeliveriesContract
from gateway.contracts.disabled_users import DisabledUsersContract
from gateway.contracts.event_cursors import EventCursorsContract
from gateway.contracts.event_search import EventSearchContract
from gateway.contracts.events import EventFeedContract
from gateway.contracts.history import HistoryContract, OpenStorage
from gateway.contracts.hostile_input import HostileInputContract
from gateway.contracts.housekeeping import HousekeepingContract
from gateway.contracts.life_of_a_payment import LifeOfAPaymentContract
from gateway.contracts.login_failures import LoginFailuresContract
from gateway.contracts.members import MembersContract
from gateway.contracts.quotes import QuotesContract
from gateway.contracts.rate_budgets import RateBudgetsContract
from gateway.contracts.rates import RatesContract
from gateway.contracts.reader import ReaderContract
from gateway.contracts.second_factors import SecondFactorsContract
from gateway.contracts.sessions import SessionsContract
from gateway.contracts.unit_of_work import UnitOfWorkContract
from gateway.contracts.users import UsersContract
from gateway.contracts.webhook_endpoints import WebhookEndpointsContract
from gateway.contracts.wrong_clocks import WrongClocksContract


class StorageContract(
    UnitOfWorkContract,
    CancellationContract,
    LifeOfAPaymentContract,
    QuotesContract,
    HostileInputContract,
    UsersContract,
    SessionsContract,
    LoginFailuresContract,
    SecondFactorsContract,
    RateBudgetsContract,
    RatesContract,
    ReaderContract,
    EventFeedContract,
    EventSearchContract,
    EventCursorsContract,
    WebhookEndpointsContract,
    DeliveriesContract,
    ApiKeysContract,
    CustomersContract,
    MembersContract,
    AuditContract,
    AuditLogContract,
    DisabledUsersContract,
    HousekeepingContract,
    WrongClocksContract,
    HistoryContract,
):
    """Subclass it, and give a fixture `open_storage`: each call opens an empty `Storage`, as `async with`.

    What outlives its process, and what several processes share, has two contracts more: `gateway.contracts.durability`.
    """

    @pytest_asyncio.fixture
    async def storage(self, open_storage: OpenStorage) -> AsyncGenerator[Storage]:
        """An empty storage."""
        async with open_storage() as opened:
            yield opened

    @pytest_asyncio.fixture
    async def rates(self, storage: Storage) -> Rates:
        """The rates of an empty storage."""
        return storage.rates
