"""Commands on API keys, on every storage."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway import ApiKey, ApiKeys, CreateApiKey, Refusal, RevokeApiKey, Role, RotateApiKey, Scope
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.errors import ApiKeyInvalid
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.records import NOW, an_api_key, api_key_id, commit, user_id
from support.access import PASSWORD, an_access
from support.builders import StandingClock, a_batch, register, submissions

OWNER = user_id(2)
CREATE = CreateApiKey(
    owner_id=OWNER,
    owner_role=Role.MERCHANT,
    name="Shop",
    scopes=(Scope.EVENTS_READ, Scope.PAYMENTS_READ),
    expires_at=NOW + timedelta(days=30),
    secret_hash=b"1" * 32,
    last_four="abcd",
)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def executor(storage: Storage, clock: StandingClock) -> CommandExecutor:
    batch = a_batch(storage, clock)
    executor = CommandExecutor(OneByOne(retrying(batch.run, RetryLimits(attempts_max=50))), batch.identifiers)
    await executor.execute(register(2, Role.MERCHANT))
    return executor


async def code_of(executor: CommandExecutor, command: Any) -> str:
    with pytest.raises(Refusal) as refused:
        await executor.execute(command)
    return refused.value.code


async def events_of(storage: Storage, key: ApiKey) -> list[tuple[str, int, Any]]:
    found = [each for each in await storage.events.read(after=0, limit=1_000) if each.object_id == key.id]
    return [(each.type.value, each.sequence, json.loads(each.data)) for each in found]


async def test_a_key_is_created_with_an_event(storage: Storage, executor: CommandExecutor) -> None:
    created = await executor.execute(CREATE)
    assert created == an_api_key(
        id=created.id,
        scopes=(Scope.PAYMENTS_READ, Scope.EVENTS_READ),
        expires_at=CREATE.expires_at,
        secret_hash=CREATE.secret_hash,
        last_four="abcd",
    )
    assert created.id.startswith("key_")
    assert await storage.api_keys.key(created.id) == created
    [(kind, sequence, shown)] = await events_of(storage, created)
    assert (kind, sequence, shown["scopes"]) == ("api_key.created", 1, ["payments:read", "events:read"])
    assert not shown.keys() & {"secret", "secret_hash"}


async def test_a_key_needs_a_user_and_an_expiry_in_the_future(executor: CommandExecutor) -> None:
    assert await code_of(executor, replace(CREATE, owner_id=user_id(9))) == "user_not_found"
    assert await code_of(executor, replace(CREATE, expires_at=NOW)) == "validation_error"


async def test_the_same_command_with_the_same_key_has_the_same_result(executor: CommandExecutor) -> None:
    first = await executor.execute(CREATE, idempotency_key="k")
    assert await executor.execute(CREATE, idempotency_key="k") == first


async def test_a_key_is_revoked_once(storage: Storage, executor: CommandExecutor, clock: StandingClock) -> None:
    created = await executor.execute(CREATE)
    revoke = RevokeApiKey(key_id=created.id, owner_id=OWNER)
    revoked = await executor.execute(revoke)
    assert revoked == replace(created, revoked_at=NOW, sequence=2)
    clock.advance(1)
    assert await executor.execute(revoke) == revoked
    assert [each[:2] for each in await events_of(storage, created)] == [("api_key.created", 1), ("api_key.revoked", 2)]


async def test_a_rotation_makes_a_key_of_the_same_kind_and_lets_the_old_one_live_on(
    storage: Storage, executor: CommandExecutor, clock: StandingClock
) -> None:
    created = await executor.execute(CREATE)
    clock.advance(3_600)
    rotate = RotateApiKey(
        key_id=created.id, owner_id=OWNER, secret_hash=b"2" * 32, last_four="efgh", old_key_seconds=60
    )
    new = await executor.execute(rotate)
    now = clock()
    assert new == replace(
        created,
        id=new.id,
        secret_hash=b"2" * 32,
        last_four="efgh",
        created_at=now,
        expires_at=now + timedelta(days=30),
    )
    old = await storage.api_keys.key(created.id)
    assert old == replace(created, replaced_by=new.id, expires_at=now + timedelta(seconds=60), sequence=2)
    assert [each[0] for each in await events_of(storage, created)] == ["api_key.created", "api_key.rotated"]
    assert [each[0] for each in await events_of(storage, new)] == ["api_key.created"]
    assert await code_of(executor, rotate) == "api_key_ended"


async def test_other_owners_keys_are_not_found(executor: CommandExecutor) -> None:
    created = await executor.execute(CREATE)
    for key_id, owner_id in ((created.id, user_id(3)), (api_key_id(99), OWNER)):
        revoke = RevokeApiKey(key_id=key_id, owner_id=owner_id)
        rotate = RotateApiKey(key_id=key_id, owner_id=owner_id, secret_hash=b"2" * 32, last_four="efgh")
        assert await code_of(executor, revoke) == await code_of(executor, rotate) == "api_key_not_found"


async def test_others_keys_are_not_found_in_the_batch_that_has_loaded_them(
    storage: Storage, executor: CommandExecutor
) -> None:
    created = await executor.execute(CREATE)
    revokes = [RevokeApiKey(key_id=created.id, owner_id=owner) for owner in (user_id(3), OWNER)]
    answers = await a_batch(storage).run(submissions(*revokes))
    assert [getattr(answer, "refused", None) for answer in answers] == [True, False]


async def test_an_owner_has_at_most_100_keys_also_if_they_are_created_at_once(
    storage: Storage, executor: CommandExecutor, clock: StandingClock
) -> None:
    await commit(storage, Changes(api_keys_new=[an_api_key(number) for number in range(1, 99)]))
    answers = await asyncio.gather(*(executor.execute(CREATE) for _ in range(4)), return_exceptions=True)
    assert [answer.code for answer in answers if isinstance(answer, Refusal)] == ["api_key_limit_reached"] * 2
    # Those that have ended count for a day, and then make room: the one that ended first.
    for number in (2, 1):
        await executor.execute(RevokeApiKey(key_id=api_key_id(number), owner_id=OWNER))
        clock.advance(1)
    assert await code_of(executor, CREATE) == "api_key_limit_reached"
    clock.advance(86_400)
    await executor.execute(replace(CREATE, expires_at=None))
    assert await storage.api_keys.key(api_key_id(2)) is None
    assert await storage.api_keys.key(api_key_id(1)) is not None
    rotate = RotateApiKey(key_id=api_key_id(3), owner_id=OWNER, secret_hash=b"2" * 32, last_four="efgh")
    await executor.execute(rotate)
    assert await storage.api_keys.key(api_key_id(1)) is None
    assert await code_of(executor, replace(rotate, key_id=api_key_id(4))) == "api_key_limit_reached"


async def test_every_process_refuses_a_key_within_two_seconds_after_it_has_ended(
    storage: Storage, clock: StandingClock
) -> None:
    here, elsewhere = an_access(storage, clock), an_access(storage, clock)
    owner = (await here.register(email="shop@example.com", password=PASSWORD, role=Role.MERCHANT)).user.id
    keys = ApiKeys(here)
    revoked, replaced, kept = [
        await keys.create(owner_id=owner, name="Till", scopes=["payments:read"]) for _ in range(3)
    ]
    for key in (revoked, replaced, kept):
        assert (await elsewhere.authenticate(key.text)).user_id == owner
    await keys.revoke(revoked.key.id)
    await keys.rotate(replaced.key.id, old_key_seconds=60)
    clock.advance(2.001)
    with pytest.raises(ApiKeyInvalid):
        await elsewhere.authenticate(revoked.text)
    await elsewhere.authenticate(replaced.text)
    clock.advance(60)
    with pytest.raises(ApiKeyInvalid):
        await elsewhere.authenticate(replaced.text)
    await elsewhere.authenticate(kept.text)
    await elsewhere.close()
    used = await storage.api_keys.key(kept.key.id)
    assert used is not None
    assert used.last_used_at == clock()
