"""What histories come to too seldom to find it soon is looked up in the rules themselves."""

from datetime import UTC, datetime

from gateway import CloseAccount, RefundPayment
from gateway.domain.account import AccountId
from gateway.domain.payment import PaymentId
from gateway.domain.user import UserId
from gateway.simulation.model import Model
from gateway.simulation.model_records import ModelAccount, ModelPayment, customer_key, merchant_key
from gateway.simulation.rules import effect_of


def test_a_refund_gives_no_more_of_the_fee_back_than_itself() -> None:
    """Half was captured without a fee and went back; the other half was all fee."""
    payment = ModelPayment(
        id=PaymentId("pay_1"),
        status="captured",
        amount=20,
        currency="USD",
        manual=True,
        customer=UserId("usr_1"),
        merchant=UserId("usr_2"),
        reference=None,
        captured=20,
        charged=10,
        refunded=10,
        refunded_with_fee=10,
    )
    accounts = {
        merchant_key(UserId("usr_2"), "USD"): ModelAccount(posted=1),
        customer_key(UserId("usr_1"), "USD"): ModelAccount(),
    }
    model = Model(accounts=accounts)
    model.payments[payment.id] = payment
    refund = RefundPayment(payment_id=payment.id, merchant_id=payment.merchant, amount_minor=1, refund_fee=True)
    assert effect_of(refund, model, datetime(2026, 1, 1, tzinfo=UTC)).told == ("refund", 1, 1)


def test_an_account_that_was_frozen_and_suspended_is_only_closed_when_it_is_closed() -> None:
    key = merchant_key(UserId("usr_1"), "USD")
    model = Model(accounts={key: ModelAccount(frozen=True, suspended=True)}, keys={AccountId("acc_1"): key})
    closed = effect_of(
        CloseAccount(account_id=AccountId("acc_1"), owner_id=None), model, datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert closed.told == ModelAccount(closed=True, version=2)
