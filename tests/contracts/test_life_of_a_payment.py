"""Every storage adapter keeps what becomes of a payment."""

import pytest

from gateway.contracts.life_of_a_payment import LifeOfAPaymentContract


@pytest.mark.locking
class TestLifeOfAPayment(LifeOfAPaymentContract):
    pass
