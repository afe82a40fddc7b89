"""Commands with a bug in one place, to see whom it hurts."""

from typing import Any, ClassVar, NoReturn

from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Changes, Needs
from gateway.contracts.records import an_account
from gateway.domain.account import Account
from gateway.domain.immutable import immutable
from support.builders import CUSTOMER_ACCOUNT


class BugError(Exception):
    """What a bug raises."""


@immutable
class BrokenNeeds(Command[Account]):
    """Fails when it is asked what it needs."""

    result_type: ClassVar = Account

    def needs(self) -> Needs:
        raise BugError

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:  # noqa: ARG002 - it decides on what it did not get.
        return Decision(outcome=ledger.account(CUSTOMER_ACCOUNT))


@immutable
class BrokenDecide(Command[Account]):
    """Fails when it decides."""

    result_type: ClassVar = Account

    def needs(self) -> Needs:
        return Needs(account_ids=(CUSTOMER_ACCOUNT,))

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:  # noqa: ARG002 - it does not come to use them.
        raise BugError


@immutable
class BrokenDecision(Command[Account]):
    """Decides on a record that is none."""

    result_type: ClassVar = Account

    def needs(self) -> Needs:
        return Needs()

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:  # noqa: ARG002 - it wants to know nothing.
        no_account: Any = object()
        return Decision(outcome=an_account(666), accounts=(an_account(666), no_account))


@immutable
class BrokenWrite(Command[Account]):
    """Decides on a record that `refusing_poison` will not have written."""

    result_type: ClassVar = Account

    def needs(self) -> Needs:
        return Needs()

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:  # noqa: ARG002 - as above.
        return Decision(outcome=POISON, accounts=(POISON,))


POISON = an_account(666)


def refusing_poison(changes: Changes) -> None:
    """What a storage does on whose rules a bug runs aground."""
    if POISON in changes.accounts_new:
        raise BugError


class BrokenCodec:
    """Fails when it encodes."""

    def encode(self, outcome: object, events: object = ()) -> NoReturn:  # noqa: ARG002 - it does not come to use them.
        raise BugError

    def is_refusal(self, body: bytes) -> NoReturn:  # noqa: ARG002 - as above.
        raise BugError
