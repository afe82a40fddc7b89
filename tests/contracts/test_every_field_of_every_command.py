"""Whatever stands in any field of any command, every storage answers alike: a refusal with a code, or it is valid."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gateway
from gateway.adapters.memory import memory_storage
from gateway.application.engine.command import Command
from gateway.application.engine.outcome_codec import refusals
from gateway.application.ports.storage import Storage
from gateway.domain.account import AccountId, AccountKey, AccountKind
from gateway.domain.errors import InvalidInput, Refusal
from gateway.domain.fees import FeeSchedule
from gateway.domain.payment import CaptureMethod, PaymentId
from gateway.domain.payment_terms import PaymentOrder
from support.builders import CUSTOMER, MERCHANT, usd
from support.hostile import VALUES, Path, Shop, a_shop, paths, with_value

EXAMPLES = 50
"""Of a run: each is at most one transaction."""


@pytest.fixture
async def shop(storage: Storage) -> AsyncIterator[Shop]:
    """A shop, whose books are sound in the end, whatever was asked."""
    shop = await a_shop(storage)
    yield shop
    assert await shop.findings() == []


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.differing_executors,
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(data=st.data())
async def test_a_command_is_valid_or_is_refused_with_a_code_and_nothing_is_written(
    shop: Shop, data: st.DataObject
) -> None:
    command = data.draw(st.sampled_from(list(shop.commands.values())))
    path = data.draw(st.sampled_from(list(paths(command))))
    hostile = data.draw(
        st.one_of(
            st.sampled_from(VALUES),
            st.integers(),
            st.text(max_size=600),
            st.floats(),
            st.decimals(),
            st.dictionaries(st.text(max_size=50), st.text(max_size=600), max_size=60),
        )
    )
    before = await shop.written()
    asked, code = made(command, path, hostile)
    if asked is not None:
        code = await shop.outcome(asked)
    assert code == "" or code in refusals()
    # A payment that lacks funds is kept as failed, and moves nothing either.
    assert code == "" or await shop.written() == before


async def test_every_hostile_value_in_every_field_has_the_same_answer_as_on_the_memory_adapter(shop: Shop) -> None:
    in_memory = await a_shop(memory_storage())
    refused = done = 0
    for kind, command in shop.commands.items():
        for path in paths(command):
            for hostile in VALUES:
                asked, code = made(command, path, hostile)
                if asked is None:
                    assert code in {"validation_error", "unknown_currency", "same_currency"}, (kind, path, hostile)
                    refused += 1
                else:
                    same, _ = made(in_memory.commands[kind], path, hostile)
                    assert same is not None
                    outcomes = await shop.outcome(asked), await in_memory.outcome(same)
                    assert outcomes[0] == outcomes[1], (kind, path, hostile)
                    done += 1
    assert refused > 5 * done > 0
    assert await in_memory.findings() == []


@pytest.mark.parametrize("amount", [0, -5, True, 1.5, "1", 10**12])
@pytest.mark.parametrize("kind", [gateway.CapturePayment, gateway.RefundPayment])
async def test_a_capture_or_a_refund_of_no_amount_is_refused_and_nothing_is_written(
    shop: Shop, kind: type[Command[Any]], amount: Any
) -> None:
    before = await shop.written()
    with pytest.raises(InvalidInput) as refused:
        await shop.executor.execute(with_value(shop.commands[kind], ("amount_minor",), amount))
    assert [error.field for error in refused.value.errors] == ["amount_minor"]
    assert await shop.written() == before


@pytest.mark.parametrize(
    ("basis_points", "fixed_minor", "field"),
    [
        (0, -1, "fixed_minor"),
        (0, 1.5, "fixed_minor"),
        (0, True, "fixed_minor"),
        (-1, 0, "basis_points"),
        (10_001, 0, "basis_points"),
        (1.5, 0, "basis_points"),
    ],
)
def test_a_fee_schedule_out_of_bounds_cannot_be_made(basis_points: Any, fixed_minor: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        FeeSchedule(basis_points, fixed_minor)
    assert [error.field for error in refused.value.errors] == [field]


async def test_a_fee_schedule_that_was_made_past_its_checks_is_refused_too(shop: Shop) -> None:
    before = await shop.written()
    with pytest.raises(InvalidInput):
        with_value(shop.commands[gateway.SetFees], ("fees",), FeeSchedule(0, 1)._replace(fixed_minor=-1))
    assert await shop.written() == before


@pytest.mark.parametrize(
    ("key", "field"),
    [
        (AccountKey(CUSTOMER, usd(1).currency, AccountKind.FUNDING), "kind"),
        (AccountKey(CUSTOMER, usd(1).currency, AccountKind.FEES), "kind"),
        (AccountKey(CUSTOMER, usd(1).currency, AccountKind.EXCHANGE), "kind"),
        (CUSTOMER, "key"),
    ],
)
async def test_nobody_opens_an_account_of_the_gateways_own(shop: Shop, key: Any, field: str) -> None:
    before = await shop.written()
    with pytest.raises(InvalidInput) as refused:
        await shop.executor.execute(gateway.OpenAccount(key=key))
    assert [error.field for error in refused.value.errors] == [field]
    for owner in ("system", ""):
        with pytest.raises(InvalidInput):
            with_value(shop.commands[gateway.OpenAccount], ("key", "owner_id"), owner)
    assert await shop.written() == before


async def test_an_id_that_a_user_has_is_not_given_to_another(shop: Shop) -> None:
    taken = with_value(shop.commands[gateway.Register], ("user_id",), CUSTOMER)
    before = await shop.written()
    assert await shop.outcome(taken) == "user_exists"
    assert await shop.written() == before
    found = await shop.storage.users.by_id(CUSTOMER)
    assert found is not None
    assert found.user.email == "user1@example.com"


async def test_two_who_register_with_one_id_in_one_batch_are_one_user(shop: Shop) -> None:
    register = shop.commands[gateway.Register]
    assert await shop.outcome(register) == ""
    assert await shop.outcome(with_value(register, ("email",), "other@example.com")) == "user_exists"


@pytest.mark.parametrize("key", ["", "x" * 256, "x" * 10_000, "a b", "é", "\0", "tab\t", 7, b"key", True])
async def test_an_idempotency_key_is_1_to_255_visible_characters(shop: Shop, key: Any) -> None:
    before = await shop.written()
    with pytest.raises(InvalidInput) as refused:
        await shop.executor.execute(shop.commands[gateway.Pay], idempotency_key=key)
    assert [error.field for error in refused.value.errors] == ["idempotency_key"]
    assert await shop.written() == before


@pytest.mark.parametrize("owner", ["", "x" * 65, "a\0b", "\ud800", None, 7])
async def test_the_owner_of_a_key_is_an_id(shop: Shop, owner: Any) -> None:
    before = await shop.written()
    for key in (None, "key-1"):
        with pytest.raises(InvalidInput) as refused:
            await shop.executor.execute(shop.commands[gateway.Pay], idempotency_key=key, owner_id=owner)
        assert [error.field for error in refused.value.errors] == ["owner_id"]
    assert await shop.written() == before


@pytest.mark.parametrize("command", [None, "Pay", 7, gateway.Pay, usd(1)])
async def test_what_is_no_command_is_refused(shop: Shop, command: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        await shop.executor.execute(command)
    assert [error.field for error in refused.value.errors] == ["command"]


async def test_metadata_is_copied_when_a_command_is_made(shop: Shop) -> None:
    metadata = {"order": "1"}
    order = PaymentOrder(customer_id=CUSTOMER, merchant_id=MERCHANT, amount=usd(1), metadata=metadata)
    metadata["order"] = "4242424242424242"
    paid = await shop.executor.execute(gateway.Pay(order=order))
    assert paid.payment.metadata == {"order": "1"}


async def test_a_valid_command_at_each_limit_is_kept_as_it_was_given(shop: Shop) -> None:
    order = PaymentOrder(
        customer_id=CUSTOMER,
        merchant_id=MERCHANT,
        amount=usd(1),
        reference="ünïcödé-" * 8,
        description="é🧾" * 250,
        metadata={f"{number:040}": "é" * 500 for number in range(50)},
        capture=CaptureMethod.MANUAL,
        expires_in_seconds=2_678_400,
    )
    paid = await shop.executor.execute(gateway.Pay(order=order), idempotency_key="k" * 255, owner_id=CUSTOMER)
    kept = await shop.storage.reader.payment(paid.payment.id)
    assert kept is not None
    assert (kept.reference, kept.description, kept.metadata) == (order.reference, order.description, order.metadata)


async def test_ids_that_nothing_has_are_not_found_anywhere(shop: Shop) -> None:
    assert await shop.outcome(gateway.FreezeAccount(account_id=AccountId("x" * 64))) == "account_not_found"
    assert await shop.outcome(gateway.ExpirePayment(payment_id=PaymentId("é🙈 %_'"))) == "payment_not_found"
    with pytest.raises(InvalidInput):
        gateway.FreezeAccount(account_id=AccountId("x" * 65))


def made(command: Command[Any], path: Path, hostile: object) -> tuple[Command[Any] | None, str]:
    """The command with another value in one place, or the code with which it is refused."""
    try:
        return with_value(command, path, hostile), ""
    except Refusal as refusal:
        return None, refusal.code
