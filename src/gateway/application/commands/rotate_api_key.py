"""Put a new API key in the place of another."""

from dataclasses import field
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.api_keys import key_event, key_note, key_of_owner, make_room
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.errors import RoleForbidden
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.api_key import ApiKey, ApiKeyId, check_secret_hash
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_id, check_integer, check_type
from gateway.domain.event_type import EventType
from gateway.domain.immutable import ADDED_LATER, immutable
from gateway.domain.limits import API_KEY_OLD_SECONDS_MAX, API_KEY_REQUESTS_MAX
from gateway.domain.member_role import SCOPES_OF_MEMBER, MemberRole
from gateway.domain.user import UserId


@immutable
class RotateApiKey(Command[ApiKey]):
    """Create a key with the name, the scopes and the lifetime of another, which ends after `old_key_seconds`.

    The new key expires as long after now as the old one was made to expire after its creation. `owner_id` is the owner
    that the old key must have. `secret_hash` and `last_four` are of a new secret: `application/api_keys.py` makes one.
    `requests_per_minute` is the limit of the new key: `None` for that of the old key, 0 for none of its own.
    The result is the new key. `member_role` is of the member of the merchant who does it: they may not see a key that
    may more than they may.
    Refuses: api_key_not_found, api_key_ended, api_key_limit_reached, role_forbidden.
    """

    result_type: ClassVar = ApiKey

    key_id: ApiKeyId
    owner_id: UserId
    secret_hash: bytes = field(repr=False)
    last_four: str
    old_key_seconds: int = 0
    requests_per_minute: int | None = field(default=None, metadata=ADDED_LATER)
    member_role: MemberRole | None = field(default=None, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        check_id("key_id", self.key_id)
        check_id("owner_id", self.owner_id)
        check_secret_hash(self.secret_hash, self.last_four)
        check_integer("old_key_seconds", self.old_key_seconds, 0, API_KEY_OLD_SECONDS_MAX)
        if self.requests_per_minute is not None:
            check_integer("requests_per_minute", self.requests_per_minute, 0, API_KEY_REQUESTS_MAX)
        if self.member_role is not None:
            check_type("member_role", self.member_role, MemberRole)

    @override
    def needs(self) -> Needs:
        return Needs(api_key_owners=(self.owner_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[ApiKey]:
        before = key_of_owner(ledger, self.key_id, self.owner_id)
        if self.member_role is not None and not SCOPES_OF_MEMBER[self.member_role].issuperset(before.scopes):
            raise RoleForbidden(f"This key has scopes for what a member who is {self.member_role} may not do.")
        new_id = ApiKeyId(moment.new_id("key"))
        after = before.rotate(new_id, seconds=self.old_key_seconds, now=moment.now)
        deleted = make_room(ledger, self.owner_id, moment)
        lifetime = None if before.expires_at is None else before.expires_at - before.created_at
        new = ApiKey(
            id=new_id,
            owner_id=before.owner_id,
            owner_role=before.owner_role,
            name=before.name,
            scopes=before.scopes,
            secret_hash=self.secret_hash,
            last_four=self.last_four,
            created_at=moment.now,
            expires_at=None if lifetime is None else moment.now + lifetime,
            requests_per_minute=(
                before.requests_per_minute if self.requests_per_minute is None else self.requests_per_minute or None
            ),
        )
        return Decision(
            outcome=new,
            api_keys=(after, new),
            api_keys_deleted=deleted,
            events=(
                key_event(EventType.API_KEY_ROTATED, after, moment),
                key_event(EventType.API_KEY_CREATED, new, moment),
            ),
            notes=(key_note(AuditAction.API_KEY_ROTATED, after, new_key_id=new.id),),
        )
