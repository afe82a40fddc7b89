"""Accounts: their keys, finding them in the ledger, and opening them."""

from collections.abc import Iterable

from gateway.application.engine.command import Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.account import (
    SYSTEM_KINDS,
    Account,
    AccountId,
    AccountKey,
    AccountKind,
    open_account,
    system_account,
)
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.errors import AccountNotFound, CurrencyMismatch, MerchantNotFound, UserNotFound
from gateway.domain.event import Event
from gateway.domain.event_type import EventType
from gateway.domain.money import CurrencyCode
from gateway.domain.user import SYSTEM, UserId


def payer_key(customer_id: UserId, currency: CurrencyCode) -> AccountKey:
    """The account that a customer pays from."""
    return AccountKey(customer_id, currency, AccountKind.CUSTOMER)


def payee_key(merchant_id: UserId, currency: CurrencyCode) -> AccountKey:
    """The account that a merchant is paid to."""
    return AccountKey(merchant_id, currency, AccountKind.MERCHANT)


def payer_account(ledger: LedgerView, customer_id: UserId, currency: CurrencyCode) -> Account:
    """The account that a customer pays from.

    Raises:
        UserNotFound: There is no such customer.
        CurrencyMismatch: The customer has no account in this currency.
    """
    key = payer_key(customer_id, currency)
    account = ledger.find_account(key)
    if account is not None:
        return account
    customer_must_exist(ledger, key)
    raise CurrencyMismatch(f"The customer has no account in {currency}.")


def customer_must_exist(ledger: LedgerView, key: AccountKey) -> None:
    """Check that a customer has an account, in whatever currency; `key` is of one that the customer pays from.

    Raises:
        UserNotFound: There is no such customer.
    """
    if ledger.find_account(key) is None and not ledger.has_account_in_another_currency(key):
        raise no_such_customer()


def no_such_customer() -> UserNotFound:
    """The refusal of a payment by a customer who does not exist, or whom another merchant manages."""
    return UserNotFound("There is no such customer.")


def merchant_must_exist(ledger: LedgerView, key: AccountKey) -> None:
    """Check that a merchant has an account, in any currency; `key` is of one that the merchant is paid to.

    Raises:
        MerchantNotFound: The merchant does not exist.
    """
    if ledger.find_account(key) is None and not ledger.has_account_in_another_currency(key):
        raise MerchantNotFound("There is no such merchant.")


def payee_account(ledger: LedgerView, merchant_id: UserId, currency: CurrencyCode) -> Account:
    """The account that a merchant is paid to.

    Raises:
        MerchantNotFound: The merchant does not exist.
        CurrencyMismatch: The merchant has no account in this currency.
    """
    key = payee_key(merchant_id, currency)
    account = ledger.find_account(key)
    if account is not None:
        return account
    if ledger.has_account_in_another_currency(key):
        raise CurrencyMismatch(f"The merchant has no account in {currency}.")
    raise MerchantNotFound("There is no such merchant.")


def fees_account(ledger: LedgerView, currency: CurrencyCode) -> Account:
    """The gateway's account for fees. It is loaded with a merchant account that has fees."""
    account = ledger.find_account(system_account(AccountKind.FEES, currency))
    if account is None:
        raise AccountNotFound(f"The gateway has no account for fees in {currency}.")
    return account


def exchange_account(ledger: LedgerView, currency: CurrencyCode) -> Account:
    """The gateway's account for exchange. A quote's two exchange accounts are loaded with it."""
    account = ledger.find_account(system_account(AccountKind.EXCHANGE, currency))
    if account is None:
        raise AccountNotFound(f"The gateway has no account for exchange in {currency}.")
    return account


def users_account(ledger: LedgerView, account_id: AccountId, owner_id: UserId | None = None) -> Account:
    """The account of the user `owner_id`, or of any user if `owner_id` is `None`.

    Raises:
        AccountNotFound: No account has this id, it is the gateway's own, or another user's.
    """
    account = ledger.account(account_id)
    if account.owner_id == SYSTEM or (owner_id is not None and account.owner_id != owner_id):
        raise AccountNotFound("There is no such account.")
    return account


def keys_to_open(key: AccountKey) -> tuple[AccountKey, ...]:
    """A user's account, and the gateway's own accounts that must exist before its money can move."""
    return (key, *(system_account(kind, key.currency) for kind in SYSTEM_KINDS))


def open_missing(
    keys: Iterable[AccountKey], ledger: LedgerView, moment: Moment, *, managed_by: UserId | None = None
) -> list[Account]:
    """New accounts for the keys without an account, in their order. `managed_by` manages the users among the owners."""
    return [
        open_account(
            key,
            account_id=AccountId(moment.new_id("acc")),
            now=moment.now,
            managed_by=None if key.owner_id == SYSTEM else managed_by,
        )
        for key in keys
        if ledger.find_account(key) is None
    ]


def account_event(kind: EventType, account: Account, moment: Moment) -> Event:
    """A change of the account itself, not of its balance."""
    return moment.event(kind, account, parties=account, sequence=account.version)


def status_changed(
    before: Account, after: Account, kind: EventType, moment: Moment, *, reason: str | None = None
) -> Decision[Account]:
    """The decision on an account's status; without records if it is unchanged."""
    if after is before:
        return Decision(outcome=before)
    note = AuditNote(
        action=AuditAction(kind.value),
        object_id=after.id,
        owner_id=after.owner_id,
        reason=reason,
        before={"status": before.status.value},
        after={"status": after.status.value},
    )
    return Decision(outcome=after, accounts=(after,), events=(account_event(kind, after, moment),), notes=(note,))
