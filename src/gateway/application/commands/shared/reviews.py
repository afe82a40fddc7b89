"""What the decisions of operators on payments share."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.engine.command import Command
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_free_text, check_id
from gateway.domain.immutable import immutable
from gateway.domain.limits import REASON_LENGTH_MAX
from gateway.domain.payment import Payment, PaymentId


@immutable
class Review(Command[Payment]):
    """What an operator decides of a payment, and why."""

    result_type: ClassVar = Payment

    payment_id: PaymentId
    reason: str

    def __post_init__(self) -> None:
        check_id("payment_id", self.payment_id)
        check_free_text("reason", self.reason, REASON_LENGTH_MAX, length_min=1)

    @override
    def needs(self) -> Needs:
        return Needs(payments=(self.payment_id,))

    def note(self, action: AuditAction, before: Payment, after: Payment) -> AuditNote:
        """What the audit log records."""
        return AuditNote(
            action=action,
            object_id=before.id,
            owner_id=before.merchant_id,
            reason=self.reason,
            before={"status": before.status.value, "rule": before.failure_code},
            after={"status": after.status.value},
        )
