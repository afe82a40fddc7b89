"""What every store of users promises."""

import asyncio
from dataclasses import replace

import pytest

from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Wanted
from gateway.application.ports.users import Credentials
from gateway.contracts.records import NOW, a_user, by_email, commit, load, user_id


class UsersContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_a_registered_user_is_found_by_address_and_by_id(self, storage: Storage) -> None:
        """With the hash that was committed."""
        new = a_user(1, name="Ada", password_hash="$one")  # noqa: S106 - no hash of anything.
        await commit(storage, Changes(users_new=[new, a_user(2)]))
        expected = Credentials(user=new.user, password_hash="$one")  # noqa: S106 - as above.
        assert await by_email(storage, new.user.email) == expected
        assert await storage.users.by_id(new.user.id) == expected

    async def test_nobody_is_found_by_what_nobody_has(self, storage: Storage) -> None:
        """Not by a part of it, nor by a pattern."""
        await commit(storage, Changes(users_new=[a_user(1)]))
        for email in ("user2@example.com", "user1@example.co", "user_@example.com", "%", ""):
            assert await by_email(storage, email) is None
        assert await storage.users.by_id(user_id(2)) is None

    async def test_who_logs_in_is_found_once_for_each_network_that_is_asked_for(self, storage: Storage) -> None:
        """All in one call, however many they are; nobody is found for an address or a network of others."""
        await commit(storage, Changes(users_new=[a_user(n) for n in range(300)]))
        asked = [(f"user{n}@example.com", f"192.0.2.{n % 2 + m}") for n in range(400) for m in range(2)]
        found = await storage.users.at_login(asked)
        assert set(found) == {(f"user{n}@example.com", f"192.0.2.{n % 2 + m}") for n in range(300) for m in range(2)}
        assert all(each.credentials.user.email == email and not each.known for (email, _), each in found.items())
        assert await storage.users.at_login([]) == {}

    async def test_an_address_is_found_in_exactly_the_spelling_that_is_kept(self, storage: Storage) -> None:
        """Byte for byte: addresses are made canonical before, so another spelling is another user."""
        spellings = (
            "jos\u00e9@example.com",
            "jose\u0301@example.com",
            "Jos\u00e9@example.com",
            "j\u200bos\u00e9@example.com",
        )
        await commit(storage, Changes(users_new=[a_user(n, email=email) for n, email in enumerate(spellings)]))
        for number, email in enumerate(spellings):
            found = await by_email(storage, email)
            assert found is not None
            assert found.user == a_user(number, email=email).user
            assert (await load(storage, Wanted(emails=[email]))).emails_taken == (email,)
        assert await by_email(storage, "jose@example.com") is None
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(users_new=[a_user(9, email=spellings[1])]))

    async def test_a_password_hash_is_replaced_if_it_is_the_old_one(self, storage: Storage) -> None:
        """Of this user only."""
        await commit(storage, Changes(users_new=[a_user(1, password_hash="$one"), a_user(2, password_hash="$one")]))  # noqa: S106 - as above.
        assert await storage.users.replace_password_hash(user_id(1), old="$one", new="$two")
        changed = await storage.users.by_id(user_id(1))
        other = await by_email(storage, "user2@example.com")
        assert changed is not None
        assert other is not None
        assert (changed.user, changed.password_hash) == (a_user(1).user, "$two")
        assert other.password_hash == "$one"  # noqa: S105 - as above.

    async def test_a_password_hash_that_is_no_longer_the_old_one_stays(self, storage: Storage) -> None:
        """Somebody changed the password in between."""
        await commit(storage, Changes(users_new=[a_user(1, password_hash="$one")]))  # noqa: S106 - as above.
        assert not await storage.users.replace_password_hash(user_id(1), old="$zero", new="$two")
        found = await storage.users.by_id(user_id(1))
        assert found is not None
        assert found.password_hash == "$one"  # noqa: S105 - as above.

    async def test_nobodys_password_hash_is_not_replaced(self, storage: Storage) -> None:
        """And nobody comes to be by it."""
        assert not await storage.users.replace_password_hash(user_id(1), old="$one", new="$two")
        assert await storage.users.by_id(user_id(1)) is None

    async def test_of_sixteen_concurrent_changes_of_a_password_one_wins(self, storage: Storage) -> None:
        """The stored hash is the winner's."""
        await commit(storage, Changes(users_new=[a_user(1, password_hash="$one")]))  # noqa: S106 - as above.
        users = storage.users
        replaced = await asyncio.gather(
            *(users.replace_password_hash(user_id(1), old="$one", new=f"$new-{n}") for n in range(16))
        )
        assert replaced.count(True) == 1
        found = await users.by_id(user_id(1))
        assert found is not None
        assert found.password_hash == f"$new-{replaced.index(True)}"

    async def test_another_address_is_looked_up_from_then_on(self, storage: Storage) -> None:
        """The former one is free, and nothing else of the user has changed."""
        await commit(storage, Changes(users_new=[a_user(1, password_hash="$one")]))  # noqa: S106 - as above.
        assert await storage.users.replace_email(user_id(1), old="user1@example.com", new="ada@example.com")
        expected = replace(a_user(1).user, email="ada@example.com")
        found = await storage.users.by_id(user_id(1))
        assert found == Credentials(user=expected, password_hash="$one")  # noqa: S106 - as above.
        assert await by_email(storage, "ada@example.com") == found
        assert await by_email(storage, "user1@example.com") is None
        await commit(storage, Changes(users_new=[a_user(2, email="user1@example.com")]))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(users_new=[a_user(3, email="ada@example.com")]))

    async def test_an_address_that_another_user_has_stays_theirs(self, storage: Storage) -> None:
        """Nothing is written, as for a user whose address is no longer the old one, and for nobody."""
        await commit(storage, Changes(users_new=[a_user(1), a_user(2)]))
        for number, old, new in (
            (1, "user1@example.com", "user2@example.com"),
            (1, "user3@example.com", "ada@example.com"),
            (9, "user1@example.com", "ada@example.com"),
        ):
            assert not await storage.users.replace_email(user_id(number), old=old, new=new)
        for number in (1, 2):
            found = await by_email(storage, f"user{number}@example.com")
            assert found is not None
            assert found.user.id == user_id(number)
        assert await by_email(storage, "ada@example.com") is None

    async def test_of_sixteen_users_who_want_an_address_at_once_one_has_it(self, storage: Storage) -> None:
        """The others keep theirs."""
        await commit(storage, Changes(users_new=[a_user(n) for n in range(16)]))
        replaced = await asyncio.gather(
            *(
                storage.users.replace_email(user_id(n), old=f"user{n}@example.com", new="ada@example.com")
                for n in range(16)
            )
        )
        assert replaced.count(True) == 1
        found = await by_email(storage, "ada@example.com")
        assert found is not None
        assert found.user.id == user_id(replaced.index(True))
        kept = [await by_email(storage, f"user{n}@example.com") for n in range(16)]
        assert [each is None for each in kept] == replaced

    async def test_an_address_outlives_a_unit_of_work_that_has_loaded_the_former_one(self, storage: Storage) -> None:
        """It writes back what it changes, and no address."""
        await commit(storage, Changes(users_new=[a_user(1)]))
        new = "ada@example.com"
        async with storage.unit_of_work() as work:
            [user] = (await work.load(Wanted(users=[user_id(1)]))).users
            other = asyncio.create_task(storage.users.replace_email(user_id(1), old="user1@example.com", new=new))
            await work.commit(Changes(users_changed=[user.disabled(NOW)]))
        assert await other
        found = await storage.users.by_id(user_id(1))
        assert found is not None
        assert (found.user.email, found.user.disabled_at) == (new, NOW)
