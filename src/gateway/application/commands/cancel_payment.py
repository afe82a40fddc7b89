"""Cancel a payment."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.payments import release_decision
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.errors import RoleForbidden
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.checks import check_id
from gateway.domain.errors import PaymentNotFound
from gateway.domain.immutable import immutable
from gateway.domain.payment import Payment, PaymentId
from gateway.domain.payment_life import cancel, must_allow
from gateway.domain.payment_status import PaymentAction, PaymentStatus
from gateway.domain.user import UserId


@immutable
class CancelPayment(Command[Payment]):
    """Release the held money. The merchant may cancel; its customer may too, before the confirmation.

    Refuses: payment_not_found, payment_state_invalid, payment_expired, role_forbidden.
    """

    result_type: ClassVar = Payment

    payment_id: PaymentId
    by: UserId

    def __post_init__(self) -> None:
        check_id("payment_id", self.payment_id)
        check_id("by", self.by)

    @override
    def needs(self) -> Needs:
        return Needs(payments=(self.payment_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
        payment = ledger.payment(self.payment_id)
        if self.by not in (payment.merchant_id, payment.customer_id):
            raise PaymentNotFound("There is no such payment.")
        must_allow(payment, PaymentAction.CANCEL, moment.now)
        if self.by != payment.merchant_id and payment.status is not PaymentStatus.REQUIRES_CONFIRMATION:
            raise RoleForbidden("Only the merchant can cancel a payment that was confirmed.")
        return release_decision(cancel(payment, now=moment.now), ledger, moment)
