"""API keys: what machines sign in with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, cast

from gateway.application.access.access import Access
from gateway.application.access.api_key_format import hash_of_key_secret, new_key_secret
from gateway.application.access.caller import Caller, check_caller
from gateway.application.commands.create_api_key import CreateApiKey
from gateway.application.commands.revoke_api_key import RevokeApiKey
from gateway.application.commands.rotate_api_key import RotateApiKey
from gateway.application.queries import Page, check_page, page_of
from gateway.domain.api_key import LAST_CHARACTERS, ApiKey, ApiKeyId
from gateway.domain.api_key_errors import ApiKeyNotFound
from gateway.domain.audit import Origin
from gateway.domain.checks import check_id, check_type
from gateway.domain.errors import invalid
from gateway.domain.immutable import immutable
from gateway.domain.member import Member
from gateway.domain.member_role import MemberRole
from gateway.domain.scope import Scope
from gateway.domain.user import Role, UserId

SCOPES: Final = {scope.value: scope for scope in Scope}


@immutable
class NewApiKey:
    """A key that was made just now. `text` is what its owner sends; it is stored nowhere."""

    key: ApiKey
    text: str = field(repr=False)


@immutable
class KeyCommand:
    """A command that makes a key, and the secret of the key."""

    command: CreateApiKey | RotateApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """API keys. Commands change them; their secrets are drawn here, before a command decides.

    Every method raises `StorageUnavailable` when the storage is away.
    """

    access: Access

    async def create(
        self,
        *,
        owner_id: UserId,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None = None,
        requests_per_minute: int | None = None,
        origin: Origin | None = None,
    ) -> NewApiKey:
        """Create a key with which a machine acts as a user, within scopes.

        Args:
            owner_id: The user.
            name: 1 to 100 characters.
            scopes: At least one, each once, such as `payments:read`, of those that the role of the user allows.
            expires_at: When it is no longer accepted, in the next 3,660 days; `None` for never.
            requests_per_minute: How many requests over HTTP it may make, 1 to 1,000,000, of those of its owner; `None`
                for as many as its owner.
            origin: Who makes it, for the audit log; the owner unless given.

        Raises:
            UserNotFound: There is no such user.
            InvalidInput: A value is not valid.
            ApiKeyLimitReached: The owner has 100 keys.
        """
        owner = await self.access.user(owner_id)
        made = self.create_command(
            owner_id=owner_id,
            owner_role=owner.role,
            name=name,
            scopes=scopes,
            expires_at=expires_at,
            requests_per_minute=requests_per_minute,
        )
        key = await self.access.executor.execute(made.command, owner_id=owner_id, origin=origin)
        return NewApiKey(key=key, text=self.text_of(key.id, made))

    def create_command(
        self,
        *,
        owner_id: UserId,
        owner_role: Role,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None = None,
        requests_per_minute: int | None = None,
        member: Member | None = None,
    ) -> KeyCommand:
        """The command that creates a key. Arguments are as in `create`; `member` is who makes it for a merchant."""
        self.access.loop.check()
        secret = new_key_secret()
        command = CreateApiKey(
            owner_id=owner_id,
            owner_role=owner_role,
            name=name,
            scopes=scopes_of(scopes),
            expires_at=expires_at,
            secret_hash=hash_of_key_secret(secret),
            last_four=secret[-LAST_CHARACTERS:],
            requests_per_minute=requests_per_minute,
            member_role=_role_of(member),
        )
        return KeyCommand(command=command, secret=secret)

    async def rotate(
        self,
        key_id: ApiKeyId,
        *,
        owner_id: UserId | None = None,
        old_key_seconds: int = 0,
        requests_per_minute: int | None = None,
        origin: Origin | None = None,
    ) -> NewApiKey:
        """Put a new key in the place of another, with its name, scopes and lifetime.

        Args:
            key_id: The old key.
            owner_id: The owner that it must have; a trusted program may leave it out.
            old_key_seconds: How long the old key is still accepted, at most 24 hours.
            requests_per_minute: As in `create`, for the new key; `None` for the limit of the old key, 0 for none.
            origin: As in `create`.

        Raises:
            ApiKeyNotFound: There is no such key of this owner.
            ApiKeyEnded: It has ended.
            ApiKeyLimitReached: The owner has 100 keys.
            InvalidInput: A value is not valid.
        """
        owner = await self._owner(key_id, owner_id)
        made = self.rotate_command(
            key_id, owner_id=owner, old_key_seconds=old_key_seconds, requests_per_minute=requests_per_minute
        )
        key = await self.access.executor.execute(made.command, owner_id=owner, origin=origin)
        self.access.renew_endings()
        return NewApiKey(key=key, text=self.text_of(key.id, made))

    def rotate_command(
        self,
        key_id: ApiKeyId,
        *,
        owner_id: UserId,
        old_key_seconds: int = 0,
        requests_per_minute: int | None = None,
        member: Member | None = None,
    ) -> KeyCommand:
        """The command that rotates a key. Arguments are as in `rotate`; `member` is who does it for a merchant."""
        self.access.loop.check()
        secret = new_key_secret()
        command = RotateApiKey(
            key_id=key_id,
            owner_id=owner_id,
            secret_hash=hash_of_key_secret(secret),
            last_four=secret[-LAST_CHARACTERS:],
            old_key_seconds=old_key_seconds,
            requests_per_minute=requests_per_minute,
            member_role=_role_of(member),
        )
        return KeyCommand(command=command, secret=secret)

    def text_of(self, key_id: ApiKeyId, made: KeyCommand) -> str:
        """What the owner of a key sends, if this command has made it."""
        return self.access.key_format.write(key_id, made.secret)

    async def revoke(self, key_id: ApiKeyId, *, owner_id: UserId | None = None, origin: Origin | None = None) -> ApiKey:
        """Accept a key no longer: here from now on, in other processes within two seconds. `origin` as in `create`.

        Raises:
            ApiKeyNotFound: There is no such key of this owner.
        """
        owner = await self._owner(key_id, owner_id)
        command = RevokeApiKey(key_id=key_id, owner_id=owner)
        key = await self.access.executor.execute(command, owner_id=owner, origin=origin)
        self.access.renew_endings()
        return key

    async def key(self, caller: Caller, key_id: ApiKeyId) -> ApiKey:
        """One key of the caller's.

        Raises:
            ApiKeyNotFound: The caller has no such key.
        """
        self.access.loop.check()
        check_caller(caller)
        check_id("key_id", key_id)
        found = await self.access.api_keys.key(key_id)
        if found is None or found.owner_id != caller.user_id:
            raise _not_found()
        return found

    async def keys(self, caller: Caller, *, before: ApiKeyId | None, limit: int) -> Page[ApiKey]:
        """The keys of the caller, newest first, ended ones too."""
        self.access.loop.check()
        check_caller(caller)
        return await self.keys_of(caller.user_id, before=before, limit=limit)

    async def keys_of(self, owner_id: UserId | None, *, before: ApiKeyId | None, limit: int) -> Page[ApiKey]:
        """The keys of an owner, or of all owners, for a trusted program. As `keys`."""
        self.access.loop.check()
        if owner_id is not None:
            check_id("owner_id", owner_id)
        check_page(before, limit)
        return page_of(await self.access.api_keys.keys(owner_id, before=before, limit=limit + 1), limit)

    async def _owner(self, key_id: ApiKeyId, owner_id: UserId | None) -> UserId:
        self.access.loop.check()
        if owner_id is not None:
            return owner_id
        check_id("key_id", key_id)
        found = await self.access.api_keys.key(key_id)
        if found is None:
            raise _not_found()
        return found.owner_id


def scopes_of(scopes: object) -> tuple[Scope, ...]:
    """Scopes by their names.

    Raises:
        InvalidInput: They are no sequence of names of scopes.
    """
    if not isinstance(scopes, Sequence) or isinstance(scopes, str | bytes):
        raise invalid("scopes", "type_mismatch", "This must be a sequence of scopes.")
    found: list[Scope] = []
    for each in cast("Sequence[object]", scopes):
        if not isinstance(each, str):
            check_type("scopes", each, str)
        elif each not in SCOPES:
            raise invalid("scopes", "scope_unknown", f"There is no such scope; there are {', '.join(SCOPES)}.")
        else:
            found.append(SCOPES[each])
    return tuple(found)


def _not_found() -> ApiKeyNotFound:
    return ApiKeyNotFound("There is no such API key.")


def _role_of(member: Member | None) -> MemberRole | None:
    if member is None:
        return None
    check_type("member", member, Member)
    return member.role
