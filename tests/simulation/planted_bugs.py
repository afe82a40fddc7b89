"""Planted bugs: each breaks one thing in the real code, as somebody might one day, and the simulation must find it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import pytest
from tenacity import AsyncRetrying, retry_if_exception_type

from gateway import CancelPayment, ConfirmPayment
from gateway.adapters.memory import MemoryUnitOfWork
from gateway.application.commands.shared import payments as shared_payments
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.engine import batch
from gateway.application.engine.batch import Batch
from gateway.application.engine.command import Decision, Moment
from gateway.application.engine.draft import Draft
from gateway.application.engine.group_commit import GroupCommit
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.engine.submission import Answer, CommandSubmission, Failed, Submission, is_stored
from gateway.application.engine.ticket import Ticket
from gateway.application.engine.wanted import needs_of, wanted_by
from gateway.application.ports.unit_of_work import Changes, TryAgain
from gateway.domain import new_payment
from gateway.domain import payment_life as payments
from gateway.domain import quote as quotes
from gateway.domain.account import MAY_BE_NEGATIVE, Account
from gateway.domain.errors import InsufficientFunds, Refusal
from gateway.domain.event import Event
from gateway.domain.fees import FeeSchedule, divided_half_even
from gateway.domain.payment import Payment
from gateway.domain.payment_life import Refunded
from gateway.domain.payment_status import PaymentAction, PaymentStatus, after_its_time
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.quote import Quote, SourceRefund
from gateway.domain.refund import Refund
from gateway.domain.user import UserId

Plant = Callable[[pytest.MonkeyPatch], None]


def funds_are_checked_one_off(patch: pytest.MonkeyPatch) -> None:
    """`<` became `<=` in a look at the balance after."""

    def must_be_available(debit: Account, amount_minor: int) -> None:
        if debit.kind not in MAY_BE_NEGATIVE and debit.available + 1 < amount_minor:
            raise InsufficientFunds("The available balance does not cover the amount.")

    patch.setattr("gateway.domain.transfer._must_be_available", must_be_available)


def held_money_is_spent(patch: pytest.MonkeyPatch) -> None:
    """`posted` where `available` belongs."""

    def must_be_available(debit: Account, amount_minor: int) -> None:
        if debit.kind not in MAY_BE_NEGATIVE and debit.posted < amount_minor:
            raise InsufficientFunds("The available balance does not cover the amount.")

    patch.setattr("gateway.domain.transfer._must_be_available", must_be_available)


def a_frozen_account_pays(patch: pytest.MonkeyPatch) -> None:
    """A guard is missing."""
    patch.setattr("gateway.domain.transfer._must_be_open", lambda debit, credit: None)  # noqa: ARG005 - it does nothing.


def time_is_over_a_moment_late(patch: pytest.MonkeyPatch) -> None:
    """`>` for `>=`."""

    def status_at(self: Payment, now: datetime) -> PaymentStatus:
        over = self.expires_at is not None and now > self.expires_at
        return after_its_time(self.status) if over else self.status

    patch.setattr(Payment, "status_at", status_at)


def expired_holds_are_captured(patch: pytest.MonkeyPatch) -> None:
    """The stored status was asked, and not the time."""

    def must_allow(payment: Payment, action: PaymentAction, now: datetime) -> None:  # noqa: ARG001 - that is the bug.
        if action not in payment.allowed_actions:
            raise payments.state_refusal(payment)

    patch.setattr(payments, "must_allow", must_allow)
    patch.setattr("gateway.application.commands.capture_payment.must_allow", must_allow)


def canceled_payments_are_captured(patch: pytest.MonkeyPatch) -> None:
    """The wrong branch of a match."""
    allowed = Payment.allowed_actions

    def allowed_actions(self: Payment) -> tuple[PaymentAction, ...]:
        if self.status is PaymentStatus.CANCELED:
            return (PaymentAction.CAPTURE,)
        return allowed.__get__(self)  # type: ignore[no-any-return]  # A property is a descriptor.

    patch.setattr(Payment, "allowed_actions", property(allowed_actions))


def customers_cancel_what_they_confirmed(patch: pytest.MonkeyPatch) -> None:
    """Who asks is not looked at."""
    decide = CancelPayment.decide

    def decide_for_anybody(self: CancelPayment, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
        return decide(replace(self, by=ledger.payment(self.payment_id).merchant_id), ledger, moment)

    patch.setattr(CancelPayment, "decide", decide_for_anybody)


def a_failed_confirmation_binds_the_request(patch: pytest.MonkeyPatch) -> None:
    """Whoever could not pay is its customer from then on."""

    def bind(payment: Payment, event: Event, customer: UserId) -> tuple[Payment, Event]:
        bound = replace(payment, customer_id=customer)
        return bound, replace(event, object=bound, customer_id=customer)

    _refused_confirmation_as(patch, bind)


def the_event_of_a_failed_confirmation_names_a_stranger(patch: pytest.MonkeyPatch) -> None:
    """The request stays open, and yet the merchant is told who could not pay."""
    _refused_confirmation_as(patch, lambda payment, event, customer: (payment, replace(event, customer_id=customer)))


def _refused_confirmation_as(
    patch: pytest.MonkeyPatch, instead: Callable[[Payment, Event, UserId], tuple[Payment, Event]]
) -> None:
    decide = ConfirmPayment.decide

    def decide_as(self: ConfirmPayment, ledger: LedgerView, moment: Moment) -> Decision[PaymentResult]:
        decision = decide(self, ledger, moment)
        if not isinstance(decision.outcome, InsufficientFunds):
            return decision
        [kept], [told] = decision.payments, decision.events
        payment, event = instead(kept, told, self.customer_id)
        return replace(decision, payments=(payment,), events=(event,))

    patch.setattr(ConfirmPayment, "decide", decide_as)


def a_failed_confirmation_is_final(patch: pytest.MonkeyPatch) -> None:
    """The first try without funds ends the request."""

    def confirmation_failed(payment: Payment, **why: Any) -> Payment:
        return replace(payments.confirmation_failed(payment, **why), status=PaymentStatus.FAILED)

    patch.setattr("gateway.application.commands.confirm_payment.confirmation_failed", confirmation_failed)


def a_confirmed_request_keeps_its_failure_code(patch: pytest.MonkeyPatch) -> None:
    """The confirmation that succeeds forgets the one that failed before it."""

    def confirmed(payment: Payment, **by: Any) -> Payment:
        return replace(payments.confirmed(payment, **by), failure_code=payment.failure_code)

    patch.setattr("gateway.application.commands.confirm_payment.confirmed", confirmed)


def holds_outlive_their_payment(patch: pytest.MonkeyPatch) -> None:
    """Canceling forgets to give back what is held."""

    def release_decision(after: payments.PaymentEnding, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
        return shared_payments.release_decision(after._replace(released_minor=0), ledger, moment)

    patch.setattr("gateway.application.commands.cancel_payment.release_decision", release_decision)


def the_rest_of_a_capture_stays_held(patch: pytest.MonkeyPatch) -> None:
    """The final capture forgets the release."""

    def capture_hold(*arguments: Any, **named: Any) -> payments.Capture:
        return payments.capture_hold(*arguments, **named)._replace(released_minor=0)

    patch.setattr("gateway.application.commands.capture_payment.capture_hold", capture_hold)


def fees_are_rounded_half_up(patch: pytest.MonkeyPatch) -> None:
    """The school's rounding."""
    patch.setattr("gateway.domain.fees.divided_half_even", lambda above, below: (2 * above + below) // (2 * below))


def fees_are_rounded_part_by_part(patch: pytest.MonkeyPatch) -> None:
    """Each capture is charged for itself, so the parts do not add up to the whole."""

    def fee_on_capture(
        schedule: FeeSchedule, *, captured_before_minor: int, part_minor: int, charged_minor: int
    ) -> int:
        del captured_before_minor, charged_minor
        return schedule.fee_on(part_minor)

    patch.setattr(payments, "fee_on_capture", fee_on_capture)


def the_last_refund_gets_its_own_share(patch: pytest.MonkeyPatch) -> None:
    """Each refund's share of the fee is rounded for itself, so that the last one does not take the rest."""

    def refund(paid: Payment, **asked: Any) -> payments.Refunded:
        right = payments.refund(paid, **asked)
        charged, captured = paid.fee_amount_minor + paid.fee_refunded_minor, paid.amount_captured_minor
        share = divided_half_even(charged * right.amount_minor, captured) if asked["refund_fee"] else 0
        after = replace(
            right.payment,
            fee_amount_minor=paid.fee_amount_minor - share,
            fee_refunded_minor=paid.fee_refunded_minor + share,
        )
        return right._replace(fee_minor=share, payment=after)

    patch.setattr("gateway.application.commands.refund_payment.refund", refund)


def one_minor_unit_too_much_is_refunded(patch: pytest.MonkeyPatch) -> None:
    """The limit is one off."""
    _refund_up_to(patch, lambda paid: paid.amount_captured_minor + 1)


def more_is_refunded_than_was_captured(patch: pytest.MonkeyPatch) -> None:
    """The authorized amount was taken for the captured one."""
    _refund_up_to(patch, lambda paid: paid.amount.amount_minor)


def _refund_up_to(patch: pytest.MonkeyPatch, limit_minor: Callable[[Payment], int]) -> None:
    def refund(paid: Payment, **asked: Any) -> payments.Refunded:
        refunded = payments.refund(replace(paid, amount_captured_minor=limit_minor(paid)), **asked)
        return refunded._replace(payment=replace(refunded.payment, amount_captured_minor=paid.amount_captured_minor))

    patch.setattr("gateway.application.commands.refund_payment.refund", refund)


def quotes_are_not_marked_used(patch: pytest.MonkeyPatch) -> None:
    """The payment names its quote, and the quote nobody."""
    patch.setattr(Quote, "used_by", lambda self, payment_id: replace(self, version=self.version + 1))  # noqa: ARG005 - the bug.


def quotes_are_used_twice(patch: pytest.MonkeyPatch) -> None:
    """Whether a payment has used it is not looked at."""
    _good_as(patch, lambda quote, asked: (replace(quote, payment_id=None), asked))


def quotes_are_good_a_moment_too_long(patch: pytest.MonkeyPatch) -> None:
    """`>` for `>=`."""
    moment = timedelta(microseconds=1)
    _good_as(patch, lambda quote, asked: (quote, asked | {"now": asked["now"] - moment}))


def quotes_are_good_for_anybody(patch: pytest.MonkeyPatch) -> None:
    """Whose it is is not looked at."""
    _good_as(patch, lambda quote, asked: (quote, asked | {"customer_id": quote.customer_id}))


def quotes_are_good_for_any_amount(patch: pytest.MonkeyPatch) -> None:
    """The merchant gets the target, whatever the payment says."""
    _good_as(patch, lambda quote, asked: (quote, asked | {"amount": quote.target}))


def _good_as(patch: pytest.MonkeyPatch, taken: Callable[[Quote, dict[str, Any]], tuple[Quote, dict[str, Any]]]) -> None:
    check_usable = quotes.check_usable

    def check_usable_as(quote: Quote, **asked: Any) -> None:
        instead, asked_instead = taken(quote, asked)
        check_usable(instead, **asked_instead)

    patch.setattr(shared_payments, "check_usable", check_usable_as)


def targets_are_rounded_up(patch: pytest.MonkeyPatch) -> None:
    """The exchange gives more than it got."""
    patch.setattr("gateway.domain.conversion.floor", ceil)


def a_minor_unit_is_a_cent(patch: pytest.MonkeyPatch) -> None:
    """Every currency has two decimals."""
    patch.setattr("gateway.domain.conversion.exponent", lambda currency: 2)  # noqa: ARG005 - that is the bug.


def the_spread_is_not_returned(patch: pytest.MonkeyPatch) -> None:
    """A refund forgets it: the customer gets theirs, and the exchange pays for it."""
    _source_refund_as(patch, lambda right, quote, refunded: right._replace(spread_minor=0))  # noqa: ARG005 - as the others.


def the_last_refund_returns_the_spread_again(patch: pytest.MonkeyPatch) -> None:
    """All of it, whatever went back before."""

    def again(right: SourceRefund, quote: Quote, refunded: Mapping[str, int]) -> SourceRefund:
        is_last = refunded["refunded_minor"] == quote.target.amount_minor
        return right._replace(spread_minor=quote.spread_minor) if is_last else right

    _source_refund_as(patch, again)


def refunds_go_back_one_to_one(patch: pytest.MonkeyPatch) -> None:
    """The amount is right, and in another currency."""

    def one_to_one(right: SourceRefund, quote: Quote, refunded: Mapping[str, int]) -> SourceRefund:
        del quote
        return right._replace(source_minor=refunded["refunded_minor"] - refunded["refunded_before_minor"])

    _source_refund_as(patch, one_to_one)


def the_last_refund_across_gets_its_own_share(patch: pytest.MonkeyPatch) -> None:
    """Each refund's share is rounded for itself, so that the last one does not take the rest."""

    def its_own(right: SourceRefund, quote: Quote, refunded: Mapping[str, int]) -> SourceRefund:
        del right
        part = refunded["refunded_minor"] - refunded["refunded_before_minor"]
        shares = (
            whole * part // quote.target.amount_minor for whole in (quote.source.amount_minor, quote.spread_minor)
        )
        return SourceRefund(*shares)

    _source_refund_as(patch, its_own)


def the_spread_is_returned_whatever_was_promised(patch: pytest.MonkeyPatch) -> None:
    """Every refund returns it."""

    def promise_forgotten(right: SourceRefund, quote: Quote, refunded: Mapping[str, int]) -> SourceRefund:
        del right
        return quotes.source_refund(replace(quote, spread_refund=quotes.SpreadRefund.ALWAYS), **refunded)

    _source_refund_as(patch, promise_forgotten)


def payments_across_are_refunded_for_ever(patch: pytest.MonkeyPatch) -> None:
    """The time for refunds that the quote promised is forgotten."""

    def refund(paid: Payment, *, until: datetime | None, **asked: Any) -> Refunded:
        del until
        return payments.refund(paid, **asked)

    patch.setattr("gateway.application.commands.refund_payment.refund", refund)


def _source_refund_as(
    patch: pytest.MonkeyPatch, instead: Callable[[SourceRefund, Quote, Mapping[str, int]], SourceRefund]
) -> None:
    def source_refund(quote: Quote, **refunded: int) -> SourceRefund:
        return instead(quotes.source_refund(quote, **refunded), quote, refunded)

    patch.setattr("gateway.application.commands.shared.exchange_legs.source_refund", source_refund)


def transactions_are_reversed_twice(patch: pytest.MonkeyPatch) -> None:
    """What was reversed already is not looked at."""
    must = "gateway.application.commands.reverse_transaction.must_be_reversible"
    patch.setattr(must, lambda transaction: None)  # noqa: ARG005 - it does nothing.


def references_are_used_twice(patch: pytest.MonkeyPatch) -> None:
    """A guard is missing."""
    patch.setattr(LedgerView, "must_be_free", lambda self, reference: None)  # noqa: ARG005 - it does nothing.


def a_payment_that_failed_keeps_its_reference(patch: pytest.MonkeyPatch) -> None:
    """A name that nobody has paid under is used up."""
    patch.setattr(new_payment, "ENDED_WITHOUT_MONEY", frozenset({PaymentStatus.CANCELED, PaymentStatus.EXPIRED}))


def a_payment_that_was_canceled_keeps_its_reference(patch: pytest.MonkeyPatch) -> None:
    """A name that nobody will pay under is used up."""
    patch.setattr(payments, "ENDED_WITHOUT_MONEY", frozenset({PaymentStatus.FAILED, PaymentStatus.EXPIRED}))


def a_customer_uses_up_the_names_of_others(patch: pytest.MonkeyPatch) -> None:
    """Who gave a name is forgotten."""
    patch.setattr(PaymentOrder, "reference_given_by", property(lambda order: order.merchant_id))


def a_key_answers_any_request(patch: pytest.MonkeyPatch) -> None:
    """The fingerprint is not compared."""
    answer = batch.answer

    def answer_whatever(submission: CommandSubmission, draft: Draft, moment: Moment) -> Answer | Failed:
        kept = draft.answer(submission.key)
        if kept is None:
            return answer(submission, draft, moment)
        return Answer(body=kept.body, outcome=None, refused=False, replayed=True)

    patch.setattr(batch, "answer", answer_whatever)


def refusals_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Only successes are stored under their key."""
    patch.setattr(batch, "is_stored", lambda outcome: is_stored(outcome) and not isinstance(outcome, Refusal))


def passing_refusals_are_kept(patch: pytest.MonkeyPatch) -> None:
    """A frozen account stays frozen for its key, whatever operators do."""
    patch.setattr(batch, "is_stored", lambda outcome: True)  # noqa: ARG005 - that is the bug.


def the_commit_alone_is_retried(patch: pytest.MonkeyPatch) -> None:
    """The second commit is of a transaction that was rolled back: it is empty, and succeeds."""

    async def run(self: Batch, submissions: Sequence[Submission]) -> list[Answer | Failed]:
        needs = needs_of(submissions)
        async with self.unit_of_work() as work:
            records = await work.load(wanted_by(submissions, needs))
            draft = Draft(records)
            moment = Moment.after(records.latest_at, self.clock(), self.identifiers)
            answers = await batch.answer_all(submissions, needs, draft, moment)
            changes = draft.changes(moment.transactions_at)
            if changes is not None:
                await AsyncRetrying(retry=retry_if_exception_type(TryAgain))(work.commit, changes)
        return answers

    patch.setattr(Batch, "run", run)


def an_event_is_missing(patch: pytest.MonkeyPatch) -> None:
    """A refund is written without the event that tells of it."""
    write = Draft.write

    def write_without(self: Draft, decision: Decision[Any]) -> None:
        events = [event for event in decision.events if not isinstance(event.object, Refund)]
        write(self, replace(decision, events=events))

    patch.setattr(Draft, "write", write_without)


def a_version_is_not_raised(patch: pytest.MonkeyPatch) -> None:
    """Fees change without a new version of the account."""
    patch.setattr(Account, "with_fee_schedule", lambda self, fees: replace(self, fees=fees))


def an_atomic_bundle_leaves_its_first_parts(patch: pytest.MonkeyPatch) -> None:
    """The draft is the draft itself."""
    patch.setattr(Draft, "fork", lambda self: self)


def answers_are_given_to_the_wrong_askers(patch: pytest.MonkeyPatch) -> None:
    """A group is answered back to front."""
    run = GroupCommit._run  # noqa: SLF001 - the bug is inside.

    async def run_reversed(self: GroupCommit, tickets: Sequence[Ticket]) -> None:
        submissions = [ticket.submission for ticket in tickets]
        pairs = zip(submissions, reversed(tickets), strict=True)
        await run(self, [Ticket(submission=asked, answer=ticket.answer, size=ticket.size) for asked, ticket in pairs])

    patch.setattr(GroupCommit, "_run", run_reversed)


def the_storage_loses_an_update(patch: pytest.MonkeyPatch) -> None:
    """An adapter does not write changed payments."""
    commit = MemoryUnitOfWork.commit

    async def commit_without(self: MemoryUnitOfWork, changes: Changes) -> None:
        await commit(self, replace(changes, payments_changed=()))

    patch.setattr(MemoryUnitOfWork, "commit", commit_without)


def money_moves_again_when_an_acknowledgement_is_lost(patch: pytest.MonkeyPatch) -> None:
    """The answers are not in the transaction of the money."""
    commit = MemoryUnitOfWork.commit

    async def commit_without(self: MemoryUnitOfWork, changes: Changes) -> None:
        await commit(self, replace(changes, answers_new=()))

    patch.setattr(MemoryUnitOfWork, "commit", commit_without)


PLANTED: Mapping[Plant, str] = {
    funds_are_checked_one_off: "account_available",
    held_money_is_spent: "account_available",
    a_frozen_account_pays: "outcome",
    time_is_over_a_moment_late: "payment_shown",
    expired_holds_are_captured: "outcome",
    canceled_payments_are_captured: "payment_shown",
    customers_cancel_what_they_confirmed: "outcome",
    a_failed_confirmation_binds_the_request: "payment",
    the_event_of_a_failed_confirmation_names_a_stranger: "event_parties",
    a_failed_confirmation_is_final: "payment",
    a_confirmed_request_keeps_its_failure_code: "outcome",
    holds_outlive_their_payment: "held_for_payments",
    the_rest_of_a_capture_stays_held: "held_for_payments",
    fees_are_rounded_half_up: "outcome",
    fees_are_rounded_part_by_part: "outcome",
    the_last_refund_gets_its_own_share: "outcome",
    one_minor_unit_too_much_is_refunded: "outcome",
    more_is_refunded_than_was_captured: "outcome",
    quotes_are_not_marked_used: "quote_payment",
    quotes_are_used_twice: "outcome",
    quotes_are_good_a_moment_too_long: "outcome",
    quotes_are_good_for_anybody: "outcome",
    quotes_are_good_for_any_amount: "outcome",
    targets_are_rounded_up: "outcome",
    a_minor_unit_is_a_cent: "outcome",
    the_spread_is_not_returned: "exchange",
    the_last_refund_returns_the_spread_again: "exchange",
    refunds_go_back_one_to_one: "exchange",
    the_last_refund_across_gets_its_own_share: "exchange",
    the_spread_is_returned_whatever_was_promised: "exchange",
    payments_across_are_refunded_for_ever: "outcome",
    transactions_are_reversed_twice: "outcome",
    references_are_used_twice: "unexpected_failure",
    a_payment_that_failed_keeps_its_reference: "outcome",
    a_payment_that_was_canceled_keeps_its_reference: "outcome",
    a_customer_uses_up_the_names_of_others: "outcome",
    a_key_answers_any_request: "same_answer",
    refusals_are_forgotten: "acknowledged",
    passing_refusals_are_kept: "answers_stored",
    the_commit_alone_is_retried: "acknowledged",
    an_event_is_missing: "events",
    a_version_is_not_raised: "account_versions",
    an_atomic_bundle_leaves_its_first_parts: "answers_stored",
    answers_are_given_to_the_wrong_askers: "own_answer",
    the_storage_loses_an_update: "payment",
    money_moves_again_when_an_acknowledgement_is_lost: "key_decided_once",
}
"""Each with the invariant that it breaks first, or one of them."""
