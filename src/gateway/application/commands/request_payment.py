"""Request a payment."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.payment_requests import request_decision, request_needs
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.checks import check_type
from gateway.domain.immutable import immutable
from gateway.domain.payment import Payment
from gateway.domain.payment_terms import PaymentRequest


@immutable
class RequestPayment(Command[Payment]):
    """Create a payment for a customer to confirm. No money moves.

    Refuses: same_account, merchant_not_found, user_disabled (the merchant), account_closed, user_not_found (the
    customer), currency_mismatch, duplicate_reference.
    """

    result_type: ClassVar = Payment

    request: PaymentRequest

    def __post_init__(self) -> None:
        check_type("request", self.request, PaymentRequest)

    @override
    def needs(self) -> Needs:
        return request_needs(self.request)

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
        return request_decision(self.request, ledger, moment)
