"""Lists: pages partition the items, and changed cursors are refused."""

from datetime import timedelta

import pytest

from support.api_client import Json, Person, World, fresh_key, ok, refused

LISTS = ("/accounts", "/payments", "/transactions")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


async def pages(person: Person, path: str, limit: int, **filters: str) -> list[list[Json]]:
    """Every page; the filters are given with the first request only."""
    page = ok(await person.api.get(path, limit=limit, **filters))
    found = [page["data"]]
    while page["has_more"]:
        page = ok(await person.api.get(path, limit=limit, cursor=page["next_cursor"]))
        found.append(page["data"])
    assert page["next_cursor"] is None
    return found


async def a_cursor(person: Person, path: str = "/payments", **filters: str) -> str:
    cursor: str = ok(await person.api.get(path, limit=1, **filters))["next_cursor"]
    return cursor


@pytest.fixture
async def spender(customer: Person, merchant: Person) -> Person:
    """The customer, with seven payments to the merchant."""
    for number in range(7):
        await customer.pay(merchant, number + 1)
    return customer


async def test_an_empty_list_is_a_list(merchant: Person) -> None:
    assert ok(await merchant.api.get("/payments")) == {
        "object": "list",
        "data": [],
        "has_more": False,
        "next_cursor": None,
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 100])
async def test_pages_partition_a_list_from_newest_to_oldest(spender: Person, limit: int) -> None:
    for path, number in (("/payments", 7), ("/transactions", 8)):
        found = await pages(spender, path, limit)
        ids = [entry["id"] for page in found for entry in page]
        assert len(ids) == number
        assert ids == sorted(set(ids), reverse=True)
        assert all(len(page) == limit for page in found[:-1])
        assert 1 <= len(found[-1]) <= limit


async def test_a_page_has_twenty_entries_unless_told_otherwise(customer: Person, merchant: Person) -> None:
    for _ in range(21):
        await customer.pay(merchant, 1)
    page = ok(await customer.api.get("/payments"))
    assert (len(page["data"]), page["has_more"]) == (20, True)
    assert len(ok(await customer.api.get("/payments", limit=100))["data"]) == 21


async def test_what_comes_later_does_not_move_the_pages(spender: Person, merchant: Person) -> None:
    first = ok(await spender.api.get("/payments", limit=3))
    await spender.pay(merchant, 100)
    second = ok(await spender.api.get("/payments", limit=3, cursor=first["next_cursor"]))
    assert [entry["amount"] for entry in first["data"] + second["data"]] == [7, 6, 5, 4, 3, 2]


async def test_a_cursor_carries_its_filters(world: World, spender: Person, merchant: Person) -> None:
    too_much = {"merchant_id": merchant.id, "amount": 1_000_000, "currency": "USD"}
    for _ in range(3):
        refused(await spender.api.post("/payments", too_much, key=fresh_key()), 402, "insufficient_funds")
        world.clock.advance(1)
        await spender.pay(merchant, 1)
    since = (world.clock.now - timedelta(seconds=2)).isoformat()
    for filters, number in (({"status": "failed"}, 3), ({"currency": "USD", "created_after": since}, 5)):
        found = await pages(spender, "/payments", 2, **filters)
        assert sum(len(page) for page in found) == number
        cursor = await a_cursor(spender, **filters)
        assert ok(await spender.api.get("/payments", limit=1, cursor=cursor, **filters))["data"] == [found[0][1]]


async def test_a_cursor_does_not_go_with_other_filters(spender: Person) -> None:
    for given, other in (
        ({}, {"status": "captured"}),
        ({"status": "captured"}, {"status": "failed"}),
        ({"status": "captured"}, {"status": "captured", "currency": "USD"}),
        ({"status": "captured"}, {"currency": "USD"}),
    ):
        cursor = await a_cursor(spender, **given)
        refused(await spender.api.get("/payments", cursor=cursor, **other), 400, "cursor_filter_mismatch")


