"""Everything that a database adapter supplies, in one value."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from gateway.application.ports.login_failures import LoginFailures
from gateway.application.ports.rates import Rates
from gateway.application.ports.reader import Audit, Reader
from gateway.application.ports.sessions import Sessions
from gateway.application.ports.unit_of_work import UnitOfWorkFactory
from gateway.application.ports.users import Users
from gateway.domain.value import value


def one_at_a_time() -> bool:
    """That no batch may be decided ahead."""
    return False


@value
class Storage:
    """The storage ports, all over one database.

    Attributes:
        may_decide_ahead: Whether, just now, a batch can be loaded and decided while the one before it commits. Where it
            would only wait for it to end, it had better wait for company.
    """

    unit_of_work: UnitOfWorkFactory
    users: Users
    sessions: Sessions
    login_failures: LoginFailures
    rates: Rates
    reader: Reader
    audit: Callable[[], AbstractAsyncContextManager[Audit]]
    may_decide_ahead: Callable[[], bool] = one_at_a_time
