"""What payments across currencies have in common: their quote, and what moves by way of the exchange.

A transfer is of one currency, and so a payment across two is several: the customer pays the exchange in one, the
exchange pays the merchant in the other, and the spread goes from the exchange to the fees. The transfer that the
transaction is about, the merchant's, stands where it does without an exchange: first in a payment, last in a refund.
"""

from gateway.application.commands.shared.accounts import exchange_account, fees_account, payer_account
from gateway.application.commands.shared.steps import Steps
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.account import Account
from gateway.domain.payment import Payment
from gateway.domain.quote import Quote, returned
from gateway.domain.transfer import post


def pay_across(steps: Steps, quote: Quote, customer: Account, merchant: Account, ledger: LedgerView) -> None:
    """Make the transfers of a payment with a quote, but for the merchant's fee.

    Raises:
        AccountFrozen, InsufficientFunds, BalanceOverflow: As `post`. Only the customer can lack funds.
    """
    source = quote.source.currency
    exchange = exchange_account(ledger, source)
    steps.make(post, exchange_account(ledger, quote.target.currency), merchant, quote.target.amount_minor)
    steps.make(post, customer, exchange, quote.source.amount_minor)
    if quote.spread_minor:
        steps.make(post, exchange, fees_account(ledger, source), quote.spread_minor)


def return_across(steps: Steps, quote: Quote, before: Payment, after: Payment, ledger: LedgerView) -> None:
    """Make the transfers of a refund that bring the customer their share back: those in the source currency.

    Args:
        steps: Where they are made.
        quote: At whose rate it goes back.
        before: The payment without the refund.
        after: The payment with it.
        ledger: Where the accounts are.

    Raises:
        AccountFrozen, BalanceOverflow: As `post`.
    """
    share = returned(
        quote, refunded_before_minor=before.amount_refunded_minor, refunded_minor=after.amount_refunded_minor
    )
    source = quote.source.currency
    exchange = exchange_account(ledger, source)
    if share.spread_minor:
        steps.make(post, fees_account(ledger, source), exchange, share.spread_minor)
    steps.make(post, exchange, payer_account(ledger, quote.customer_id, source), share.source_minor)
