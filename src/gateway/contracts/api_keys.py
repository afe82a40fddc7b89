"""What every storage of API keys promises."""

import asyncio
from datetime import timedelta
from operator import attrgetter

import pytest

from gateway.application.ports.api_keys import KeyAtUse
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Wanted
from gateway.contracts.records import (
    NOW,
    a_user,
    an_answer,
    an_api_key,
    api_key_id,
    commit,
    load,
    user_id,
)
from gateway.domain.api_key import ApiKey
from gateway.domain.scope import Scope
from gateway.domain.user import Role

SECOND = timedelta(seconds=1)
EACH_FIELD = an_api_key(
    1,
    owner_role=Role.CUSTOMER,
    name="naïve 😀 ' \"",
    scopes=tuple(Scope),
    secret_hash=bytes(range(224, 256)),
    expires_at=NOW + SECOND,
    revoked_at=NOW + 2 * SECOND,
    replaced_by=api_key_id(9),
    last_used_at=NOW + timedelta(microseconds=1),
    sequence=2**62,
    requests_per_minute=1_000_000,
)


class ApiKeysContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    @pytest.mark.parametrize("key", [EACH_FIELD, an_api_key(1)], ids=["all fields", "few fields"])
    async def test_a_key_comes_back_with_every_field(self, storage: Storage, key: ApiKey) -> None:
        """From a look-up, and in a unit of work."""
        await commit(storage, Changes(api_keys_new=[key]))
        assert await storage.api_keys.key(key.id) == key
        assert (await load(storage, Wanted(api_key_owners=[key.owner_id]))).api_keys == (key,)

    async def test_nothing_of_a_key_is_written_when_the_commit_fails(self, storage: Storage) -> None:
        """It is one transaction with everything else."""
        await commit(storage, Changes(answers_new=[an_answer()]))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(answers_new=[an_answer()], api_keys_new=[an_api_key(1)]))
        assert await storage.api_keys.key(api_key_id(1)) is None
        assert list(await storage.api_keys.keys(None, before=None, limit=10)) == []

    async def test_all_keys_of_the_wanted_owners_are_loaded(self, storage: Storage) -> None:
        """Ended ones too, and nobody else's."""
        mine = [an_api_key(1), an_api_key(2, revoked_at=NOW), an_api_key(3, expires_at=NOW)]
        await commit(storage, Changes(api_keys_new=[*mine, an_api_key(4, owner=3)]))
        found = await load(storage, Wanted(api_key_owners=[user_id(2), user_id(9)]))
        assert sorted(found.api_keys, key=attrgetter("id")) == mine

    async def test_changed_and_deleted_keys_are_what_was_written_last(self, storage: Storage) -> None:
        """In one commit."""
        await commit(storage, Changes(api_keys_new=[an_api_key(number) for number in (1, 2, 3)]))
        changed = an_api_key(1, revoked_at=NOW, replaced_by=api_key_id(4), expires_at=NOW, sequence=2)
        changes = Changes(api_keys_new=[an_api_key(4)], api_keys_changed=[changed], api_keys_deleted=[api_key_id(2)])
        await commit(storage, changes, Wanted(api_key_owners=[user_id(2)]))
        after = await storage.api_keys.keys(None, before=None, limit=10)
        assert list(after) == [an_api_key(4), an_api_key(3), changed]

    async def test_a_list_has_the_keys_of_an_owner_newest_first(self, storage: Storage) -> None:
        """Page by page."""
        await commit(storage, Changes(api_keys_new=[an_api_key(number) for number in (1, 3, 5)]))
        await commit(storage, Changes(api_keys_new=[an_api_key(number, owner=3) for number in (2, 4)]))
        keys = storage.api_keys.keys
        assert [each.id for each in await keys(user_id(2), before=None, limit=2)] == [api_key_id(5), api_key_id(3)]
        assert [each.id for each in await keys(user_id(2), before=api_key_id(3), limit=2)] == [api_key_id(1)]
        assert len(await keys(None, before=None, limit=10)) == 5
        assert list(await keys(user_id(9), before=None, limit=10)) == []

    async def test_a_key_is_used_for_an_owner_who_has_its_role(self, storage: Storage) -> None:
        """And for nobody who is not a user. Several are looked up in one read."""
        await commit(storage, Changes(users_new=[a_user(2, role=Role.MERCHANT), a_user(3, role=Role.CUSTOMER)]))
        keys = [an_api_key(1), an_api_key(2, revoked_at=NOW), an_api_key(3, owner=3), an_api_key(4, owner=9)]
        await commit(storage, Changes(api_keys_new=keys))
        asked = [api_key_id(number) for number in (1, 2, 3, 4, 99)]
        found = {key.id: KeyAtUse(key=key, owner_is_disabled=False) for key in keys[:2]}
        assert await storage.api_keys.at_use(asked) == found
        assert await storage.api_keys.at_use([]) == {}

    async def test_a_key_is_used_with_whether_its_owner_is_disabled(self, storage: Storage) -> None:
        """As it was committed last."""
        owner = a_user(2, role=Role.MERCHANT)
        await commit(storage, Changes(users_new=[owner], api_keys_new=[an_api_key(1)]))
        for user in (owner.user.disabled(NOW), owner.user.disabled(NOW).enabled()):
            await commit(storage, Changes(users_changed=[user]), Wanted(users=[user.id]))
            found = await storage.api_keys.at_use([api_key_id(1)])
            assert found[api_key_id(1)].owner_is_disabled is (user.disabled_at is not None)

    async def test_ended_keys_are_those_that_were_revoked_or_replaced(self, storage: Storage) -> None:
        """Since a moment, to the microsecond. A revoked key has ended even if the clock of its server was ahead."""
        keys = [
            an_api_key(1, revoked_at=NOW),
            an_api_key(2, revoked_at=NOW + timedelta(days=1)),
            an_api_key(3, revoked_at=NOW - timedelta(microseconds=1)),
            an_api_key(4, replaced_by=api_key_id(9), expires_at=NOW),
            an_api_key(5, replaced_by=api_key_id(9), expires_at=NOW + SECOND),
            an_api_key(6, replaced_by=api_key_id(9), expires_at=NOW - timedelta(microseconds=1)),
            an_api_key(7, expires_at=NOW),
            an_api_key(8),
        ]
        await commit(storage, Changes(api_keys_new=keys))
        ended = storage.api_keys.ended_since
        assert await ended(NOW, now=NOW) == {api_key_id(1), api_key_id(2), api_key_id(4)}
        assert await ended(NOW, now=NOW + SECOND) == {api_key_id(number) for number in (1, 2, 4, 5)}
        assert await ended(NOW + SECOND, now=NOW + SECOND) == {api_key_id(2), api_key_id(5)}

    async def test_the_last_use_is_kept_and_never_goes_back(self, storage: Storage) -> None:
        """Of keys that exist. Nothing else of a key changes."""
        await commit(storage, Changes(api_keys_new=[an_api_key(1), an_api_key(2)]))
        note = storage.api_keys.note_uses
        await note({api_key_id(2): NOW + SECOND, api_key_id(1): NOW, api_key_id(99): NOW})
        await note({api_key_id(2): NOW, api_key_id(1): NOW + SECOND})
        await note({})
        for number in (1, 2):
            assert await storage.api_keys.key(api_key_id(number)) == an_api_key(number, last_used_at=NOW + SECOND)

    @pytest.mark.locking
    async def test_of_concurrent_creations_each_sees_the_keys_before_it(self, storage: Storage) -> None:
        """So that two of them do not pass the limit together."""

        async def create(number: int) -> None:
            async with storage.unit_of_work() as work:
                found = (await work.load(Wanted(api_key_owners=[user_id(3), user_id(2)]))).api_keys
                await asyncio.sleep(0.001)
                await work.commit(Changes(api_keys_new=[an_api_key(number, name=f"after {len(found)}")]))

        async with asyncio.timeout(30):
            await asyncio.gather(*(create(number) for number in range(1, 9)))
        created = await storage.api_keys.keys(user_id(2), before=None, limit=100)
        assert {each.name for each in created} == {f"after {number}" for number in range(8)}
