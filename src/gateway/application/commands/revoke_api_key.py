"""Revoke an API key."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.api_keys import key_event, key_note, key_of_owner
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_id
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId


@immutable
class RevokeApiKey(Command[ApiKey]):
    """Accept a key no longer. Every process refuses it within seconds. A key that was revoked stays as it is.

    `owner_id` is the owner that the key must have.
    Refuses: api_key_not_found.
    """

    result_type: ClassVar = ApiKey

    key_id: ApiKeyId
    owner_id: UserId

    def __post_init__(self) -> None:
        check_id("key_id", self.key_id)
        check_id("owner_id", self.owner_id)

    @override
    def needs(self) -> Needs:
        return Needs(api_key_owners=(self.owner_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[ApiKey]:
        before = key_of_owner(ledger, self.key_id, self.owner_id)
        after = before.revoke(now=moment.now)
        if after is before:
            return Decision(outcome=before)
        return Decision(
            outcome=after,
            api_keys=(after,),
            events=(key_event(EventType.API_KEY_REVOKED, after, moment),),
            notes=(key_note(AuditAction.API_KEY_REVOKED, after),),
        )