async def test_a_cursor_goes_with_any_limit_and_a_trailing_slash(spender: Person) -> None:
    cursor = await a_cursor(spender)
    rest = ok(await spender.api.get("/payments/", limit=100, cursor=cursor))
    assert [entry["amount"] for entry in rest["data"]] == [6, 5, 4, 3, 2, 1]


async def test_a_cursor_belongs_to_one_list_of_one_owner(
    world: World, spender: Person, merchant: Person, operator: Person
) -> None:
    cursor = await a_cursor(spender)
    for path in ("/transactions", "/accounts"):
        refused(await spender.api.get(path, cursor=cursor), 400, "cursor_invalid")
    for person in (merchant, operator, await world.customer()):
        refused(await person.api.get("/payments", cursor=cursor), 400, "cursor_invalid")


async def test_a_cursor_with_any_character_changed_is_refused(spender: Person) -> None:
    cursor = await a_cursor(spender)
    for index, character in enumerate(cursor):
        # The next letter differs from this one in one bit at least, perhaps in one that base64 ignores.
        other = ALPHABET[ALPHABET.index(character) ^ 1]
        changed = cursor[:index] + other + cursor[index + 1 :]
        refused(await spender.api.get("/payments", cursor=changed), 400, "cursor_invalid")


@pytest.mark.parametrize("cursor", ["x", "=", "A" * 22, "A" * 23, "A" * 4096, "é", "-_-_", "pay_0"])
async def test_what_was_never_a_cursor_is_refused(spender: Person, cursor: str) -> None:
    real = await a_cursor(spender)
    for changed in (cursor, real + cursor, cursor + real, real[:-1], real + "=", real.swapcase()):
        if len(changed) <= 4096:
            refused(await spender.api.get("/payments", cursor=changed), 400, "cursor_invalid")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=-1", "/limit"),
        ("limit=1.0", "/limit"),
        ("limit=1e1", "/limit"),
        ("limit=+1", "/limit"),
        ("limit=01", "/limit"),
        ("limit=true", "/limit"),
        ("limit=null", "/limit"),
        ("limit=", "/limit"),
        ("limit=" + "9" * 5000, "/limit"),
        ("limit=%EF%BC%91", "/limit"),
        ("cursor=", "/cursor"),
        ("cursor=" + "A" * 4097, "/cursor"),
        ("cursor=%00", "/cursor"),
        ("sort=asc", "/sort"),
        ("a~b/c=1", "/a~0b~1c"),
        ("limit=1&limit=1", "/limit"),
        ("limit", ""),
        ("=1", "/"),
        ("limit=%FF", ""),
        ("limit=%ED%A0%80", ""),
    ],
)
async def test_a_malformed_query_is_refused_with_a_pointer(
    quiet_customer: Person, path: str, query: str, pointer: str
) -> None:
    problem = refused(await quiet_customer.api.send("GET", f"{path}?{query}"), 400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize("path", ["/payments", "/transactions"])
@pytest.mark.parametrize(
    "instant",
    [
        "2026-01-01",
        "2026-01-01T00:00:00",
        "1700000000",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1e400",
        "nan",
        "null",
        "",
        "now",
        "2026-02-30T00:00:00Z",
    ],
)
async def test_a_time_that_is_no_rfc_3339_time_is_refused(quiet_customer: Person, path: str, instant: str) -> None:
    for name in ("created_after", "created_before"):
        refused(await quiet_customer.api.get(path, **{name: instant}), 400, "validation_error")


@pytest.mark.parametrize(
    "instant", ["1970-01-01T00:00:00Z", "9998-12-31T23:59:59.999999+14:00", "2026-01-01t00:00:00z"]
)
async def test_every_other_time_is_taken(quiet_customer: Person, instant: str) -> None:
    ok(await quiet_customer.api.get("/payments", created_after=instant, limit=1))


@pytest.mark.parametrize(
    "query", ["status=null", "status=paid", "status=", "currency=usd", "currency=null", "merchant_id=", "reference="]
)
async def test_a_filter_that_cannot_match_anything_is_refused_rather_than_ignored(
    quiet_customer: Person, query: str
) -> None:
    refused(await quiet_customer.api.send("GET", f"/payments?{query}"), 400, "validation_error")
