"""What every storage promises about webhook endpoints."""

import asyncio
from datetime import timedelta
from operator import attrgetter

import pytest

from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Wanted
from gateway.contracts.records import (
    NOW,
    a_webhook_endpoint,
    a_webhook_secret,
    an_account,
    an_answer,
    commit,
    endpoint_id,
    load,
    user_id,
)
from gateway.contracts.unit_of_work.support import TIMEOUT_SECONDS, run_again
from gateway.domain.user import SYSTEM
from gateway.domain.webhook_endpoint import DisabledReason, WebhookEndpoint

EACH_FIELD = a_webhook_endpoint(
    7,
    owner_id=SYSTEM,
    all_merchants=True,
    url="http://[::1]:8080/hooks?shop=%C3%A9&a=b",
    events=("payment.*", "refund.succeeded", "future.type"),
    description="naïve 😀 '\"\\",
    disabled_reason=DisabledReason.FAILING,
    secret=a_webhook_secret(8),
    previous_secret=a_webhook_secret(9),
    previous_secret_expires_at=NOW + timedelta(hours=24, microseconds=1),
    sequence=2**63 - 1,
    after_position=2**63 - 2,
    updated_at=NOW + timedelta(microseconds=1),
)


class WebhookEndpointsContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    @pytest.mark.parametrize("endpoint", [EACH_FIELD, a_webhook_endpoint(1)], ids=["all fields", "few fields"])
    async def test_an_endpoint_comes_back_with_every_field(self, storage: Storage, endpoint: WebhookEndpoint) -> None:
        """To the look-ups and to units of work."""
        await commit(storage, Changes(webhook_endpoints_new=[endpoint]))
        assert await storage.webhook_endpoints.endpoint(endpoint.id) == endpoint
        for wanted in (Wanted(webhook_endpoints=[endpoint.id]), Wanted(webhook_owners=[endpoint.owner_id])):
            assert (await load(storage, wanted)).webhook_endpoints == (endpoint,)

    async def test_what_was_not_committed_does_not_exist(self, storage: Storage) -> None:
        """Neither what a unit of work left behind, nor what came with a key that was taken."""
        await commit(storage, Changes(answers_new=[an_answer()]))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(answers_new=[an_answer()], webhook_endpoints_new=[a_webhook_endpoint(1)]))
        async with storage.unit_of_work() as work:
            await work.load(Wanted(webhook_owners=[user_id(2)]))
        assert await storage.webhook_endpoints.endpoint(endpoint_id(1)) is None
        assert list(await storage.webhook_endpoints.endpoints(None, before=None, limit=10)) == []
        assert list(await storage.webhook_endpoints.enabled_for([user_id(2)])) == []

    async def test_a_unit_of_work_loads_endpoints_by_id_and_by_owner_each_once(self, storage: Storage) -> None:
        """Ids and owners that do not exist are left out."""
        mine = [a_webhook_endpoint(number, owner=2) for number in (1, 2, 3)]
        others = [a_webhook_endpoint(number, owner=3) for number in (4, 5)]
        await commit(storage, Changes(webhook_endpoints_new=[*mine, *others]))
        wanted = Wanted(
            webhook_owners=[user_id(2), user_id(9)], webhook_endpoints=[endpoint_id(1), endpoint_id(5), endpoint_id(99)]
        )
        found = await load(storage, wanted)
        assert sorted(found.webhook_endpoints, key=attrgetter("id")) == [*mine, others[1]]

    async def test_a_change_replaces_an_endpoint_and_a_deletion_removes_one(self, storage: Storage) -> None:
        """With everything else of the same commit. The other endpoints are as they were."""
        before = [a_webhook_endpoint(number) for number in (1, 2, 3)]
        await commit(storage, Changes(webhook_endpoints_new=before))
        changed = a_webhook_endpoint(
            1,
            url="https://other.example/",
            events=("*",),
            description="another",
            disabled_reason=DisabledReason.GONE,
            secret=a_webhook_secret(9),
            previous_secret=a_webhook_secret(1),
            previous_secret_expires_at=NOW,
            sequence=1,
            updated_at=NOW + timedelta(seconds=1),
        )
        changes = Changes(
            accounts_new=[an_account(1)],
            webhook_endpoints_new=[a_webhook_endpoint(4)],
            webhook_endpoints_changed=[changed],
            webhook_endpoints_deleted=[endpoint_id(2)],
            answers_new=[an_answer()],
        )
        await commit(storage, changes, Wanted(webhook_endpoints=[endpoint_id(1), endpoint_id(2)]))
        after = await storage.webhook_endpoints.endpoints(None, before=None, limit=10)
        assert list(after) == [a_webhook_endpoint(4), a_webhook_endpoint(3), changed]
        assert (await load(storage, Wanted(answers=[an_answer().key]))).answers == (an_answer(),)

    async def test_a_list_has_the_endpoints_of_an_owner_or_of_all_newest_first(self, storage: Storage) -> None:
        """Page by page, also those that are disabled."""
        mine = [a_webhook_endpoint(number, disabled_reason=DisabledReason.BY_OWNER) for number in (1, 3, 5)]
        others = [a_webhook_endpoint(number, owner=3) for number in (2, 4)]
        await commit(storage, Changes(webhook_endpoints_new=[*mine, *others]))
        endpoints = storage.webhook_endpoints.endpoints
        assert list(await endpoints(user_id(2), before=None, limit=10)) == mine[::-1]
        assert list(await endpoints(user_id(2), before=None, limit=2)) == [mine[2], mine[1]]
        assert list(await endpoints(user_id(2), before=endpoint_id(3), limit=2)) == [mine[0]]
        assert list(await endpoints(user_id(2), before=endpoint_id(1), limit=2)) == []
        assert list(await endpoints(user_id(9), before=None, limit=10)) == []
        assert [each.id for each in await endpoints(None, before=None, limit=10)] == [
            endpoint_id(number) for number in (5, 4, 3, 2, 1)
        ]

    async def test_enabled_endpoints_are_found_by_merchant_and_those_for_all_merchants_always(
        self, storage: Storage
    ) -> None:
        """In the order of their ids, each once."""
        everything = a_webhook_endpoint(1, owner_id=SYSTEM, all_merchants=True)
        of_two = a_webhook_endpoint(2, owner=2)
        of_three = a_webhook_endpoint(3, owner=3)
        disabled = a_webhook_endpoint(4, owner=2, disabled_reason=DisabledReason.FAILING)
        disabled_for_all = a_webhook_endpoint(
            5, owner_id=SYSTEM, all_merchants=True, disabled_reason=DisabledReason.GONE
        )
        endpoints = [of_three, disabled, of_two, disabled_for_all, everything]
        await commit(storage, Changes(webhook_endpoints_new=endpoints))
        enabled_for = storage.webhook_endpoints.enabled_for
        assert list(await enabled_for([])) == [everything]
        assert list(await enabled_for([user_id(2), user_id(9)])) == [everything, of_two]
        assert list(await enabled_for({user_id(3), user_id(2), SYSTEM})) == [everything, of_two, of_three]
        assert list(await enabled_for([user_id(number) for number in range(1_000)])) == [everything, of_two, of_three]

    async def test_of_concurrent_creations_each_sees_the_endpoints_before_it(self, storage: Storage) -> None:
        """Also the first ones of an owner: there is no row yet that could be locked."""

        @run_again
        async def create_one(number: int) -> None:
            async with storage.unit_of_work() as work:
                found = (await work.load(Wanted(webhook_owners=[user_id(3), user_id(2)]))).webhook_endpoints
                await asyncio.sleep(0.001)
                new = a_webhook_endpoint(number, description=str(len(found)))
                await work.commit(Changes(webhook_endpoints_new=[new]))

        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(*(create_one(number) for number in range(1, 17)))
        created = await storage.webhook_endpoints.endpoints(user_id(2), before=None, limit=100)
        assert sorted(int(each.description or "") for each in created) == list(range(16))

    async def test_of_concurrent_changes_none_is_lost(self, storage: Storage) -> None:
        """Some name the endpoint, some its owner."""
        await commit(storage, Changes(webhook_endpoints_new=[a_webhook_endpoint(1), a_webhook_endpoint(2)]))
        by_id = Wanted(webhook_endpoints=[endpoint_id(2), endpoint_id(1)])
        by_owner = Wanted(webhook_owners=[user_id(2)])

        @run_again
        async def count_one(wanted: Wanted) -> None:
            async with storage.unit_of_work() as work:
                found = (await work.load(wanted)).webhook_endpoints
                await asyncio.sleep(0.001)
                await work.commit(Changes(webhook_endpoints_changed=[each.with_event() for each in found]))

        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(*(count_one(by_owner if n % 2 else by_id) for n in range(20)))
        after = await storage.webhook_endpoints.endpoints(None, before=None, limit=10)
        assert [each.sequence for each in after] == [20, 20]
