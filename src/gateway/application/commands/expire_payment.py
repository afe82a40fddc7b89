"""Expire a payment."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.payments import release_decision
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.checks import check_id
from gateway.domain.immutable import immutable
from gateway.domain.payment import Payment, PaymentId
from gateway.domain.payment_life import expire
from gateway.domain.payment_status import UNFINISHED


@immutable
class ExpirePayment(Command[Payment]):
    """End a payment whose time is over, and release its held money. A payment that has ended is not changed.

    Refuses: payment_not_found, payment_not_due.
    """

    result_type: ClassVar = Payment

    payment_id: PaymentId

    def __post_init__(self) -> None:
        check_id("payment_id", self.payment_id)

    @override
    def needs(self) -> Needs:
        return Needs(payments=(self.payment_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
        payment = ledger.payment(self.payment_id)
        if payment.status not in UNFINISHED:
            return Decision(outcome=payment)
        return release_decision(expire(payment, now=moment.now), ledger, moment)
