"""What the commands on payments have in common: their accounts, their transfers, what they write down."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from gateway.application.engine.command import Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.account import Account, AccountId, AccountKey, AccountKind, system_account
from gateway.domain.errors import AccountNotFound, CurrencyMismatch, MerchantNotFound
from gateway.domain.event import Event, EventId, EventType
from gateway.domain.money import CurrencyCode
from gateway.domain.payment import Payment, PaymentStatus
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.transfer import Moved, Transfer
from gateway.domain.user import UserId
from gateway.domain.value import value

EVENT_OF: Final = {
    PaymentStatus.REQUIRES_CONFIRMATION: EventType.PAYMENT_CREATED,
    PaymentStatus.AUTHORIZED: EventType.PAYMENT_AUTHORIZED,
    PaymentStatus.PARTIALLY_CAPTURED: EventType.PAYMENT_PARTIALLY_CAPTURED,
    PaymentStatus.CAPTURED: EventType.PAYMENT_CAPTURED,
    PaymentStatus.CANCELED: EventType.PAYMENT_CANCELED,
    PaymentStatus.EXPIRED: EventType.PAYMENT_EXPIRED,
    PaymentStatus.FAILED: EventType.PAYMENT_FAILED,
}
"""What has happened to a payment that came to a status."""


@value
class Paid:
    """A payment, and the transaction in which its money moved or was held."""

    payment: Payment
    transaction: Transaction


@dataclass(slots=True)
class Steps:
    """The transfers of one transaction, each on the accounts as the one before it left them."""

    accounts: dict[AccountId, Account] = field(default_factory=dict[AccountId, Account])
    transfers: list[Transfer] = field(default_factory=list[Transfer])

    def make(
        self, move: Callable[[Account, Account, int], Moved], debit: Account, credit: Account, amount_minor: int
    ) -> None:
        """Make a transfer; of nothing, none."""
        if amount_minor == 0:
            return
        moved = move(self.accounts.get(debit.id, debit), self.accounts.get(credit.id, credit), amount_minor)
        self.accounts[debit.id] = moved.debit
        self.accounts[credit.id] = moved.credit
        self.transfers.append(moved.transfer)


def payer_key(customer_id: UserId, currency: CurrencyCode) -> AccountKey:
    """The account that a customer pays from."""
    return AccountKey(customer_id, currency, AccountKind.CUSTOMER)


def payee_key(merchant_id: UserId, currency: CurrencyCode) -> AccountKey:
    """The account that a merchant is paid to."""
    return AccountKey(merchant_id, currency, AccountKind.MERCHANT)


def payer_account(ledger: LedgerView, customer_id: UserId, currency: CurrencyCode) -> Account:
    """The account that a customer pays from.

    Raises:
        CurrencyMismatch: They have none in this currency.
    """
    account = ledger.find_account(payer_key(customer_id, currency))
    if account is None:
        raise CurrencyMismatch(f"The customer has no account in {currency}.")
    return account


def payee_account(ledger: LedgerView, merchant_id: UserId, currency: CurrencyCode) -> Account:
    """The account that a merchant is paid to.

    Raises:
        MerchantNotFound: There is no such merchant.
        CurrencyMismatch: They have no account in this currency.
    """
    key = payee_key(merchant_id, currency)
    account = ledger.find_account(key)
    if account is not None:
        return account
    if ledger.holds_another_currency(key):
        raise CurrencyMismatch(f"The merchant has no account in {currency}.")
    raise MerchantNotFound("There is no such merchant.")


def fees_account(ledger: LedgerView, currency: CurrencyCode) -> Account:
    """The gateway's account for fees. It comes along with a merchant who is charged any."""
    account = ledger.find_account(system_account(AccountKind.FEES, currency))
    if account is None:
        raise AccountNotFound(f"The gateway has no account for fees in {currency}.")
    return account


def payment_transaction(
    kind: TransactionType,
    payment: Payment,
    transfers: tuple[Transfer, ...],
    moment: Moment,
    *,
    description: str | None = None,
) -> Transaction:
    """The transaction that moves a payment's money; its description is the payment's unless it has its own."""
    return Transaction(
        id=TransactionId(moment.new_transaction_id("txn")),
        type=kind,
        transfers=transfers,
        payment_id=payment.id,
        customer_id=payment.customer_id,
        merchant_id=payment.merchant_id,
        description=payment.description if description is None else description,
        reverses=None,
        created_at=moment.now,
    )


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


def status_event(payment: Payment, moment: Moment) -> Event:
    """That a payment came to the status it has now."""
    return payment_event(EVENT_OF[payment.status], payment, moment)
