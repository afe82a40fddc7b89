"""What the commands on customers whom a merchant manages share."""

from gateway.application.emails import canonical_email
from gateway.application.engine.command import Moment
from gateway.domain.customer import CustomerWithAccounts, check_fields
from gateway.domain.errors import invalid
from gateway.domain.event import Event
from gateway.domain.event_type import EventType


def check_given(*, name: str | None, email: str | None, external_id: str | None, may_be_empty: bool = False) -> None:
    """Refuse values that a customer may not have, and an address that is not in its canonical spelling."""
    check_fields(name=name, email=email, external_id=external_id, may_be_empty=may_be_empty)
    if email and canonical_email(email) != email:
        raise invalid("email", "email_invalid", "Give the canonical spelling of the e-mail address.")


def customer_event(kind: EventType, shown: CustomerWithAccounts, moment: Moment) -> Event:
    """An event about a customer, for the merchant."""
    return moment.event(kind, shown, parties=shown, sequence=shown.customer.version)
