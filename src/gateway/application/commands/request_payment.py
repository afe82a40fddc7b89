"""Request a payment."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import customer_must_exist, payee_account, payee_key, payer_key
from gateway.application.commands.shared.payments import status_event
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.checks import check_type
from gateway.domain.immutable import immutable
from gateway.domain.new_payment import requested
from gateway.domain.payment import Payment, PaymentId
from gateway.domain.payment_terms import PaymentRequest, payment_to_oneself, reference_of
from gateway.domain.transfer import must_receive


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
        """The merchant's account, the customer's if there is one, and the reference."""
        request = self.request
        currency = request.amount.currency
        keys = [payee_key(request.merchant_id, currency)]
        if request.customer_id is not None:
            keys.append(payer_key(request.customer_id, currency))
        return Needs(
            account_keys=keys,
            references=() if (reference := reference_of(request)) is None else (reference,),
        )

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
        request = self.request
        if request.customer_id == request.merchant_id:
            raise payment_to_oneself()
        must_receive(payee_account(ledger, request.merchant_id, request.amount.currency))
        if request.customer_id is not None:
            # The customer may still open an account in this currency before the confirmation.
            customer_must_exist(ledger, payer_key(request.customer_id, request.amount.currency))
        if (reference := reference_of(request)) is not None:
            ledger.must_be_free(reference)
        payment = requested(request, payment_id=PaymentId(moment.new_id("pay")), now=moment.now)
        return Decision(outcome=payment, payments=(payment,), events=(status_event(payment, moment),))
