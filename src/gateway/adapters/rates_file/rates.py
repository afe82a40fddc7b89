"""Rates in a file, which is read again when it has changed."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
from typing_extensions import override

from gateway.application.errors import RatesReadOnly
from gateway.application.plain_text import NotPlainText, plain_text
from gateway.application.ports.rates import Rates
from gateway.domain.audit import AuditRecord
from gateway.domain.errors import Refusal
from gateway.domain.money import currency_code
from gateway.domain.rate import SPREAD_BASIS_POINTS_MAX, CurrencyPair, ExchangeRate, check_distinct, rate_of

logger = logging.getLogger(__name__)

FILE_BYTES_MAX: Final = 8 * 1024 * 1024
"""More than a rate for every pair of currencies takes."""


class RatesFileRefused(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """The file cannot be used; the message says why."""


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rate as it stands in the file: as `GET /rates` shows it."""

    from_currency: str
    to_currency: str
    rate: str
    spread_basis_points: Annotated[int, msgspec.Meta(ge=0, le=SPREAD_BASIS_POINTS_MAX)] = 0


class _Version(NamedTuple):
    """What tells one state of the file from another."""

    modified_ns: int
    size_bytes: int
    inode: int


_decoder: Final = msgspec.json.Decoder(list[_Line])


class FileRates(Rates):
    """See the port. A file that cannot be read any more changes nothing: the rates that were read last stay.

    Raises:
        RatesFileRefused: When it is made: there is no file to begin with, or it is not one of rates.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version = _version_of(path)
        try:
            self._rates = _read(path)
        except (OSError, RatesFileRefused) as error:
            raise RatesFileRefused(f"{path} is no file of rates: {_reason(error)}") from error

    @override
    async def rate(self, pair: CurrencyPair) -> ExchangeRate | None:
        return (await self._current()).get(pair)

    @override
    async def rates(self) -> Sequence[ExchangeRate]:
        current = await self._current()
        return [current[pair] for pair in sorted(current)]

    async def put(self, rate: ExchangeRate, *, audit: AuditRecord | None = None) -> None:  # noqa: ARG002 - nothing is written.
        """As `Rates.put`: refused, always."""
        raise RatesReadOnly(
            f"Rates come from a file here: set the one from {rate.pair.source} to {rate.pair.target} there."
        )

    async def _current(self) -> Mapping[CurrencyPair, ExchangeRate]:
        # In a thread: a file may lie on a disk that is slow, or not there.
        await asyncio.to_thread(self._read_if_changed)
        return self._rates

    def _read_if_changed(self) -> None:
        version = _version_of(self._path)
        if version == self._version:
            return
        # Stored before the file is read: a broken file is logged once, and read again when it changes.
        self._version = version
        try:
            self._rates = _read(self._path)
        except (OSError, RatesFileRefused) as error:
            logger.warning("rates_file_unreadable", extra={"path": str(self._path), "reason": _reason(error)})


def _version_of(path: Path) -> _Version | None:
    """The state of the file; `None` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return _Version(found.st_mtime_ns, found.st_size, found.st_ino)


def _read(path: Path) -> Mapping[CurrencyPair, ExchangeRate]:
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise RatesFileRefused(f"it has more than {FILE_BYTES_MAX} bytes.")
    modified = datetime.fromtimestamp(path.stat().st_mtime_ns // 10**9, UTC)
    try:
        found = [_to_rate(line, modified) for line in _decoder.decode(plain_text(content))]
    except NotPlainText as error:
        raise RatesFileRefused(f"{error}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, Refusal) as error:
        raise RatesFileRefused(str(error)) from error
    rates = {rate.pair: rate for rate in found}
    if len(rates) < len(found):
        raise RatesFileRefused("it has two rates for the same currencies.")
    return rates


def _to_rate(line: _Line, modified: datetime) -> ExchangeRate:
    return ExchangeRate(
        pair=check_distinct(CurrencyPair(currency_code(line.from_currency), currency_code(line.to_currency))),
        rate=rate_of(line.rate),
        spread_basis_points=line.spread_basis_points,
        updated_at=modified,
    )


def _reason(error: OSError | RatesFileRefused) -> str:
    return f"{error.strerror}." if isinstance(error, OSError) else str(error)
