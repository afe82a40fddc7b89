"""Card numbers are found in free text however they are written; other long numbers are not taken for them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.card_numbers import NETWORKS, Issued, has_card_number

TEST_CARDS = [
    "4242424242424242",  # Visa
    "4222222222222",
    "4000000000000000006",
    "5555555555554444",  # Mastercard
    "2223003122003222",
    "378282246310005",  # American Express
    "6011111111111117",  # Discover
    "6445644564456445",
    "6500000000000002",
    "36227206271667",  # Diners Club
    "30569309025904",
    "38520000023237",
    "3566002020360505",  # JCB
    "6205500000000000004",  # UnionPay
    "6759649826438453",  # Maestro
]
IBANS = [
    "DE89 3704 0044 0532 0130 00",
    "DE75512108001245126199",
    "GB29 NWBK 6016 1331 9268 19",
    "FR14 2004 1010 0505 0001 3M02 606",
    "NL91 ABNA 0417 1643 00",
    "ES91 2100 0418 4502 0005 1332",
    "AT61 1904 3002 3457 3201",
    "BE68 5390 0754 7034",
    "CH93 0076 2011 6238 5295 7",
    "NO93 8601 1117 947",
    "PL61 1090 1014 0000 0712 1981 2874",
    "IT60 X054 2811 1010 0000 0123 456",
    "SE45 5000 0000 0583 9825 7466",
    "FI21 1234 5600 0007 85",
    "DK50 0040 0440 1162 43",
]
WIDE = ["  ", "   ", " - ", " \u2013 ", "/", ",", "\n", "\r\n", "\u00a0\u00a0"]
"""Separators that join nothing but groups as they stand on cards."""

SECONDS_MAX = 10_000_000_000
"""More than three centuries: from 1900 on, they end before 2220, the first year with which card numbers begin."""


def day(draw: Random) -> datetime:
    return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randrange(15 * 365 * 86_400))


def an_iban(draw: Random) -> str:
    """In groups of four, with right check digits; the countries differ in length."""
    country, length = draw.choice([("DE", 18), ("AT", 16), ("BE", 12), ("ES", 20), ("CH", 17), ("FR", 23), ("NO", 11)])
    number = "".join(draw.choices("0123456789", k=length))
    check = 98 - int(number + "".join(str(int(letter, 36)) for letter in country) + "00") % 97
    return grouped(f"{country}{check:02}{number}", draw.choice([" ", *WIDE]))


def grouped(text: str, separator: str) -> str:
    return separator.join(text[start : start + 4] for start in range(0, len(text), 4))


def a_phone_number(draw: Random) -> str:
    country, area = draw.choice(["+49", "+44", "+1", "+65", "+33"]), draw.randrange(20, 1000)
    subscriber = "".join(draw.choices("0123456789", k=8))
    separator = draw.choice([" ", "  ", "-", "/", " - ", "."])
    first = draw.choice([country, f"{country}{separator}{area}", f"0{area}"])
    return separator.join([first, subscriber[:4], subscriber[4:]])


def some(draw: Random, least: int, most: int, low: int, high: int) -> list[str]:
    """So many numbers between these bounds."""
    return [str(draw.randrange(low, high)) for _ in range(draw.randint(least, most))]


KINDS: Final[dict[str, Callable[[Random], str]]] = {
    "stays": lambda draw: f"stay {day(draw):%Y-%m-%d} {day(draw):%Y-%m-%d}",
    "stays, with a wide separator": lambda draw: f"{day(draw):%Y-%m-%d}{draw.choice(WIDE)}{day(draw):%Y-%m-%d}",
    "dates with slashes": lambda draw: f"{day(draw):%d/%m/%Y} - {day(draw):%Y/%m/%d}, {day(draw):%m/%Y}",
    "14-digit times": lambda draw: f"{day(draw):%Y%m%d%H%M%S}",
    "14-digit times in a list": lambda draw: draw.choice(WIDE).join(f"{day(draw):%Y%m%d%H%M%S}" for _ in range(3)),
    "years": lambda draw: draw.choice([" ", *WIDE]).join(some(draw, 3, 6, 1950, 2100)),
    "IBANs": an_iban,
    "IBANs, each on its line": lambda draw: f"{an_iban(draw)}\nto {an_iban(draw)}",
    "telephone numbers": a_phone_number,
    "telephone numbers in a list": lambda draw: draw.choice([", ", "; ", "\n"]).join(
        a_phone_number(draw) for _ in range(3)
    ),
    "telephone numbers without areas": lambda draw: "\n".join(
        f"{draw.randrange(2000, 7000)} {draw.randrange(1000, 9999)}" for _ in range(2)
    ),
    "amounts": lambda draw: ", ".join(some(draw, 4, 4, 1000, 9999)),
    "amounts of other lengths": lambda draw: draw.choice([", ", *WIDE]).join(some(draw, 3, 12, 1, 1000)),
    "five amounts and more": lambda draw: draw.choice([", ", *WIDE]).join(some(draw, 5, 12, 1000, 9999)),
    "amounts with decimals": lambda draw: draw.choice([", ", *WIDE]).join(
        f"{amount}.{draw.randrange(100):02}" for amount in some(draw, 4, 8, 1000, 9999)
    ),
    "large amounts": lambda draw: f"{draw.randrange(10**9, 10**12):,} of {draw.randrange(10**9, 10**12):_}",
    "orders of 8 digits": lambda draw: draw.choice(["; ", ", ", *WIDE]).join(some(draw, 2, 5, 20_000_000, 69_999_999)),
}
"""Texts that are often written, and hold no card number."""

IMEIS = ["490154203237518", "356938035643809", "352099001761481", "861536030196001", "013275006573212"]


@pytest.mark.parametrize("number", TEST_CARDS)
def test_a_card_number_of_every_network_is_found(number: str) -> None:
    assert has_card_number(number)
    assert has_card_number(f"paid with {number}, valid until 12/29")
    assert has_card_number(f"card{number}")
    assert not has_card_number(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize("separator", [" ", "-", ".", "_", "\u00a0", "\u202f", "\u2013"])
def test_a_card_number_is_found_with_any_common_separator(separator: str) -> None:
    groups = ["4111", "1111", "1111", "1111"]
    assert has_card_number(separator.join(groups))
    assert has_card_number(separator.join(["stay", "17", *groups, "12", "29"]))
    assert has_card_number(separator.join(["order", "2026", *groups]))
    assert has_card_number(separator.join(["3782", "822463", "10005"]))


@pytest.mark.parametrize("separator", WIDE)
def test_groups_as_on_cards_are_found_with_wider_separators(separator: str) -> None:
    groups = ["4111", "1111", "1111", "1111"]
    assert has_card_number(separator.join(groups))
    assert has_card_number(f"paid with {separator.join(groups)}, thanks")
    assert has_card_number(separator.join(["order", "17", *groups, "12", "29", "123"]))
    assert has_card_number(separator.join(["3782", "822463", "10005"]))
    assert has_card_number(separator.join(["3622", "720627", "1667"]))
    assert not has_card_number(separator.join([*groups[:3], "1112"]))


@pytest.mark.parametrize("separator", [*WIDE, ", "])
def test_other_groups_are_not_joined_over_wider_separators(separator: str) -> None:
    assert not has_card_number(separator.join(["411", "111", "111", "111", "1111"]))
    assert not has_card_number(separator.join(["41111111", "11111111"]))
    assert not has_card_number(separator.join(["4111", "1111", "1111", "1111", "4111"]))
    assert not has_card_number(separator.join(["4000", "4111", "1111", "1111", "1111"]))


@pytest.mark.parametrize("number", [f"20261126{number:06}" for number in range(100)])
def test_an_order_number_made_of_a_date_is_no_card_number(number: str) -> None:
    assert not has_card_number(number)


@given(st.integers(0, SECONDS_MAX), st.integers(0, 999_999), st.integers(8, 19))
def test_no_time_is_a_card_number(seconds: int, counter: int, length: int) -> None:
    number = f"{moment(seconds):%Y%m%d%H%M%S}{counter:06}"[:length]
    assert not has_card_number(f"order {number}")


@given(st.integers(0, SECONDS_MAX), st.integers(1, 400), st.integers(1, 400))
def test_no_dates_in_a_row_are_a_card_number(seconds: int, days: int, more_days: int) -> None:
    first = moment(seconds)
    second, third = first + timedelta(days=days), first + timedelta(days=days + more_days)
    assert not has_card_number(f"stay {first:%Y-%m-%d} {second:%Y-%m-%d} {third:%Y-%m-%d}")
    assert not has_card_number(f"{first:%d.%m.%Y} {second:%d.%m.%Y} {third:%d.%m.%Y}")
    assert not has_card_number(f"{first:%Y-%m-%d %H-%M-%S} {second:%Y-%m-%d %H-%M-%S}")


@pytest.mark.parametrize("imei", IMEIS)
def test_an_imei_is_no_card_number(imei: str) -> None:
    assert not has_card_number(f"phone {imei}")
    assert not has_card_number(f"{imei[:2]}-{imei[2:8]}-{imei[8:14]}-{imei[14]}")


@pytest.mark.parametrize("iban", IBANS)
def test_an_iban_is_no_card_number(iban: str) -> None:
    assert not has_card_number(iban)
    assert not has_card_number(f"to {iban.replace(' ', '')}, please")


@given(st.integers(10_000_000, 99_999_999), st.integers(0, 9_999_999_999))
def test_no_german_iban_is_a_card_number(bank: int, account: int) -> None:
    """Many begin with digits that networks issue, and every tenth of these has a right check digit by chance."""
    checked = f"{bank:08}{account:010}"
    digits = 98 - int(f"{checked}131400") % 97
    iban = f"DE{digits:02}{checked}"
    assert not has_card_number(" ".join(iban[start : start + 4] for start in range(0, len(iban), 4)))
    assert not has_card_number(iban)


@pytest.mark.parametrize("kind", KINDS)
def test_of_300_texts_of_each_kind_none_is_refused(kind: str) -> None:
    draw = Random(kind)  # noqa: S311 - the same texts in each run.
    refused = [text for text in (KINDS[kind](draw) for _ in range(300)) if has_card_number(text)]
    assert refused == []


def test_a_card_number_is_found_beside_each_kind_of_other_numbers() -> None:
    draw = Random("beside")  # noqa: S311 - as above.
    for kind, text in KINDS.items():
        for card in ("4111 1111 1111 1111", "5555  5555  5555  4444", "3782 - 822463 - 10005"):
            assert has_card_number(f"{text(draw)}; card {card}"), kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "two coffees",
        "1" * 30,
        "4" * 500,
        "order 1234567890123456",
        "+44 20 7946 0958",
        "+4915112345678",
        "+49 151 1234 5678 90",
        "invoice 0000-4242",
        "2 3 4 5 6 " * 50,
        "4.2.4.2.4.2.4.2.4.2.4.2.4.2.4.2",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_other_numbers_are_no_card_numbers(text: str) -> None:
    assert not has_card_number(text)


@given(st.sampled_from(NETWORKS), st.data())
def test_whatever_a_network_can_issue_is_found(network: Issued, data: st.DataObject) -> None:
    length = data.draw(st.sampled_from(sorted(network.lengths)))
    prefix = str(data.draw(st.integers(int(network.first), int(network.last))))
    rest = length - len(prefix) - 1
    body = prefix + str(data.draw(st.integers(0, 10**rest - 1))).zfill(rest)
    [number] = [f"{body}{check}" for check in range(10) if luhn_sum(f"{body}{check}") % 10 == 0]
    assert has_card_number(number)


def moment(seconds: int) -> datetime:
    return datetime(1900, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def luhn_sum(number: str) -> int:
    odd, even = number[-1::-2], number[-2::-2]
    return sum(map(int, odd)) + sum(int(digit) for twice in even for digit in str(2 * int(twice)))
