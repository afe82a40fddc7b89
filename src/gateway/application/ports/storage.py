"""Everything that a database adapter supplies, in one value."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from enum import Enum

from gateway.application.ports.events import EventFeed
from gateway.application.ports.login_failures import LoginFailures
from gateway.application.ports.rates import Rates
from gateway.application.ports.reader import Audit, Reader
from gateway.application.ports.sessions import Sessions
from gateway.application.ports.unit_of_work import UnitOfWorkFactory
from gateway.application.ports.users import Users
from gateway.domain.value import value


class Pace(Enum):
    """When it is time for the next batch.

    Attributes:
        ONE_AT_A_TIME: When the one before has ended: sooner, it would only wait for that, and had better wait for
            company.
        AHEAD: While the one before commits: it can be loaded and decided meanwhile.
        BY_TURNS: When the one before has ended, and all who are about to ask have asked. Other processes write to the
            same rows, and each batch waits for one of theirs.
    """

    ONE_AT_A_TIME = "one at a time"
    AHEAD = "ahead"
    BY_TURNS = "by turns"


def one_at_a_time() -> Pace:
    """The pace of a storage that knows no other."""
    return Pace.ONE_AT_A_TIME


@value
class Storage:
    """The storage ports, all over one database.

    Attributes:
        pace: When it is time for the next batch, as things are just now.
    """

    unit_of_work: UnitOfWorkFactory
    users: Users
    sessions: Sessions
    login_failures: LoginFailures
    rates: Rates
    reader: Reader
    events: EventFeed
    audit: Callable[[], AbstractAsyncContextManager[Audit]]
    pace: Callable[[], Pace] = one_at_a_time
