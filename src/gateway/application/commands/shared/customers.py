"""What the commands on customers whom a merchant manages share."""

from typing import Final

from gateway.application.emails import canonical_email
from gateway.application.engine.command import Moment
from gateway.domain.audit import AuditAction, AuditNote, Facts
from gateway.domain.customer import Customer, CustomerWithAccounts, check_fields
from gateway.domain.errors import invalid
from gateway.domain.event import Event
from gateway.domain.event_type import EventType

NOTED: Final = ("name", "email", "external_id")
"""What a merchant notes of a customer."""


def check_given(*, name: str | None, email: str | None, external_id: str | None, may_be_empty: bool = False) -> None:
    """Refuse values that a customer may not have, and an address that is not in its canonical spelling."""
    check_fields(name=name, email=email, external_id=external_id, may_be_empty=may_be_empty)
    if email and canonical_email(email) != email:
        raise invalid("email", "email_invalid", "Give the canonical spelling of the e-mail address.")


def customer_event(kind: EventType, shown: CustomerWithAccounts, moment: Moment) -> Event:
    """An event about a customer, for the merchant."""
    return moment.event(kind, shown, parties=shown, sequence=shown.customer.version)


def change_note(before: Customer, after: Customer) -> AuditNote:
    """What the audit log records of a change: which fields, and the external id. Never a name or an e-mail address."""
    changed = [name for name in NOTED if getattr(before, name) != getattr(after, name)]
    return AuditNote(
        action=AuditAction.CUSTOMER_CHANGED,
        object_id=after.id,
        owner_id=after.merchant_id,
        before=_facts(before, changed),
        after={"merchant_id": after.merchant_id, "fields": " ".join(changed), **_facts(after, changed)},
    )


def _facts(customer: Customer, changed: list[str]) -> Facts:
    """The version, which is the `sequence` of its event, and an external id that changed.

    Some merchants take the e-mail address for the external id: it is left out.
    """
    external_id = customer.external_id
    if "external_id" not in changed or (external_id is not None and "@" in external_id):
        return {"version": customer.version}
    return {"version": customer.version, "external_id": external_id}
