"""Reservation: the accounts of a bulk submission that runs beside smaller batches, which leave these accounts alone."""

from collections.abc import Set as AbstractSet
from typing import Self

from gateway.application.engine.submission import Submission
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import AccountKey
from gateway.domain.immutable import immutable


@immutable
class Reservation:
    """Account keys that only one batch may use at present. A conflict would make all of a bulk submission run again."""

    account_keys: AbstractSet[AccountKey]

    @classmethod
    def of(cls, bulk: Submission) -> Self | None:
        """The reservation for a bulk submission; `None` if it does not know all its accounts before they are loaded."""
        try:
            needs = bulk.needs()
        except Exception:  # noqa: BLE001 - a bug of a command: its batch shows it.
            return None
        return cls(account_keys=frozenset(needs.account_keys)) if names_all_accounts(needs) else None

    def excludes(self, submission: Submission) -> bool:
        """Whether a submission must wait: it needs one of these accounts, or may need it."""
        try:
            needs = submission.needs()
        except Exception:  # noqa: BLE001 - as above.
            return False
        return not names_all_accounts(needs) or not self.account_keys.isdisjoint(needs.account_keys)


def names_all_accounts(needs: Needs) -> bool:
    """Whether the keys name every account that will be loaded, but for the gateway's own."""
    return not (
        needs.account_ids
        or needs.payments
        or needs.payers
        or needs.transactions
        or needs.quotes
        or needs.webhook_endpoints
        or needs.webhook_owners
    )
