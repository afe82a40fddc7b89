"""What the commands on API keys share."""

from datetime import timedelta

from gateway.application.engine.command import Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.api_key_errors import ApiKeyLimitReached, ApiKeyNotFound
from gateway.domain.audit import AuditAction, AuditNote, Fact
from gateway.domain.event import Event
from gateway.domain.event_type import EventType
from gateway.domain.limits import API_KEY_ENDED_SECONDS, API_KEYS_PER_OWNER_MAX
from gateway.domain.user import UserId


def key_of_owner(ledger: LedgerView, key_id: ApiKeyId, owner_id: UserId) -> ApiKey:
    """The key with this id.

    Raises:
        ApiKeyNotFound: It does not exist, or belongs to another owner.
    """
    for key in ledger.api_keys_of(owner_id):
        if key.id == key_id:
            return key
    raise ApiKeyNotFound("There is no such API key.")


def make_room(ledger: LedgerView, owner_id: UserId, moment: Moment) -> tuple[ApiKeyId, ...]:
    """The keys of an owner that make room for a new one: those that ended first, and long ago.

    Raises:
        ApiKeyLimitReached: There is no room.
    """
    keys = ledger.api_keys_of(owner_id)
    surplus = len(keys) + 1 - API_KEYS_PER_OWNER_MAX
    if surplus <= 0:
        return ()
    before = moment.now - timedelta(seconds=API_KEY_ENDED_SECONDS)
    ended = sorted((key.ends_at, key.id) for key in keys if key.ends_at is not None and key.ends_at < before)
    if len(ended) < surplus:
        raise ApiKeyLimitReached(
            f"An owner has at most {API_KEYS_PER_OWNER_MAX} API keys, with those that ended a short time ago."
        )
    return tuple(key_id for _, key_id in ended[:surplus])


def key_event(kind: EventType, key: ApiKey, moment: Moment) -> Event:
    """An event about a key, for its owner. It never contains the secret."""
    return moment.event(kind, key, parties=key, sequence=key.sequence)


def key_note(action: AuditAction, key: ApiKey, **facts: Fact) -> AuditNote:
    """What the audit log records of a key: whose it is and what it may do. Names are free texts, and are left out."""
    after: dict[str, Fact] = {"owner_id": key.owner_id, "scopes": " ".join(key.scopes), **facts}
    if key.requests_per_minute is not None:
        after["requests_per_minute"] = key.requests_per_minute
    return AuditNote(action=action, object_id=key.id, owner_id=key.owner_id, after=after)
