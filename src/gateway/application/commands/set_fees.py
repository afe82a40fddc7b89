"""Set the fees of a merchant."""

from dataclasses import field
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import account_event, payee_account, payee_key
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import Account, AccountKind, system_account
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_id, check_reason, check_type
from gateway.domain.event_type import EventType
from gateway.domain.fees import FeeSchedule, check_fees
from gateway.domain.immutable import ADDED_LATER, immutable
from gateway.domain.money import CurrencyCode, currency_code
from gateway.domain.transfer import must_not_be_closed
from gateway.domain.user import UserId


@immutable
class SetFees(Command[Account]):
    """Set the fee schedule of the merchant's account in a currency, for captures from now on.

    Refuses: merchant_not_found, currency_mismatch, account_closed.
    """

    result_type: ClassVar = Account

    merchant_id: UserId
    currency: CurrencyCode
    fees: FeeSchedule
    reason: str | None = field(default=None, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        check_id("merchant_id", self.merchant_id)
        currency_code(self.currency)
        check_type("fees", self.fees, FeeSchedule)
        check_fees(self.fees)
        check_reason(self.reason)

    @override
    def needs(self) -> Needs:
        """The merchant's account; and the account for fees, for payments to the merchant in the same batch."""
        return Needs(
            account_keys=(
                payee_key(self.merchant_id, self.currency),
                system_account(AccountKind.FEES, self.currency),
            )
        )

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:
        before = payee_account(ledger, self.merchant_id, self.currency)
        must_not_be_closed(before)
        after = before.with_fee_schedule(self.fees)
        if after is before:
            return Decision(outcome=before)
        return Decision(
            outcome=after,
            accounts=(after,),
            events=(account_event(EventType.ACCOUNT_FEES_CHANGED, after, moment),),
            notes=(
                AuditNote(
                    action=AuditAction.FEES_CHANGED,
                    object_id=after.id,
                    owner_id=after.owner_id,
                    reason=self.reason,
                    before=before.fees._asdict(),
                    after=after.fees._asdict(),
                ),
            ),
        )
