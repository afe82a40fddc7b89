"""Who may see what happens to an account."""

from typing import NamedTuple

from gateway.application.engine.command import Moment
from gateway.domain.account import Account, AccountKind
from gateway.domain.event import Event, EventId, EventType
from gateway.domain.user import UserId


class Parties(NamedTuple):
    """The customer and the merchant whom a record concerns; either may be absent."""

    customer_id: UserId | None
    merchant_id: UserId | None


def parties_of(account: Account) -> Parties:
    """An account concerns its owner alone."""
    return Parties(
        customer_id=account.owner_id if account.kind is AccountKind.CUSTOMER else None,
        merchant_id=account.owner_id if account.kind is AccountKind.MERCHANT else None,
    )


def account_event(kind: EventType, account: Account, moment: Moment) -> Event:
    """What happened to an account itself (not to the money in it), for its owner."""
    parties = parties_of(account)
    return Event(
        id=EventId(moment.new_id("evt")),
        type=kind,
        object=account,
        sequence=account.version,
        customer_id=parties.customer_id,
        merchant_id=parties.merchant_id,
        created_at=moment.now,
    )
