"""Every storage adapter keeps what becomes of a payment."""

from gateway.contracts.life_of_a_payment import LifeOfAPaymentContract


class TestLifeOfAPayment(LifeOfAPaymentContract):
    pass
