"""Identifiers are ordered by time and written as TypeID."""

from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.system.clock import system_clock
from gateway.adapters.system.identifiers import TimeOrderedIds, base32, time_ordered_id
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.contracts.identifiers import IdentifiersContract

new_id: Identifiers = time_ordered_id
clock: Clock = system_clock
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class TestIdentifiers(IdentifiersContract):
    @pytest.fixture
    def identifiers(self) -> Identifiers:
        return time_ordered_id

    @pytest.fixture
    def others(self) -> Identifiers:
        return TimeOrderedIds()


def read_base32(text: str) -> int:
    number = 0
    for character in text:
        number = number * 32 + ALPHABET.index(character)
    return number


# From the table of valid TypeIDs which comes with that specification.
@pytest.mark.parametrize(
    ("uuid", "text"),
    [
        ("00000000-0000-0000-0000-000000000000", "00000000000000000000000000"),
        ("00000000-0000-0000-0000-000000000001", "00000000000000000000000001"),
        ("00000000-0000-0000-0000-00000000000a", "0000000000000000000000000a"),
        ("00000000-0000-0000-0000-000000000010", "0000000000000000000000000g"),
        ("00000000-0000-0000-0000-000000000020", "00000000000000000000000010"),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", "7zzzzzzzzzzzzzzzzzzzzzzzzz"),
        ("0110c853-1d09-52d8-d73e-1194e95b5f19", "0123456789abcdefghjkmnpqrs"),
        ("01890a5d-ac96-774b-bcce-b302099a8057", "01h455vb4pex5vsknk084sn02q"),
    ],
)
def test_a_uuid_is_written_as_typeid_writes_it(uuid: str, text: str) -> None:
    assert base32(UUID(uuid).int) == text


@given(st.integers(0, 2**128 - 1))
def test_no_bit_is_lost_in_writing(number: int) -> None:
    text = base32(number)
    assert len(text) == 26
    assert read_base32(text) == number


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_texts_sort_as_their_numbers(one: int, other: int) -> None:
    assert (base32(one) < base32(other)) == (one < other)


def test_an_identifier_is_its_prefix_and_a_uuid_of_version_7() -> None:
    prefix, _, text = new_id("pay").partition("_")
    uuid = UUID(int=read_base32(text))
    assert (prefix, uuid.version, uuid.variant) == ("pay", 7, RFC_4122)


def test_an_identifier_of_now_holds_the_millisecond_it_was_made_in() -> None:
    before = clock().timestamp()
    milliseconds = read_base32(new_id("pay").removeprefix("pay_")) >> 80
    assert int(before * 1000) <= milliseconds <= clock().timestamp() * 1000


def test_a_counter_that_comes_to_its_end_begins_anew() -> None:
    ids = TimeOrderedIds()
    moment = clock()
    made = [ids.of(moment + number * timedelta.resolution)("pay") for number in range(10)]
    vars_of = ids.__dict__
    vars_of["_next_count"] = count(2**26 - 2**24).__next__
    made += [ids.of(moment + number * timedelta.resolution)("pay") for number in range(10, 20)]
    assert all(earlier < later for earlier, later in pairwise(made))
    assert vars_of["_next_count"]() < 2**25


def test_the_system_clock_tells_the_time_in_utc() -> None:
    before = datetime.now(UTC)
    now = clock()
    assert now.tzinfo is UTC
    assert before <= now <= datetime.now(UTC)
