"""API keys: which can be made, when they end, and what a rotation does."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.contracts.records import NOW, an_api_key, api_key_id, user_id
from gateway.domain.api_key import ApiKey, check_expiry, check_scopes, in_order
from gateway.domain.api_key_errors import ApiKeyEnded
from gateway.domain.errors import InvalidInput
from gateway.domain.scope import SCOPES_OF_ROLE, Scope
from gateway.domain.user import Role

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("id", ""),
        ("owner_id", None),
        ("owner_role", "merchant"),
        ("name", ""),
        ("name", "x" * 101),
        ("name", "card 4111 1111 1111 1111"),
        ("scopes", [Scope.PAYMENTS_READ]),
        ("secret_hash", b"x" * 31),
        ("secret_hash", "x" * 32),
        ("last_four", "abc"),
        ("created_at", NOW.replace(tzinfo=None)),
        ("expires_at", "2030-01-01"),
        ("revoked_at", 0),
        ("last_used_at", NOW.replace(tzinfo=None)),
        ("replaced_by", ""),
        ("sequence", -1),
        ("requests_per_minute", 0),
        ("requests_per_minute", 1_000_001),
        ("requests_per_minute", True),
    ],
)
def test_a_key_is_valid_or_cannot_be_made(name: str, given: Any) -> None:
    with pytest.raises(InvalidInput):
        replace(an_api_key(), **{name: given})


def test_the_hash_does_not_stand_in_the_representation() -> None:
    assert {each.name for each in fields(ApiKey) if not each.repr} == {"secret_hash"}


@pytest.mark.parametrize("role", Role)
def test_a_key_never_may_more_than_its_owner(role: Role) -> None:
    for scope in Scope:
        if scope in SCOPES_OF_ROLE[role]:
            check_scopes((scope,), role)
            continue
        with pytest.raises(InvalidInput) as refused:
            check_scopes((scope,), role)
        assert [error.code for error in refused.value.errors] == ["scope_not_allowed"]


@pytest.mark.parametrize("scopes", [(), (Scope.PAYMENTS_READ,) * 2, ("payments:read",), Scope.PAYMENTS_READ, None])
def test_scopes_are_given_and_each_once(scopes: Any) -> None:
    with pytest.raises(InvalidInput):
        check_scopes(scopes, Role.MERCHANT)


def test_scopes_are_shown_in_one_order() -> None:
    assert in_order((Scope.EVENTS_READ, Scope.PAYMENTS_READ)) == (Scope.PAYMENTS_READ, Scope.EVENTS_READ)


def test_an_expiry_is_in_the_next_ten_years() -> None:
    for expires_at in (None, NOW + timedelta(microseconds=1), NOW + timedelta(days=3_660)):
        check_expiry(expires_at, NOW)
    for expires_at in (NOW, NOW - SECOND, NOW + timedelta(days=3_660, microseconds=1)):
        with pytest.raises(InvalidInput):
            check_expiry(expires_at, NOW)


def test_a_key_ends_when_it_expires_or_is_revoked_whatever_clocks_say() -> None:
    expiring = an_api_key(expires_at=NOW + SECOND)
    assert [expiring.has_ended(at) for at in (NOW, NOW + SECOND)] == [False, True]
    revoked = expiring.revoke(now=NOW + SECOND)
    assert revoked.has_ended(NOW)
    assert (revoked.revoked_at, revoked.sequence) == (NOW + SECOND, 2)
    assert revoked.revoke(now=NOW) is revoked
    assert not an_api_key().has_ended(NOW + timedelta(days=10_000))


def test_a_replaced_key_lives_on_for_a_time_and_never_longer_than_before() -> None:
    new = api_key_id(9)
    rotated = an_api_key().rotate(new, seconds=60, now=NOW)
    assert (rotated.replaced_by, rotated.expires_at, rotated.sequence) == (new, NOW + timedelta(seconds=60), 2)
    assert rotated.revoked_at is None
    expiring = an_api_key(expires_at=NOW + SECOND).rotate(new, seconds=60, now=NOW)
    assert expiring.expires_at == NOW + SECOND
    at_once = an_api_key().rotate(new, seconds=0, now=NOW)
    assert at_once.has_ended(NOW - SECOND)


@pytest.mark.parametrize(
    "key",
    [
        an_api_key(revoked_at=NOW),
        an_api_key(expires_at=NOW),
        an_api_key(replaced_by=api_key_id(9), expires_at=NOW + SECOND),
    ],
    ids=["revoked", "expired", "replaced"],
)
def test_a_key_that_has_ended_or_was_replaced_is_not_rotated(key: ApiKey) -> None:
    with pytest.raises(ApiKeyEnded):
        key.rotate(api_key_id(8), seconds=0, now=NOW)


@pytest.mark.parametrize(
    ("role", "customer", "merchant"),
    [(Role.CUSTOMER, user_id(2), None), (Role.MERCHANT, None, user_id(2)), (Role.OPERATOR, None, None)],
)
def test_the_owner_sees_the_events_about_a_key(role: Role, customer: object, merchant: object) -> None:
    key = an_api_key(owner_role=role)
    assert (key.customer_id, key.merchant_id) == (customer, merchant)
