"""The exchange legs of payments and refunds with a quote.

A transfer has one currency, so a payment across two has several: the customer pays the exchange account in the source
currency, the exchange account of the target currency pays the merchant, and the spread goes from the exchange to the
fees. The merchant's transfer has the same place as without a quote: first in a payment, last in a refund.
"""

from gateway.application.commands.shared.accounts import exchange_account, fees_account, payer_account
from gateway.application.commands.shared.transfer_sequence import TransferSequence
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.account import Account
from gateway.domain.payment import Payment
from gateway.domain.quote import Quote, source_refund
from gateway.domain.transfer import give_back, post


def pay_across(steps: TransferSequence, quote: Quote, customer: Account, merchant: Account, ledger: LedgerView) -> None:
    """Add the transfers of a payment with a quote, except the merchant's fee.

    Raises:
        AccountFrozen, InsufficientFunds, BalanceOverflow: As `post`. Only the customer can lack funds.
    """
    source = quote.source.currency
    exchange = exchange_account(ledger, source)
    steps.make(post, exchange_account(ledger, quote.target.currency), merchant, quote.target.amount_minor)
    steps.make(post, customer, exchange, quote.source.amount_minor)
    if quote.spread_minor:
        steps.make(post, exchange, fees_account(ledger, source), quote.spread_minor)


def return_across(steps: TransferSequence, quote: Quote, before: Payment, after: Payment, ledger: LedgerView) -> None:
    """Add the transfers of a refund in the source currency, which return the customer's share.

    Args:
        steps: The transfers are added here.
        quote: The quote of the payment; its rate applies.
        before: The payment before the refund.
        after: The payment after the refund.
        ledger: The ledger with the accounts.

    Raises:
        AccountFrozen, BalanceOverflow: As `post`.
    """
    share = source_refund(
        quote,
        refunded_before_minor=before.amount_refunded_minor,
        refunded_minor=after.amount_refunded_minor,
        with_fee_before_minor=before.amount_refunded_with_fee_minor,
        with_fee_minor=after.amount_refunded_with_fee_minor,
    )
    source = quote.source.currency
    exchange = exchange_account(ledger, source)
    if share.spread_minor:
        steps.make(give_back, fees_account(ledger, source), exchange, share.spread_minor)
    steps.make(give_back, exchange, payer_account(ledger, quote.customer_id, source), share.source_minor)
