"""What every storage of customers whom a merchant manages promises."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.application.ports.batch_records import AccountHolder
from gateway.application.ports.customers import CustomerFilter
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Wanted
from gateway.contracts.records import (
    NOW,
    a_customer,
    an_account,
    an_answer,
    commit,
    load,
    user_id,
)
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.customer import Customer, CustomerInvitation, CustomerWithAccounts, ExternalId
from gateway.domain.money import currency_code

EACH_FIELD = a_customer(
    1,
    name="naïve 😀 ' \"",
    email="ada@example.com",
    external_id="c-1",
    version=2**62,
    invitation=CustomerInvitation(secret_hash=bytes(range(224, 256)), expires_at=NOW + timedelta(microseconds=1)),
    joined_at=NOW + timedelta(microseconds=2),
)


def shown(customer: Customer, *accounts: Any) -> CustomerWithAccounts:
    """A customer with their accounts, the newest first."""
    return CustomerWithAccounts(customer=customer, accounts=accounts)


class CustomersContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    @pytest.mark.parametrize("customer", [EACH_FIELD, a_customer(1)], ids=["all fields", "few fields"])
    async def test_a_customer_comes_back_with_every_field(self, storage: Storage, customer: Customer) -> None:
        """From a look-up, and in a unit of work."""
        await commit(storage, Changes(customers_new=[customer]))
        assert await storage.customers.customer(customer.id) == shown(customer)
        assert await storage.customers.customer(user_id(9)) is None
        assert (await load(storage, Wanted(customers=[customer.id, user_id(9)]))).customers == (customer,)

    async def test_nothing_of_a_customer_is_written_when_the_commit_fails(self, storage: Storage) -> None:
        """It is one transaction with everything else."""
        await commit(storage, Changes(answers_new=[an_answer()]))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(answers_new=[an_answer()], customers_new=[EACH_FIELD]))
        assert await storage.customers.customer(EACH_FIELD.id) is None
        await commit(storage, Changes(customers_new=[EACH_FIELD]))

    async def test_customers_have_the_accounts_that_their_merchant_manages(self, storage: Storage) -> None:
        """The newest first; no others of the same owner."""
        managed = [an_account(number, owner_id=user_id(1), managed_by=user_id(2)) for number in (1, 2)]
        managed[1] = an_account(2, owner_id=user_id(1), managed_by=user_id(2), currency=currency_code("EUR"))
        own = an_account(3, owner_id=user_id(1), currency=currency_code("JPY"))
        await commit(storage, Changes(customers_new=[a_customer(1)], accounts_new=[*managed, own]))
        expected = shown(a_customer(1), managed[1], managed[0])
        assert await storage.customers.customer(user_id(1)) == expected
        assert list(await storage.customers.customers(CustomerFilter(), before=None, limit=9)) == [expected]
        assert await storage.reader.account(managed[0].id) == managed[0]
        found = await load(storage, Wanted(account_ids=[managed[0].id]))
        assert found.accounts == (managed[0],)

    async def test_the_holder_of_an_account_in_another_currency_has_their_merchant(self, storage: Storage) -> None:
        """Who nobody manages has none."""
        accounts = [an_account(1, owner_id=user_id(1), managed_by=user_id(2)), an_account(2, owner_id=user_id(3))]
        await commit(storage, Changes(accounts_new=accounts))
        keys = [AccountKey(user_id(number), currency_code("EUR"), AccountKind.CUSTOMER) for number in (1, 3, 4)]
        found = await load(storage, Wanted(account_keys=keys))
        kind = AccountKind.CUSTOMER
        assert set(found.account_holders) == {
            AccountHolder(user_id(1), kind, user_id(2)),
            AccountHolder(user_id(3), kind),
        }

    async def test_an_account_that_is_handed_over_is_managed_no_more(self, storage: Storage) -> None:
        """With everything else that changes of it; others stay managed, and all have their new versions."""
        customers = [a_customer(1), a_customer(3)]
        accounts = [an_account(number, owner_id=user_id(number), managed_by=user_id(2)) for number in (1, 3)]
        await commit(storage, Changes(customers_new=customers, accounts_new=accounts))
        after = [accounts[0].changed(credits_posted=5).handed_over(), accounts[1].changed(credits_posted=7)]
        joined = a_customer(1, joined_at=NOW, version=2)
        changes = Changes(customers_changed=[joined], accounts_changed=after, accounts_handed_over=[accounts[0].id])
        await commit(storage, changes, Wanted(customers=[joined.id], account_ids=[each.id for each in accounts]))
        assert [await storage.reader.account(each.id) for each in accounts] == after
        assert (after[0].managed_by, after[0].version, after[0].credits_posted) == (None, 3, 5)
        assert await storage.customers.customer(joined.id) == shown(joined)
        assert await storage.customers.customer(customers[1].id) == shown(customers[1], after[1])
        keys = [AccountKey(each.owner_id, currency_code("EUR"), AccountKind.CUSTOMER) for each in accounts]
        found = await load(storage, Wanted(account_keys=keys))
        assert set(found.account_holders) == {
            AccountHolder(user_id(1), AccountKind.CUSTOMER),
            AccountHolder(user_id(3), AccountKind.CUSTOMER, user_id(2)),
        }

    async def test_a_merchants_external_id_is_taken_once(self, storage: Storage) -> None:
        """By a new customer, and by one who changes. Another merchant's is another one."""
        one, two = a_customer(1, external_id="1"), a_customer(2)
        await commit(storage, Changes(customers_new=[one, two, a_customer(3, merchant=3, external_id="1")]))
        keys = [ExternalId(user_id(merchant), name) for merchant, name in ((2, "1"), (3, "1"), (4, "1"), (2, "2"))]
        assert set((await load(storage, Wanted(external_ids=keys))).external_ids_taken) == set(keys[:2])
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(customers_new=[a_customer(4, external_id="1")]))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(customers_changed=[a_customer(2, external_id="1", version=2)]))
        given_back = a_customer(1, external_id="2", version=2)
        await commit(storage, Changes(customers_changed=[given_back]))
        after = a_customer(2, external_id="1", name="Bea", version=2)
        await commit(storage, Changes(customers_changed=[after]))
        assert await storage.customers.customer(user_id(1)) == shown(given_back)
        assert await storage.customers.customer(user_id(2)) == shown(after)
        assert set((await load(storage, Wanted(external_ids=keys))).external_ids_taken) == {*keys[:2], keys[3]}

    async def test_customers_are_listed_newest_first_in_pages(self, storage: Storage) -> None:
        """All, or those of a merchant, with an external id, or with an address."""
        mine = [
            a_customer(number, external_id=f"c-{number}", email="even@example.com" if number % 2 == 0 else None)
            for number in range(1, 6)
        ]
        theirs = a_customer(6, merchant=3, external_id="c-2", email="even@example.com")
        await commit(storage, Changes(customers_new=[*mine, theirs]))

        async def numbers(before: int | None = None, limit: int = 9, **where: Any) -> list[str]:
            page = await storage.customers.customers(
                CustomerFilter(**where), before=None if before is None else user_id(before), limit=limit
            )
            return [each.id for each in page]

        def ids(*expected: int) -> list[str]:
            return [user_id(number) for number in expected]

        assert await numbers(limit=2) == ids(6, 5)
        assert await numbers(merchant_id=user_id(2), limit=3) == ids(5, 4, 3)
        assert await numbers(merchant_id=user_id(2), before=3) == ids(2, 1)
        assert await numbers(merchant_id=user_id(2), external_id="c-2") == ids(2)
        assert await numbers(merchant_id=user_id(2), external_id="c-2", before=2) == []
        assert await numbers(external_id="c-2") == ids(6, 2)
        assert await numbers(merchant_id=user_id(2), email="even@example.com") == ids(4, 2)
        assert await numbers(merchant_id=user_id(2), email="even@example.com", external_id="c-4") == ids(4)
        assert await numbers(merchant_id=user_id(4)) == []
