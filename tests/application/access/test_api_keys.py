"""API keys: who their owners are, how soon every process knows that a key has ended, and what its check costs."""

import asyncio
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway import ApiKeys, InvalidInput, NewApiKey, Role, Scope
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.memory.api_keys import MemoryApiKeys
from gateway.application.access import api_key_authentication, api_key_uses
from gateway.application.access.access import Access
from gateway.application.access.api_key_format import PREFIX, ApiKeyFormat, new_key_secret
from gateway.application.errors import ApiKeyInvalid
from gateway.application.ports.api_keys import KeyAtUse
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.contracts.records import api_key_id
from gateway.domain.api_key import ApiKeyId
from gateway.domain.api_key_errors import ApiKeyNotFound
from gateway.domain.errors import UserNotFound
from gateway.domain.user import UserId
from support.access import PASSWORD, an_access
from support.builders import StandingClock
from support.virtual_time import in_virtual_time


class CountedKeys(MemoryApiKeys):
    """Counts what is asked, and may be away."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.looked_up: list[int] = []
        self.lists = 0
        self.writes: list[Mapping[ApiKeyId, datetime]] = []
        self.away = False

    async def at_use(self, key_ids: Collection[ApiKeyId]) -> Mapping[ApiKeyId, KeyAtUse]:
        self.looked_up.append(len(key_ids))
        if self.away:
            raise StorageUnavailable
        await asyncio.sleep(0)
        return await super().at_use(key_ids)

    async def ended_since(self, since: datetime, *, now: datetime) -> AbstractSet[ApiKeyId]:
        self.lists += 1
        if self.away:
            raise StorageUnavailable
        return await super().ended_since(since, now=now)

    async def note_uses(self, uses: Mapping[ApiKeyId, datetime]) -> None:
        if self.away:
            raise StorageUnavailable
        self.writes.append(dict(uses))
        await super().note_uses(uses)


def keys_of(access: Access) -> ApiKeys:
    return ApiKeys(access)


async def a_merchant(access: Access, role: Role = Role.MERCHANT) -> UserId:
    registered = await access.register(email=f"{role}@example.com", password=PASSWORD, role=role)
    return registered.user.id


async def a_key(access: Access, scopes: tuple[str, ...] = ("payments:read",), **more: object) -> NewApiKey:
    owner = await a_merchant(access)
    return await keys_of(access).create(owner_id=owner, name="Shop", scopes=scopes, **more)  # type: ignore[arg-type]


async def is_accepted(access: Access, text: str) -> bool:
    try:
        caller = await access.authenticate(text)
    except ApiKeyInvalid:
        assert access.caller_at_once(text) is None
        return False
    assert access.caller_at_once(text) == caller
    return True


async def test_a_key_stands_for_its_owner_with_its_scopes(access: Access) -> None:
    new = await a_key(access, ("payments:read", "payouts:write"))
    caller = await access.authenticate(new.text)
    assert (caller.user_id, caller.role) == (new.key.owner_id, Role.MERCHANT)
    assert str(caller.session_id) == new.key.id
    assert caller.scopes == frozenset({Scope.PAYMENTS_READ, Scope.PAYOUTS_WRITE})
    assert new.text.startswith("gk_test_")
    assert new.text.endswith(new.key.last_four)


async def test_what_is_stored_does_not_have_the_secret(storage: Storage, access: Access) -> None:
    new = await a_key(access)
    secret = new.text[-40:]
    stored = await storage.api_keys.key(new.key.id)
    assert stored is not None
    assert secret not in repr(stored)
    assert secret.encode() not in stored.secret_hash
    assert new.text not in repr(new)


async def test_a_key_of_the_sandbox_is_none_in_production(
    access: Access, storage: Storage, clock: StandingClock
) -> None:
    new = await a_key(access)
    production = replace(an_access(storage, clock), key_format=ApiKeyFormat(live=True))
    assert not await is_accepted(production, new.text)
    live = await keys_of(production).create(owner_id=new.key.owner_id, name="Live", scopes=["payments:read"])
    assert live.text.startswith("gk_live_")
    assert await is_accepted(production, live.text)
    assert not await is_accepted(access, live.text)
    assert not await is_accepted(access, live.text.replace("live", "test"))


async def test_a_key_with_anything_changed_is_not_accepted(access: Access) -> None:
    new = await a_key(access)
    form = ApiKeyFormat()
    digits = {"0": "1"}
    for place, character in list(enumerate(new.text))[len(PREFIX) :]:
        other = digits.get(character, "0")
        assert not await is_accepted(access, new.text[:place] + other + new.text[place + 1 :])
        assert not await is_accepted(access, new.text[:place] + new.text[place + 1 :])
    for forged in (form.write(new.key.id, new_key_secret()), form.write(api_key_id(99), new.text[-40:])):
        assert form.read(forged) is not None
        assert not await is_accepted(access, forged)
    for text in ("gk_", "gk_test_", new.text + "0", new.text + "\n", PREFIX + new.text, new.text.replace("_", "-")):
        assert not await is_accepted(access, PREFIX + text.removeprefix(PREFIX))
    assert await is_accepted(access, new.text)


async def test_a_key_is_not_accepted_with_another_role_than_its_owner_has(access: Access) -> None:
    owner = await a_merchant(access)
    made = keys_of(access).create_command(
        owner_id=owner, owner_role=Role.OPERATOR, name="Shop", scopes=["payments:read"]
    )
    key = await access.executor.execute(made.command)
    assert not await is_accepted(access, ApiKeyFormat().write(key.id, made.secret))


async def test_an_expired_key_is_not_accepted_from_that_moment_on(access: Access, clock: StandingClock) -> None:
    new = await a_key(access, expires_at=clock() + timedelta(seconds=1))
    assert await is_accepted(access, new.text)
    clock.advance(0.999999)
    assert await is_accepted(access, new.text)
    clock.advance(0.000001)
    assert not await is_accepted(access, new.text)


async def test_a_revoked_key_is_refused_here_at_once_and_everywhere_within_two_seconds(
    access: Access, storage: Storage, clock: StandingClock
) -> None:
    elsewhere = an_access(storage, clock)
    new = await a_key(access)
    assert await is_accepted(access, new.text)
    assert await is_accepted(elsewhere, new.text)
    await keys_of(access).revoke(new.key.id)
    assert not await is_accepted(access, new.text)
    clock.advance(2.001)
    assert not await is_accepted(elsewhere, new.text)
    # And it stays so, for longer than the list of ended keys looks back.
    for _ in range(5):
        clock.advance(900)
        assert not await is_accepted(elsewhere, new.text)


async def test_a_replaced_key_is_accepted_for_the_chosen_time_in_every_process(
    access: Access, storage: Storage, clock: StandingClock
) -> None:
    elsewhere = an_access(storage, clock)
    old = await a_key(access)
    assert await is_accepted(elsewhere, old.text)
    new = await keys_of(access).rotate(old.key.id, old_key_seconds=3_600)
    for seconds in (3, 3_000, 596.999):
        clock.advance(seconds)
        for process in (access, elsewhere):
            assert await is_accepted(process, old.text)
            assert await is_accepted(process, new.text)
    clock.advance(0.001)
    assert not await is_accepted(access, old.text)
    clock.advance(2.001)
    assert not await is_accepted(elsewhere, old.text)
    at_once = await keys_of(access).rotate(new.key.id)
    assert not await is_accepted(access, new.text)
    clock.advance(2.001)
    assert not await is_accepted(elsewhere, new.text)
    assert await is_accepted(elsewhere, at_once.text)


async def test_a_rotation_by_a_server_whose_clock_is_ahead_ends_the_old_key_at_once(
    access: Access, storage: Storage, clock: StandingClock
) -> None:
    ahead = StandingClock()
    ahead.advance(25)
    elsewhere = an_access(storage, ahead)
    new = await a_key(access)
    assert await is_accepted(access, new.text)
    await keys_of(elsewhere).rotate(new.key.id)
    clock.advance(2.001)
    assert not await is_accepted(access, new.text)


async def test_others_keys_and_missing_ones_are_not_found(access: Access) -> None:
    new = await a_key(access)
    keys, customer = keys_of(access), await a_merchant(access, Role.CUSTOMER)
    for key_id, owner_id in ((new.key.id, customer), (api_key_id(99), None)):
        for call in (keys.revoke(key_id, owner_id=owner_id), keys.rotate(key_id, owner_id=owner_id)):
            with pytest.raises(ApiKeyNotFound):
                await call
    with pytest.raises(UserNotFound):
        await keys.create(owner_id=UserId("usr_nobody"), name="Shop", scopes=["payments:read"])
    for scopes in ([], ["payments:all"], "payments:read", ["refunds:write"]):
        with pytest.raises(InvalidInput):
            await keys.create(owner_id=customer, name="Shop", scopes=scopes)


def counted(clock: StandingClock) -> tuple[Access, CountedKeys]:
    database = MemoryDatabase()
    stored = CountedKeys(database)
    return an_access(replace(memory_storage(database), api_keys=stored), clock), stored


async def test_a_warm_key_costs_no_read_but_the_list_of_what_has_ended(clock: StandingClock) -> None:
    access, stored = counted(clock)
    new = await a_key(access)
    for _ in range(100):
        await access.authenticate(new.text)
        assert access.caller_at_once(new.text) is not None
    assert (stored.looked_up, stored.lists) == ([1], 0)
    clock.advance(2.001)
    for _ in range(100):
        await access.authenticate(new.text)
    assert (stored.looked_up, stored.lists) == ([1], 1)
    # It is read again before the list could have forgotten it.
    clock.advance(access.tokens.lifetime_seconds)
    await access.authenticate(new.text)
    assert (stored.looked_up, stored.lists) == ([1, 1], 2)


async def test_who_has_no_keys_reads_nothing_of_keys(clock: StandingClock) -> None:
    access, stored = counted(clock)
    await a_merchant(access)
    token = (await access.log_in(email="merchant@example.com", password=PASSWORD, address="192.0.2.1")).access_token
    for _ in range(3):
        await access.authenticate(token)
        clock.advance(2.001)
    assert (stored.looked_up, stored.lists) == ([], 0)


async def test_keys_that_are_looked_up_at_the_same_time_share_reads(clock: StandingClock) -> None:
    access, stored = counted(clock)
    form = ApiKeyFormat()
    forged = [form.write(api_key_id(number), new_key_secret()) for number in range(100)]
    results = await asyncio.gather(*map(access.authenticate, forged), return_exceptions=True)
    assert {type(result) for result in results} == {ApiKeyInvalid}
    assert len(stored.looked_up) <= 2


async def test_what_is_not_in_the_form_of_a_key_is_not_looked_up(clock: StandingClock) -> None:
    access, stored = counted(clock)
    new = await a_key(access)
    for text in ("gk_test_x", new.text[:-1], new.text[:-1] + "é", new.text.replace("test", "live")):
        assert not await is_accepted(access, text)
    assert stored.looked_up == []


async def test_warm_keys_are_accepted_while_the_storage_is_away_and_cold_ones_are_unavailable(
    clock: StandingClock,
) -> None:
    access, stored = counted(clock)
    new = await a_key(access)
    await access.authenticate(new.text)
    stored.away = True
    clock.advance(60)
    assert await is_accepted(access, new.text)
    other = ApiKeyFormat().write(api_key_id(99), new_key_secret())
    with pytest.raises(StorageUnavailable):
        await access.authenticate(other)


async def test_few_keys_are_remembered(clock: StandingClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_key_authentication, "KNOWN_MAX", 2)
    access, _ = counted(clock)
    first = await a_key(access)
    others = [
        await keys_of(access).create(owner_id=first.key.owner_id, name="Till", scopes=["payments:read"])
        for _ in range(2)
    ]
    texts = [first.text, *(each.text for each in others)]
    for text in texts:
        await access.authenticate(text)
    assert [access.caller_at_once(text) is not None for text in texts] == [False, True, True]


def test_uses_are_written_once_a_minute_and_at_the_end() -> None:
    async def use() -> None:
        clock = StandingClock()
        access, stored = counted(clock)
        new = await a_key(access)
        for _ in range(119):
            await access.authenticate(new.text)
            clock.advance(1)
            await asyncio.sleep(1)
        assert len(stored.writes) == 1
        [[(key_id, at)]] = [each.items() for each in stored.writes]
        assert (key_id, at) == (new.key.id, clock() - timedelta(seconds=60))
        await access.close()
        found = await stored.key(new.key.id)
        assert found is not None
        assert found.last_used_at == clock() - timedelta(seconds=1)

    in_virtual_time(use)


def test_uses_that_cannot_be_written_disturb_nobody() -> None:
    async def use() -> None:
        access, stored = counted(StandingClock())
        new = await a_key(access)
        await access.authenticate(new.text)
        stored.away = True
        await asyncio.sleep(api_key_uses.WRITE_SECONDS + 1)
        stored.away = False
        await access.authenticate(new.text)
        await access.close()
        assert len(stored.writes) == 1

    in_virtual_time(use)
