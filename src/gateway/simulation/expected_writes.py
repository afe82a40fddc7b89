"""Expected writes: what a run of a batch must have written, according to the model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.application.ports.unit_of_work import AnswerKey, Changes
from gateway.domain.account import AccountId, AccountKey
from gateway.domain.payment import QuoteId
from gateway.domain.transaction import Transaction
from gateway.simulation.answers import model_quote
from gateway.simulation.effect import Effect
from gateway.simulation.model_records import ModelQuote, Move
from gateway.simulation.violation import Violation


@dataclass(slots=True)
class ExpectedWrites:
    """Collects effects, and compares them with the changes of a commit."""

    answers: dict[AnswerKey, tuple[bytes, bytes]] = field(default_factory=dict[AnswerKey, tuple[bytes, bytes]])
    """The fingerprint and the body of each stored answer."""
    quotes: dict[QuoteId, ModelQuote] = field(default_factory=dict[QuoteId, ModelQuote])
    events: list[str] = field(default_factory=list[str])
    transactions: list[tuple[str, tuple[Move, ...]]] = field(default_factory=list[tuple[str, tuple[Move, ...]]])

    def add(self, effect: Effect) -> None:
        """Add the quote, the events and the transaction of an effect."""
        if effect.quote is not None:
            self.quotes[effect.quote.id] = effect.quote
        self.events.extend(effect.events)
        if effect.transaction:
            self.transactions.append((effect.transaction, effect.moves))

    def adopt(self, others: "ExpectedWrites") -> None:
        """Add the writes of an atomic bulk submission."""
        self.answers.update(others.answers)
        self.quotes.update(others.quotes)
        self.events.extend(others.events)
        self.transactions.extend(others.transactions)

    def compare(self, written: Changes, keys: Mapping[AccountId, AccountKey]) -> Iterator[Violation]:
        """The differences from what was written. `keys` has the keys of all accounts in it."""
        quotes = {quote.id: model_quote(quote) for quote in (*written.quotes_new, *written.quotes_changed)}
        if quotes != self.quotes:
            yield Violation("quotes", f"Written are {quotes}; it must be {self.quotes}.")
        answers = {answer.key: (answer.fingerprint, answer.body) for answer in written.answers_new}
        if answers != self.answers:
            detail = f"Kept are {list(answers)}; it must be {list(self.answers)}, as answered."
            yield Violation("answers_stored", detail)
        events = [event.type.value for event in written.events_new]
        if events != self.events:
            yield Violation("events", f"Written are {events}; it must be {self.events}.")
        transactions = [(each.type.value, moves_of(each, keys)) for each in written.transactions_new]
        if transactions != self.transactions:
            yield Violation("transactions", f"Written are {transactions}; it must be {self.transactions}.")


def moves_of(transaction: Transaction, keys: Mapping[AccountId, AccountKey]) -> tuple[Move, ...]:
    """The transfers of a transaction in the words of the model."""
    return tuple(
        Move(each.kind.value, keys[each.debit_account_id], keys[each.credit_account_id], each.amount_minor)
        for each in transaction.transfers
    )
