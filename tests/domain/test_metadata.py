"""Metadata is checked once, and nobody changes it afterwards: not an order's, not a payment's."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest

from gateway.contracts.records import NOW, payment_id, user_id
from gateway.domain.errors import InvalidInput
from gateway.domain.metadata import Metadata, checked_metadata
from gateway.domain.new_payment import paid_at_once
from gateway.domain.payment_terms import PaymentOrder
from support.builders import usd

ORDER = PaymentOrder(customer_id=user_id(1), merchant_id=user_id(2), amount=usd(40), metadata={"table": "7"})
CHANGES: dict[str, Callable[[dict[str, str]], object]] = {
    "set": lambda metadata: metadata.__setitem__("card", "4242424242424242"),
    "delete": lambda metadata: metadata.__delitem__("table"),
    "update": lambda metadata: metadata.update(table="8"),
    "|=": lambda metadata: metadata.__ior__({"table": "8"}),
    "setdefault": lambda metadata: metadata.setdefault("seat", "2"),
    "pop": lambda metadata: metadata.pop("table"),
    "popitem": lambda metadata: metadata.popitem(),
    "clear": lambda metadata: metadata.clear(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_metadata_of_orders_and_payments_do_not_change(change: str) -> None:
    payment = paid_at_once(ORDER, payment_id=payment_id(1), now=NOW)
    for metadata in (ORDER.metadata, payment.metadata, replace(ORDER, description="later").metadata):
        assert isinstance(metadata, dict)
        with pytest.raises(TypeError, match="does not change"):
            CHANGES[change](metadata)
        assert metadata == {"table": "7"}


def test_what_it_was_made_of_may_change() -> None:
    given = {"table": "7"}
    order = replace(ORDER, metadata=given)
    given["table"] = "8"
    assert order.metadata == {"table": "7"}


def test_copies_are_plain_dictionaries_or_the_same_again() -> None:
    metadata = checked_metadata(MappingProxyType({"table": "7"}))
    for plain in (dict(metadata), metadata | {}, metadata.copy()):
        plain["table"] = "8"
    for same in (copy.copy(metadata), copy.deepcopy(metadata), pickle.loads(pickle.dumps(metadata))):  # noqa: S301 - ours.
        assert (type(same), same) == (Metadata, {"table": "7"})


def test_one_that_was_made_past_the_checks_is_checked_all_the_same() -> None:
    with pytest.raises(InvalidInput):
        replace(ORDER, metadata=Metadata({"card": "4242424242424242"}))
