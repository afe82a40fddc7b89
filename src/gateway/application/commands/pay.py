"""Pay a merchant: as a customer, or on behalf of one."""

from dataclasses import field, replace
from typing import ClassVar, assert_never

from typing_extensions import override

from gateway.application.commands.shared.accounts import payee_key, payer_key
from gateway.application.commands.shared.payment_requests import request_decision, request_needs
from gateway.application.commands.shared.payments import PaymentResult, settle, status_event
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.checks import check_id, check_type
from gateway.domain.errors import CurrencyMismatch, InsufficientFunds, Refusal
from gateway.domain.immutable import ADDED_LATER, immutable
from gateway.domain.new_payment import authorized, failed, paid_at_once, to_be_reviewed
from gateway.domain.payment import CaptureMethod, Payment, PaymentId, PaymentReference
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest, reference_of
from gateway.domain.user import UserId


@immutable
class Pay(Command[PaymentResult]):
    """Move the order's amount from the customer to the merchant, or hold it (`capture=manual`).

    With a quote, the customer pays its source, and the merchant gets its target. A failed payment does not use the
    quote. If a rule of risk sends the payment to a review, its money is held until an operator has decided; unless the
    payment `may_wait` for that, it is refused.
    Refuses: same_account, merchant_not_found, user_not_found (the customer), currency_mismatch, duplicate_reference,
    limit_exceeded, account_frozen, user_disabled, account_closed, insufficient_funds (the payment is stored as failed),
    balance_overflow; with a quote quote_not_found, quote_used, quote_expired, quote_amount_mismatch.
    """

    result_type: ClassVar = PaymentResult

    order: PaymentOrder
    may_wait: bool = field(default=True, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        if type(self.order) is not PaymentOrder:
            check_type("order", self.order, PaymentOrder)
        if type(self.may_wait) is not bool:
            check_type("may_wait", self.may_wait, bool)

    @override
    def needs(self) -> Needs:
        """Both accounts and the reference; with a quote, the customer's account is loaded with it."""
        order = self.order
        currency = order.amount.currency
        references = () if (reference := reference_of(order)) is None else (reference,)
        if order.quote_id is not None:
            payee = payee_key(order.merchant_id, currency)
            return Needs(account_keys=(payee,), references=references, quotes=(order.quote_id,))
        return Needs(
            account_keys=(payer_key(order.customer_id, currency), payee_key(order.merchant_id, currency)),
            references=references,
        )

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[PaymentResult]:
        """Settle the payment, or store it as failed if the customer lacks funds."""
        order = self.order
        payment_id = PaymentId(moment.new_id("pay"))
        try:
            settlement = settle(
                order,
                customer_id=order.customer_id,
                quote_id=order.quote_id,
                reference=reference_of(order),
                may_wait=self.may_wait,
                ledger=ledger,
                moment=moment,
            )
        except InsufficientFunds as refusal:
            refusal.facts["payment_id"] = payment_id
            payment = failed(order, payment_id=payment_id, failure_code=refusal.code, now=moment.now)
            return Decision(outcome=refusal, payments=(payment,), events=(status_event(payment, moment),))
        if settlement.review is not None and ledger.risk is not None:
            payment = to_be_reviewed(
                order,
                payment_id=payment_id,
                rule=settlement.review,
                review_seconds=ledger.risk.review_seconds,
                now=moment.now,
            )
            return settlement.decision(payment, moment)
        match order.capture:
            case CaptureMethod.AUTOMATIC:
                payment = paid_at_once(order, payment_id=payment_id, fee_minor=settlement.fee_minor, now=moment.now)
            case CaptureMethod.MANUAL:
                payment = authorized(order, payment_id=payment_id, now=moment.now)
            case _:
                assert_never(order.capture)
        return settlement.decision(payment, moment)


@immutable
class ChargeCustomer(Command[Payment]):
    """A payment that a merchant asks of a customer. One whom the merchant manages pays it at once, as by `Pay`.

    Of others it is requested, as by `RequestPayment`; nobody learns whether another merchant manages them.
    Refuses: as `Pay` and `RequestPayment`; validation_error, if the payment is made at once and has a lifetime.
    """

    result_type: ClassVar = Payment

    request: PaymentRequest

    def __post_init__(self) -> None:
        check_type("request", self.request, PaymentRequest)
        check_id("customer_id", self.request.customer_id)

    @override
    def needs(self) -> Needs:
        """As of a request, and the reference that the customer would use up."""
        request = self.request
        needs = request_needs(request)
        if request.reference is None:
            return needs
        own = PaymentReference(request.merchant_id, request.reference, self._customer_id)
        return replace(needs, references=(*needs.references, own))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
        if not self._is_managed(ledger):
            return request_decision(self.request, ledger, moment)
        decision = Pay(order=self._order()).decide(ledger, moment)
        outcome = decision.outcome
        # A payment without funds is a refusal, and stored.
        shown = outcome if isinstance(outcome, Refusal) else outcome.payment
        return Decision(
            outcome=shown,
            accounts=decision.accounts,
            payments=decision.payments,
            transactions=decision.transactions,
            payment_counters=decision.payment_counters,
            events=decision.events,
        )

    def _is_managed(self, ledger: LedgerView) -> bool:
        merchant_id, currency = self.request.merchant_id, self.request.amount.currency
        key = payer_key(self._customer_id, currency)
        account = ledger.find_account(key)
        if account is not None:
            return account.managed_by == merchant_id
        if ledger.is_managed_in_another_currency(key, merchant_id):
            raise CurrencyMismatch(f"The customer has no account in {currency}.")
        return False

    def _order(self) -> PaymentOrder:
        request = self.request
        return PaymentOrder(
            customer_id=self._customer_id,
            merchant_id=request.merchant_id,
            amount=request.amount,
            reference=request.reference,
            description=request.description,
            metadata=request.metadata,
            capture=request.capture,
            expires_in_seconds=request.expires_in_seconds,
        )

    @property
    def _customer_id(self) -> UserId:
        return self.request.customer_id or UserId("")
