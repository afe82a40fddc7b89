"""The book: what a batch may read, and what it has changed so far."""

from collections.abc import Collection
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.application.engine.command import Decision
from gateway.application.ports.unit_of_work import (
    AnswerKey,
    Changes,
    Holder,
    KeptAnswer,
    NewUser,
    Records,
)
from gateway.domain.account import Account, AccountId, AccountKey
from gateway.domain.errors import (
    AccountNotFound,
    DuplicateReference,
    EmailTaken,
    PaymentNotFound,
    QuoteNotFound,
    TransactionNotFound,
    UserExists,
)
from gateway.domain.event import Event
from gateway.domain.payment import Payment, PaymentId, PaymentReference, QuoteId
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction, TransactionId
from gateway.domain.user import UserId


class MustBeAlone(Exception):  # noqa: N818 - it says what must be.
    """A command takes a reference that another command of its batch gives back.

    One statement writes a batch, and a unique index may see the new payment before the one that has ended: each command
    of the batch is then run alone. Clients that wait for an answer before they use the name again never meet this.
    """


class Book:
    """Reads see what earlier commands of the batch decided. Only the batch writes."""

    def __init__(self, records: Records) -> None:
        self._answers = {answer.key: answer for answer in records.answers}
        self._accounts = {account.id: account for account in records.accounts}
        self._account_ids = {account.key: account.id for account in records.accounts}
        self._payments = {payment.id: payment for payment in records.payments}
        self._transactions = {transaction.id: transaction for transaction in records.transactions}
        self._quotes = {quote.id: quote for quote in records.quotes}
        self._holders = set(records.holders)
        self._references_taken = set(records.references_taken)
        self._references_given_back = set[PaymentReference]()
        self._emails_taken = set(records.emails_taken)
        self._user_ids_taken = set(records.user_ids_taken)
        self._users_new: list[NewUser] = []
        self._accounts_new: dict[AccountId, Account] = {}
        self._accounts_changed: dict[AccountId, Account] = {}
        self._payments_new: dict[PaymentId, Payment] = {}
        self._payments_changed: dict[PaymentId, Payment] = {}
        self._transactions_new: list[Transaction] = []
        self._quotes_new: dict[QuoteId, Quote] = {}
        self._quotes_changed: dict[QuoteId, Quote] = {}
        self._refunds_new: list[Refund] = []
        self._events_new: list[Event] = []
        self._answers_new: list[KeptAnswer] = []

    def answer(self, key: AnswerKey) -> KeptAnswer | None:
        """What was answered to this key, if anything was."""
        return self._answers.get(key)

    def account(self, account_id: AccountId) -> Account:
        """The account of this id.

        Raises:
            AccountNotFound: There is none.
        """
        try:
            return self._accounts[account_id]
        except KeyError:
            raise AccountNotFound("There is no such account.") from None

    def find_account(self, key: AccountKey) -> Account | None:
        """The one account of this owner, currency and kind, if it has been opened."""
        account_id = self._account_ids.get(key)
        return None if account_id is None else self._accounts[account_id]

    def holds_another_currency(self, key: AccountKey) -> bool:
        """Whether the owner of an account that does not exist has one of its kind in another currency."""
        return Holder(key.owner_id, key.kind) in self._holders

    def payment(self, payment_id: PaymentId) -> Payment:
        """The payment of this id.

        Raises:
            PaymentNotFound: There is none.
        """
        try:
            return self._payments[payment_id]
        except KeyError:
            raise PaymentNotFound("There is no such payment.") from None

    def transaction(self, transaction_id: TransactionId) -> Transaction:
        """The transaction of this id, with `reversed_by` filled in.

        Raises:
            TransactionNotFound: There is none.
        """
        try:
            return self._transactions[transaction_id]
        except KeyError:
            raise TransactionNotFound("There is no such transaction.") from None

    def quote(self, quote_id: QuoteId) -> Quote:
        """The quote of this id.

        Raises:
            QuoteNotFound: There is none.
        """
        try:
            return self._quotes[quote_id]
        except KeyError:
            raise QuoteNotFound("There is no such quote.") from None

    def must_be_free(self, reference: PaymentReference) -> None:
        """Check that no payment has this reference.

        Raises:
            DuplicateReference: One has.
            MustBeAlone: One had it until a command of this very batch ended it.
        """
        if reference in self._references_given_back:
            raise MustBeAlone
        if reference in self._references_taken:
            raise DuplicateReference("Another payment of yours at this merchant has this reference.")

    def must_be_unregistered(self, email: str, user_id: UserId) -> None:
        """Check that nobody has this e-mail address, nor this id.

        Raises:
            EmailTaken, UserExists: Somebody has.
        """
        if email in self._emails_taken:
            raise EmailTaken("Somebody has registered with this e-mail address already.")
        if user_id in self._user_ids_taken:
            raise UserExists("There is a user of this id already.")

    def write(self, decision: Decision[Any]) -> None:
        """Take down what a command decided."""
        for user in decision.users:
            self._users_new.append(user)
            self._emails_taken.add(user.user.email)
            self._user_ids_taken.add(user.user.id)
        for account in decision.accounts:
            if account.id not in self._accounts:
                self._account_ids[account.key] = account.id
                self._holders.add(Holder(account.owner_id, account.kind))
                self._accounts_new[account.id] = account
            elif account.id in self._accounts_new:
                self._accounts_new[account.id] = account
            else:
                self._accounts_changed[account.id] = account
            self._accounts[account.id] = account
        for payment in decision.payments:
            before = self._payments.get(payment.id)
            if before is not None and payment.id not in self._payments_new:
                self._payments_changed[payment.id] = payment
            else:
                self._payments_new[payment.id] = payment
            if payment.reference is not None:
                self._write_reference(before, payment)
            self._payments[payment.id] = payment
        for transaction in decision.transactions:
            self._transactions_new.append(transaction)
            self._transactions[transaction.id] = transaction
            if transaction.reverses is not None:
                original = self._transactions[transaction.reverses]
                self._transactions[original.id] = replace(original, reversed_by=transaction.id)
        self._write_quotes(decision.quotes)
        self._refunds_new.extend(decision.refunds)
        self._events_new.extend(decision.events)

    def _write_reference(self, before: Payment | None, payment: Payment) -> None:
        held = payment.reference_held
        if held is not None:
            self._references_taken.add(held)
        elif before is not None and before.reference_held is not None:
            self._references_given_back.add(before.reference_held)

    def _write_quotes(self, quotes: Collection[Quote]) -> None:
        for quote in quotes:
            is_new = quote.id not in self._quotes or quote.id in self._quotes_new
            (self._quotes_new if is_new else self._quotes_changed)[quote.id] = quote
            self._quotes[quote.id] = quote

    def fork(self) -> "Book":
        """Another book that begins as this one. What is written in it is not in this one until it is adopted."""
        other = copy(self)
        other.__dict__ = {name: copy(value) for name, value in vars(self).items()}
        return other

    def adopt(self, other: "Book") -> None:
        """Become what a fork has become."""
        self.__dict__ = other.__dict__

    def keep(self, answer: KeptAnswer) -> None:
        """Take down what was answered."""
        self._answers[answer.key] = answer
        self._answers_new.append(answer)

    def changes(self, latest_at: datetime) -> Changes | None:
        """Everything that was taken down, with the moment that ids of transactions are of; `None` if nothing was."""
        # Every change comes with an answer: a batch that keeps no answer has decided nothing that lasts.
        if not self._answers_new:
            return None
        return Changes(
            users_new=self._users_new,
            accounts_new=self._accounts_new.values(),
            accounts_changed=self._accounts_changed.values(),
            payments_new=self._payments_new.values(),
            payments_changed=self._payments_changed.values(),
            transactions_new=self._transactions_new,
            quotes_new=self._quotes_new.values(),
            quotes_changed=self._quotes_changed.values(),
            refunds_new=self._refunds_new,
            events_new=self._events_new,
            answers_new=self._answers_new,
            latest_at=latest_at,
        )
