"""A customer pays a merchant at once."""

from typing import ClassVar

from gateway.application.book import Book
from gateway.application.command import Command, Decision, Moment, Needs
from gateway.domain.account import Account, AccountKey, AccountKind
from gateway.domain.errors import CurrencyMismatch, InsufficientFunds, MerchantNotFound, SameAccount
from gateway.domain.event import Event, EventId, EventType
from gateway.domain.payment import MerchantReference, Payment, PaymentId, PaymentOrder, failed, paid_at_once
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.transfer import post
from gateway.domain.value import value


@value
class Paid:
    """A payment, and the transaction in which its money moved."""

    payment: Payment
    transaction: Transaction


@value
class Pay(Command[Paid]):
    """Move the order's amount from the customer to the merchant.

    Refuses: same_account, merchant_not_found, currency_mismatch, duplicate_reference, account_frozen,
    insufficient_funds (the payment is then kept as failed), balance_overflow.
    """

    result_type: ClassVar = Paid

    order: PaymentOrder

    def needs(self) -> Needs:
        """Both accounts, and whether the reference is taken."""
        order = self.order
        return Needs(
            account_keys=(self._payer, self._payee),
            references=() if order.reference is None else (MerchantReference(order.merchant_id, order.reference),),
        )

    def decide(self, book: Book, moment: Moment) -> Decision[Paid]:
        """Pay, or keep the payment as failed if the customer cannot."""
        order = self.order
        if order.customer_id == order.merchant_id:
            raise SameAccount("Nobody can pay themselves.")
        merchant = self._merchant_account(book)
        customer = book.find_account(self._payer)
        if customer is None:
            raise CurrencyMismatch(f"The customer has no account in {order.amount.currency}.")
        if order.reference is not None:
            book.must_be_free(MerchantReference(order.merchant_id, order.reference))
        payment_id = PaymentId(moment.new_id("pay"))
        try:
            moved = post(customer, merchant, order.amount.amount_minor)
        except InsufficientFunds as refusal:
            refusal.facts["payment_id"] = payment_id
            payment = failed(order, payment_id=payment_id, failure_code=refusal.code, now=moment.now)
            return Decision(
                outcome=refusal, payments=(payment,), events=(payment_event(EventType.PAYMENT_FAILED, payment, moment),)
            )
        payment = paid_at_once(order, payment_id=payment_id, now=moment.now)
        transaction = Transaction(
            id=TransactionId(moment.new_id("txn")),
            type=TransactionType.PAYMENT,
            transfers=(moved.transfer,),
            payment_id=payment_id,
            customer_id=order.customer_id,
            merchant_id=order.merchant_id,
            description=order.description,
            reverses=None,
            created_at=moment.now,
        )
        return Decision(
            outcome=Paid(payment=payment, transaction=transaction),
            accounts=(moved.debit, moved.credit),
            payments=(payment,),
            transactions=(transaction,),
            events=(payment_event(EventType.PAYMENT_CAPTURED, payment, moment),),
        )

    @property
    def _payer(self) -> AccountKey:
        return AccountKey(self.order.customer_id, self.order.amount.currency, AccountKind.CUSTOMER)

    @property
    def _payee(self) -> AccountKey:
        return AccountKey(self.order.merchant_id, self.order.amount.currency, AccountKind.MERCHANT)

    def _merchant_account(self, book: Book) -> Account:
        account = book.find_account(self._payee)
        if account is not None:
            return account
        if book.holds_another_currency(self._payee):
            raise CurrencyMismatch(f"The merchant has no account in {self.order.amount.currency}.")
        raise MerchantNotFound("There is no such merchant.")


def payment_event(kind: EventType, payment: Payment, moment: Moment) -> Event:
    """What happened to a payment, for both its parties."""
    return Event(
        id=EventId(moment.new_id("evt")),
        type=kind,
        object=payment,
        sequence=payment.version,
        customer_id=payment.customer_id,
        merchant_id=payment.merchant_id,
        created_at=moment.now,
    )
