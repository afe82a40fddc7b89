"""Command and Decision: what a use-case is made of. It never loads, saves or waits."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.identifiers import NewId
from gateway.application.ports.unit_of_work import Needs, NewUser
from gateway.domain.account import Account
from gateway.domain.errors import Refusal
from gateway.domain.event import Event
from gateway.domain.payment import Payment
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction
from gateway.domain.value import value

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


@value
class Moment:
    """When a command decides, and where the ids of what it makes come from.

    Attributes:
        now: The time, by the clock of this process.
        new_id: Makes ids of `now`.
        transactions_at: `now`, or just after the newest transaction of the accounts, if a clock that is ahead made it.
        new_transaction_id: Makes ids of `transactions_at`, so that transactions sort in the order of their accounts'
            versions.
    """

    now: datetime
    new_id: NewId
    transactions_at: datetime
    new_transaction_id: NewId


@value
class Decision(Generic[Result_co]):
    """What a command decided: its outcome, and the records that must now be written.

    A record may stand in it twice (an account that pays and is charged a fee): the last one counts. A refusal may come
    with records: a payment refused for lack of funds is kept as failed, a request keeps why.
    """

    outcome: Result_co | Refusal
    users: Collection[NewUser] = ()
    accounts: Collection[Account] = ()
    payments: Collection[Payment] = ()
    quotes: Collection[Quote] = ()
    refunds: Collection[Refund] = ()
    transactions: Collection[Transaction] = ()
    events: Collection[Event] = ()


class Command(ABC, Generic[Result]):
    """One thing that can be asked of the ledger: a `value` of plain fields, so that it can be run again."""

    __slots__ = ()

    result_type: ClassVar[Any]
    """The type of `Result`, so that a kept answer can be read back."""

    @abstractmethod
    def needs(self) -> Needs:
        """What to load and lock."""

    @abstractmethod
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Result]:
        """Decide on the ledger as it was loaded: a pure function, which writes nothing.

        Raises:
            Refusal: The rules say no. Nothing is written but the answer.
        """
