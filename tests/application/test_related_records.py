"""Which records come along with those that commands name, without any storage."""

from dataclasses import replace

import pytest

from gateway.application.ports.batch_records import AccountHolder, Payer
from gateway.application.ports.related_records import (
    AccountsToLoad,
    account_holders_to_find,
    accounts_to_load,
    fee_accounts_to_load,
    quotes_to_load,
)
from gateway.application.ports.unit_of_work import Wanted
from gateway.contracts.records import (
    EUR,
    USD,
    a_payment,
    a_quote,
    a_transaction,
    account_id,
    an_account,
    payment_id,
    quote_id,
    user_id,
)
from gateway.domain.account import AccountKey, AccountKind, system_account
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import Money

CUSTOMER = AccountKey(user_id(1), USD, AccountKind.CUSTOMER)
MERCHANT = AccountKey(user_id(2), USD, AccountKind.MERCHANT)
NOTHING = AccountsToLoad(set(), set(), set())


def test_a_payment_brings_the_accounts_of_its_parties() -> None:
    assert accounts_to_load(Wanted(), [a_payment()], [], []).keys == {CUSTOMER, MERCHANT}


def test_an_open_request_brings_the_accounts_of_its_merchant_and_of_those_who_confirm_it() -> None:
    request = a_payment(customer_id=None)
    wanted = Wanted(payers=[Payer(request.id, user_id(7)), Payer(payment_id(9), user_id(8))])
    assert accounts_to_load(wanted, [request], [], []).keys == {
        MERCHANT,
        AccountKey(user_id(7), USD, AccountKind.CUSTOMER),
    }


def test_a_payment_brings_its_quote() -> None:
    payments = [a_payment(1, quote_id=quote_id(5)), a_payment(2)]
    assert quotes_to_load(Wanted(quotes=[quote_id(6)]), payments) == {quote_id(5), quote_id(6)}


@pytest.mark.parametrize("spread_minor", [0, 1])
def test_a_quote_brings_the_accounts_of_its_exchange_and_fees_only_for_a_spread(spread_minor: int) -> None:
    found = accounts_to_load(Wanted(), [], [a_quote(spread_minor=spread_minor)], [])
    exchange = {system_account(AccountKind.EXCHANGE, currency) for currency in (EUR, USD)}
    assert found.keys == {AccountKey(user_id(1), EUR, AccountKind.CUSTOMER), *exchange}
    assert found.fee_keys == ({system_account(AccountKind.FEES, EUR)} if spread_minor else set())


def test_a_transaction_brings_the_accounts_between_which_it_moved_money() -> None:
    found = accounts_to_load(Wanted(account_ids=[account_id(9)]), [], [], [a_transaction()])
    assert found.ids == {account_id(1), account_id(2), account_id(9)}


def test_accounts_for_fees_that_are_wanted_are_locked_last() -> None:
    fees = system_account(AccountKind.FEES, USD)
    found = accounts_to_load(Wanted(account_keys=[fees, CUSTOMER]), [], [], [])
    assert found == AccountsToLoad({CUSTOMER}, set(), {fees})


def test_merchants_and_payments_with_fees_bring_the_accounts_for_fees_of_their_currencies() -> None:
    charged = an_account(fees=FeeSchedule(0, 1), currency=EUR)
    paid = replace(a_payment(amount=Money(40, USD)), fee_amount_minor=1)
    assert fee_accounts_to_load(NOTHING, [an_account()], [a_payment()]) == set()
    assert fee_accounts_to_load(NOTHING, [charged], [paid]) == {
        system_account(AccountKind.FEES, EUR),
        system_account(AccountKind.FEES, USD),
    }


def test_the_owners_of_accounts_that_were_not_found_are_looked_for() -> None:
    found = an_account(owner_id=user_id(1), currency=USD)
    assert account_holders_to_find([CUSTOMER, MERCHANT], [found]) == {AccountHolder(user_id(2), AccountKind.MERCHANT)}
