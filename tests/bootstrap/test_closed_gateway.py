"""A gateway that was closed, and one without the extra that serves it."""

import sys

import pytest

import gateway as package
from gateway import GatewayClosed, MakeDeposit, Money, in_memory_gateway


@pytest.mark.parametrize("one_by_one", [True, False])
async def test_a_closed_gateway_refuses_for_ever_and_not_as_one_that_is_overloaded(*, one_by_one: bool) -> None:
    async with in_memory_gateway(one_by_one=one_by_one) as gateway:
        account = await gateway.accounts.open_customer("user-17", "EUR")
    deposit = MakeDeposit(account_id=account.id, amount=Money(1, "EUR"), owner_id=None)
    for refused in (
        gateway.execute(deposit),
        gateway.execute_in(object(), deposit),
        gateway.accounts.open_customer("user-18", "EUR"),
    ):
        with pytest.raises(GatewayClosed, match="is closed"):
            await refused


def test_the_api_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litestar", None)
    monkeypatch.delitem(sys.modules, "gateway.bootstrap.serving", raising=False)
    monkeypatch.delitem(vars(package), "asgi", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"asgi needs litestar.*pip install 'gateway\[server\]'") as missing:
        from gateway import asgi  # noqa: F401, PLC0415 # pyright: ignore[reportUnusedImport] - as a program imports it.
    assert missing.value.name == "litestar"
