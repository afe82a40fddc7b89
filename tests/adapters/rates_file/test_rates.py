"""Rates from a file: read again when it changes, and never lost to a file that is broken."""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.rates_file import FileRates, RatesFileRefused
from gateway.adapters.rates_file.rates import FILE_BYTES_MAX
from gateway.application.errors import RatesReadOnly
from gateway.contracts.records import EUR, JPY, USD, a_rate
from gateway.domain.rate import CurrencyPair, rate_of

PAIR = CurrencyPair(EUR, USD)


def a_line(**changes: object) -> dict[str, object]:
    return {"from_currency": "EUR", "to_currency": "USD", "rate": "1.0842", "spread_basis_points": 50, **changes}


def write(file: Path, *lines: dict[str, object]) -> None:
    """A new file in the place of the old one, as a careful program does it."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(lines))
    new.rename(file)


def write_text(file: Path, text: str) -> None:
    """In place, as a careless one does."""
    file.write_text(text)


def dated_as(file: Path, before: os.stat_result) -> None:
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def state_of(file: Path) -> os.stat_result:
    return file.stat()


def remove(file: Path) -> None:
    file.unlink()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "rates.json"
    write(file, a_line())
    return file


async def rates_in(rates: FileRates) -> Sequence[tuple[CurrencyPair, str, int]]:
    return [(rate.pair, str(rate.rate), rate.spread_basis_points) for rate in await rates.rates()]


async def test_the_rates_of_a_file_are_found_in_the_order_of_their_pairs(file: Path) -> None:
    write(file, a_line(from_currency="USD", to_currency="JPY", rate="149.5"), a_line(), a_line(to_currency="JPY"))
    rates = FileRates(file)
    assert await rates_in(rates) == [
        (CurrencyPair(EUR, JPY), "1.0842", 50),
        (PAIR, "1.0842", 50),
        (CurrencyPair(USD, JPY), "149.5", 50),
    ]
    found = await rates.rate(PAIR)
    assert found is not None
    assert found == a_rate(rate=rate_of("1.0842"), spread_basis_points=50, updated_at=found.updated_at)
    assert found.updated_at.timestamp() == int(state_of(file).st_mtime)
    assert await rates.rate(CurrencyPair(USD, EUR)) is None


async def test_a_spread_is_none_unless_it_is_given(file: Path) -> None:
    write_text(file, '[{"from_currency":"EUR","to_currency":"USD","rate":"1"}]')
    assert await rates_in(FileRates(file)) == [(PAIR, "1", 0)]


async def test_a_file_that_changes_is_read_again(file: Path) -> None:
    rates = FileRates(file)
    assert await rates_in(rates) == [(PAIR, "1.0842", 50)]
    write(file, a_line(rate="2"))
    assert await rates_in(rates) == [(PAIR, "2", 50)]
    write(file)
    assert await rates_in(rates) == []
    assert await rates.rate(PAIR) is None


async def test_a_file_of_the_same_size_and_time_is_told_by_its_inode(file: Path) -> None:
    rates, before = FileRates(file), state_of(file)
    write(file, a_line(rate="1.0843"))
    dated_as(file, before)
    assert await rates_in(rates) == [(PAIR, "1.0843", 50)]


async def test_a_file_that_is_broken_or_gone_changes_nothing(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    rates = FileRates(file)
    with caplog.at_level(logging.WARNING):
        write_text(file, "[{")
        for _ in range(3):
            assert await rates_in(rates) == [(PAIR, "1.0842", 50)]
        assert [record.message for record in caplog.records] == ["rates_file_unreadable"]
        remove(file)
        for _ in range(3):
            assert await rates_in(rates) == [(PAIR, "1.0842", 50)]
        assert len(caplog.records) == 2
    write(file, a_line(rate="2"))
    assert await rates_in(rates) == [(PAIR, "2", 50)]


async def test_a_file_that_is_not_read_again_is_not_read_at_all(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = FileRates(file)

    def no_reading(*_: object, **__: object) -> Any:
        raise AssertionError("The file has not changed.")

    monkeypatch.setattr(Path, "open", no_reading)
    assert await rates.rate(PAIR) is not None


async def test_rates_of_a_file_are_set_in_the_file(file: Path) -> None:
    rates = FileRates(file)
    with pytest.raises(RatesReadOnly):
        await rates.put(a_rate(rate=rate_of("2")))
    assert await rates_in(rates) == [(PAIR, "1.0842", 50)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated"),
        (b"{}", "Expected `array`"),
        (b'[{"from_currency":"EUR","to_currency":"USD"}]', "missing required field `rate`"),
        (b"[[]]", "Expected `object`"),
        (b'[{"rate":"\xff"}]', "it is not UTF-8"),
        ("\ufeff[]".encode(), "it begins with a byte-order mark"),
        ("[]".encode("utf-16"), "it is UTF-16"),
        (b'[{"rate":' + b"[" * 100_000, "Expected `str`"),
        (json.dumps([a_line(rate=1.0842)]).encode(), "Expected `str`"),
        (json.dumps([a_line(rate="0")]).encode(), "A rate is a decimal"),
        (json.dumps([a_line(spread_basis_points=10_001)]).encode(), "10000"),
        (json.dumps([a_line(from_currency="XXX")]).encode(), "not an ISO 4217 currency"),
        (json.dumps([a_line(to_currency="EUR")]).encode(), "between two currencies"),
        (json.dumps([a_line(), a_line(rate="2")]).encode(), "two rates"),
        (json.dumps([a_line(comment="x")]).encode(), "unknown field"),
        (b" " * (FILE_BYTES_MAX + 1), "more than"),
    ],
)
def test_a_file_to_begin_with_must_be_one_of_rates(file: Path, content: bytes, reason: str) -> None:
    file.write_bytes(content)
    with pytest.raises(RatesFileRefused, match=reason):
        FileRates(file)


def test_there_must_be_a_file_to_begin_with(tmp_path: Path) -> None:
    with pytest.raises(RatesFileRefused, match="No such file"):
        FileRates(tmp_path / "rates.json")
    with pytest.raises(RatesFileRefused, match="directory"):
        FileRates(tmp_path)
