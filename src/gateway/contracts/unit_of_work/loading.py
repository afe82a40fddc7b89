"""What `load` finds: records by key and by id, and the accounts of payments."""

from datetime import UTC, datetime, timedelta

from gateway.application.ports.batch_records import AccountHolder
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, Records, Wanted
from gateway.contracts.records import (
    EUR,
    a_payment,
    a_user,
    account_id,
    an_account,
    an_answer,
    commit,
    load,
    payment_id,
    user_id,
)
from gateway.contracts.unit_of_work.support import by_id
from gateway.domain.account import AccountKind, AccountStatus
from gateway.domain.payment import PaymentReference
from gateway.domain.payment_status import PaymentStatus


class LoadingContract:
    """A part of `UnitOfWorkContract`."""

    async def test_committed_records_are_seen_by_the_next_unit_of_work(self, storage: Storage) -> None:
        """Every kind that can be loaded."""
        account, payment, answer, new = an_account(), a_payment(reference="order-1"), an_answer(), a_user()
        await commit(
            storage,
            Changes(users_new=[new], accounts_new=[account], payments_new=[payment], answers_new=[answer]),
        )
        reference = PaymentReference(payment.merchant_id, "order-1", user_id(1))
        wanted = Wanted(
            answers=[answer.key],
            account_ids=[account.id],
            payments=[payment.id],
            references=[reference],
            emails=[new.user.email],
            user_ids=[new.user.id],
        )
        found = await load(storage, wanted)
        assert found.answers == (answer,)
        assert found.accounts == (account,)
        assert found.payments == (payment,)
        assert found.references_taken == (reference,)
        assert found.emails_taken == (new.user.email,)
        assert found.user_ids_taken == (new.user.id,)

    async def test_changed_records_replace_those_of_the_same_id(self, storage: Storage) -> None:
        """The old ones are gone, the others are as they were."""
        await commit(
            storage,
            Changes(
                accounts_new=[an_account(1), an_account(2)],
                payments_new=[a_payment(1, reference="order-1", metadata={"a": "1"}), a_payment(2)],
            ),
        )
        account = an_account(1).changed(
            debits_pending=1, debits_posted=2, credits_pending=3, credits_posted=4, status=AccountStatus.FROZEN
        )
        payment = a_payment(
            1,
            reference="order-1",
            metadata={"a": "1"},
            status=PaymentStatus.FAILED,
            amount_captured_minor=30,
            amount_refunded_minor=20,
            fee_amount_minor=10,
            failure_code="insufficient_funds",
            expires_at=datetime(2030, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
            version=2,
            updated_at=datetime(2030, 1, 1, tzinfo=UTC),
        )
        await commit(
            storage,
            Changes(accounts_changed=[account], payments_changed=[payment]),
            Wanted(account_ids=[account.id], payments=[payment.id]),
        )
        ids = [account_id(1), account_id(2)]
        assert by_id(await load(storage, Wanted(account_ids=ids))) == {ids[0]: account, ids[1]: an_account(2)}
        assert await storage.reader.payment(payment.id) == payment
        assert await storage.reader.payment(payment_id(2)) == a_payment(2)

    async def test_what_does_not_exist_is_left_out(self, storage: Storage) -> None:
        """Nothing is made up, and nothing is an error."""
        await commit(storage, Changes(accounts_new=[an_account(1)], answers_new=[an_answer("key-1")]))
        found = await load(
            storage,
            Wanted(
                answers=[an_answer("key-2").key, an_answer("key-1", owner=2).key],
                account_ids=[account_id(2), account_id(1)],
                account_keys=[an_account(3).key],
                payments=[payment_id(1)],
                references=[PaymentReference(user_id(2), "order-1", user_id(1))],
                emails=["nobody@example.com"],
                user_ids=[user_id(404)],
            ),
        )
        assert found == Records(accounts=(an_account(1),))

    async def test_nothing_wanted_is_nothing_found(self, storage: Storage) -> None:
        """However much there is."""
        await commit(storage, Changes(accounts_new=[an_account()], payments_new=[a_payment()]))
        assert await load(storage, Wanted()) == Records()

    async def test_an_account_is_found_by_its_key_and_by_its_id(self, storage: Storage) -> None:
        """And stands once among the records, even if it was wanted in both ways."""
        account = an_account()
        await commit(storage, Changes(accounts_new=[account, an_account(2)]))
        assert (await load(storage, Wanted(account_keys=[account.key]))).accounts == (account,)
        assert (await load(storage, Wanted(account_ids=[account.id]))).accounts == (account,)
        both = await load(storage, Wanted(account_ids=[account.id], account_keys=[account.key]))
        assert both.accounts == (account,)

    async def test_a_key_is_an_owner_a_currency_and_a_kind(self, storage: Storage) -> None:
        """Accounts that differ in one of them are different accounts."""
        accounts = [
            an_account(1),
            an_account(2, owner_id=user_id(1), currency=EUR),
            an_account(3, owner_id=user_id(1), kind=AccountKind.MERCHANT),
            an_account(4),
        ]
        await commit(storage, Changes(accounts_new=accounts))
        for account in accounts:
            assert (await load(storage, Wanted(account_keys=[account.key]))).accounts == (account,)

    async def test_it_tells_who_has_an_account_in_another_currency(self, storage: Storage) -> None:
        """Of the same kind, and only of owners whose account was not found."""
        await commit(storage, Changes(accounts_new=[an_account(1), an_account(2), an_account(3, currency=EUR)]))
        not_theirs = an_account(1, kind=AccountKind.MERCHANT, currency=EUR).key
        elsewhere = an_account(2, currency=EUR).key
        found = await load(
            storage, Wanted(account_keys=[not_theirs, elsewhere, an_account(3, currency=EUR).key, an_account(4).key])
        )
        assert found.account_holders == (AccountHolder(user_id(2), AccountKind.CUSTOMER),)
        assert [account.id for account in found.accounts] == [account_id(3)]

    async def test_the_accounts_of_a_payment_come_along(self, storage: Storage) -> None:
        """The customer's and the merchant's in its currency, and no others."""
        customer = an_account(1)
        merchant = an_account(2, kind=AccountKind.MERCHANT)
        others = [
            an_account(3, owner_id=user_id(1), currency=EUR),
            an_account(4, owner_id=user_id(2), kind=AccountKind.CUSTOMER),
            an_account(5),
        ]
        await commit(storage, Changes(accounts_new=[customer, merchant, *others], payments_new=[a_payment()]))
        found = await load(storage, Wanted(payments=[payment_id(1)], account_ids=[customer.id]))
        assert by_id(found) == {customer.id: customer, merchant.id: merchant}

    async def test_a_payments_absent_accounts_are_left_out(self, storage: Storage) -> None:
        """The payment itself is found."""
        await commit(storage, Changes(payments_new=[a_payment()]))
        assert await load(storage, Wanted(payments=[payment_id(1)])) == Records(payments=(a_payment(),))

    async def test_ids_of_new_transactions_are_of_a_later_moment_than_those_before(self, storage: Storage) -> None:
        """A clock that is behind takes nothing back, and nobody has to say anything."""
        await commit(storage, Changes(accounts_new=[an_account(1)]))
        wanted = Wanted(account_ids=[account_id(1)])
        later = datetime(2030, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
        expected = later
        for version, latest_at in enumerate([later, later - timedelta(days=1), None, later + timedelta(days=1)], 2):
            await commit(
                storage, Changes(accounts_changed=[an_account(1, version=version)], latest_at=latest_at), wanted
            )
            expected = max(expected, latest_at or expected)
            found = (await load(storage, wanted)).latest_at
            assert found is not None
            assert found >= expected

    async def test_many_records_are_committed_and_loaded_at_once(self, storage: Storage) -> None:
        """A batch is as large as its executor lets it become."""
        numbers = range(1, 1201)
        accounts = [an_account(n) for n in numbers]
        answers = [an_answer(f"key-{n}", body=str(n).encode()) for n in numbers]
        await commit(storage, Changes(accounts_new=accounts, answers_new=answers))
        wanted = Wanted(
            account_ids=[account.id for account in accounts[:600]],
            account_keys=[account.key for account in accounts[400:]],
            answers=[answer.key for answer in answers],
        )
        changed = {account.id: account.changed(credits_posted=n) for n, account in enumerate(accounts)}
        await commit(storage, Changes(accounts_changed=list(changed.values())), wanted)
        found = await load(storage, wanted)
        assert by_id(found) == changed
        assert {answer.key: answer for answer in found.answers} == {answer.key: answer for answer in answers}
