"""A shop: a customer, a merchant, and the commands on their payments."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway import CancelPayment, CapturePayment, ConfirmPayment, Pay, RefundPayment, RequestPayment, SetFees
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.ports.storage import Storage
from gateway.contracts.records import USD, account_id, user_id
from gateway.domain.event_type import EventType
from gateway.domain.fees import FeeSchedule
from gateway.domain.payment import CaptureMethod, Payment, PaymentId
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.transaction import Transaction
from gateway.domain.transfer import TransferKind
from support.builders import (
    CUSTOMER,
    CUSTOMER_ACCOUNT,
    MERCHANT,
    StandingClock,
    Watch,
    usd,
)

FEES_ACCOUNT = account_id(3)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Shop:
    """A customer with a dollar, a merchant, and the executor before them."""

    executor: CommandExecutor
    storage: Storage
    watch: Watch
    clock: StandingClock

    async def ask(self, command: Command[Any]) -> EventType | None:
        """Execute a command; the type of the last event that it wrote, if it wrote any."""
        self.watch.commits.clear()
        await self.executor.execute(command)
        events = [event for changes in self.watch.commits for event in changes.events_new]
        return events[-1].type if events else None

    async def payment(self, payment_id: PaymentId) -> Payment:
        """The payment as it is kept."""
        payment = await self.storage.reader.payment(payment_id)
        assert payment is not None
        return payment

    async def hold(self, amount_minor: int = 100) -> PaymentId:
        """A payment of the customer's to be captured."""
        return (await self.executor.execute(authorize(amount_minor))).payment.id

    async def request(self, amount_minor: int = 40, **terms: object) -> PaymentId:
        """A payment that the merchant asks for."""
        return (await self.executor.execute(a_request(amount_minor, **terms))).id

    async def held(self) -> int:
        """What is held of the customer's money."""
        account = await self.storage.reader.account(CUSTOMER_ACCOUNT)
        assert account is not None
        return account.held

    async def fees(self) -> int:
        """What the gateway has earned."""
        account = await self.storage.reader.account(FEES_ACCOUNT)
        assert account is not None
        return account.available


def authorize(amount_minor: int, **terms: object) -> Pay:
    return Pay(
        order=PaymentOrder(
            customer_id=CUSTOMER,
            merchant_id=MERCHANT,
            amount=usd(amount_minor),
            metadata={},
            capture=CaptureMethod.MANUAL,
            expires_in_seconds=60,
            **terms,  # type: ignore[arg-type]  # Tests name fields.
        )
    )


def a_request(amount_minor: int = 40, **terms: object) -> RequestPayment:
    fields = {"customer_id": CUSTOMER, "merchant_id": MERCHANT, "expires_in_seconds": 60, **terms}
    return RequestPayment(request=PaymentRequest(amount=usd(amount_minor), metadata={}, **fields))  # type: ignore[arg-type]  # As above.


def capture(payment: PaymentId, amount_minor: int | None = None, *, final: bool = True) -> CapturePayment:
    return CapturePayment(payment_id=payment, merchant_id=MERCHANT, amount_minor=amount_minor, final=final)


def refund(payment: PaymentId, amount_minor: int | None = None, *, refund_fee: bool = False) -> RefundPayment:
    return RefundPayment(
        payment_id=payment, merchant_id=MERCHANT, amount_minor=amount_minor, refund_fee=refund_fee, reason="cold"
    )


def confirm(payment: PaymentId, customer: int = 1) -> ConfirmPayment:
    return ConfirmPayment(payment_id=payment, customer_id=user_id(customer))


def cancel(payment: PaymentId, by: int = 2) -> CancelPayment:
    return CancelPayment(payment_id=payment, by=user_id(by))


def set_fees(basis_points: int, fixed_minor: int) -> SetFees:
    return SetFees(merchant_id=MERCHANT, currency=USD, fees=FeeSchedule(basis_points, fixed_minor))


def moves(transaction: Transaction) -> list[tuple[TransferKind, int]]:
    return [(transfer.kind, transfer.amount_minor) for transfer in transaction.transfers]
