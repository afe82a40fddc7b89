"""Create an API key."""

from dataclasses import field
from datetime import UTC, datetime
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.api_keys import key_event, key_note, make_room
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.api_key import (
    ApiKey,
    ApiKeyId,
    check_expiry,
    check_name,
    check_requests,
    check_scopes,
    check_scopes_of_member,
    check_secret_hash,
    in_order,
)
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_id, check_instant, check_type
from gateway.domain.event_type import EventType
from gateway.domain.immutable import ADDED_LATER, immutable
from gateway.domain.member_role import MemberRole
from gateway.domain.scope import Scope
from gateway.domain.user import Role, UserId


@immutable
class CreateApiKey(Command[ApiKey]):
    """Let a machine sign in as `owner_id`, within `scopes`.

    `owner_role` is the role of the owner; a key with another role is never accepted. `secret_hash` and `last_four` are
    of a new secret: `application/api_keys.py` makes one. `expires_at` is `None` for a key that does not expire,
    `requests_per_minute` for one that may make as many requests as its owner. `member_role` is of the member of the
    merchant who makes it: the key may no more than they may.
    Refuses: user_not_found, validation_error (for `expires_at`), api_key_limit_reached.
    """

    result_type: ClassVar = ApiKey

    owner_id: UserId
    owner_role: Role
    name: str
    scopes: tuple[Scope, ...]
    expires_at: datetime | None
    secret_hash: bytes = field(repr=False)
    last_four: str
    requests_per_minute: int | None = field(default=None, metadata=ADDED_LATER)
    member_role: MemberRole | None = field(default=None, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        check_id("owner_id", self.owner_id)
        check_type("owner_role", self.owner_role, Role)
        check_name(self.name)
        check_scopes(self.scopes, self.owner_role)
        if self.member_role is not None:
            check_type("member_role", self.member_role, MemberRole)
            check_scopes_of_member(self.scopes, self.member_role)
        if self.expires_at is not None:
            check_instant("expires_at", self.expires_at)
        check_secret_hash(self.secret_hash, self.last_four)
        check_requests(self.requests_per_minute)

    @override
    def needs(self) -> Needs:
        return Needs(user_ids=(self.owner_id,), api_key_owners=(self.owner_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[ApiKey]:
        ledger.must_be_registered(self.owner_id)
        check_expiry(self.expires_at, moment.now)
        deleted = make_room(ledger, self.owner_id, moment)
        key = ApiKey(
            id=ApiKeyId(moment.new_id("key")),
            owner_id=self.owner_id,
            owner_role=self.owner_role,
            name=self.name,
            scopes=in_order(self.scopes),
            secret_hash=self.secret_hash,
            last_four=self.last_four,
            created_at=moment.now,
            expires_at=None if self.expires_at is None else self.expires_at.astimezone(UTC),
            requests_per_minute=self.requests_per_minute,
        )
        return Decision(
            outcome=key,
            api_keys=(key,),
            api_keys_deleted=deleted,
            events=(key_event(EventType.API_KEY_CREATED, key, moment),),
            notes=(key_note(AuditAction.API_KEY_CREATED, key),),
        )
