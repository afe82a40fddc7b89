"""Payment counters as rows."""

from datetime import timedelta
from typing import Final

import msgspec

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.tables.risk import payment_counters
from gateway.adapters.sql.types import Found
from gateway.domain.payment_counters import Bucket, PaymentCounters

COUNTERS_CHANGES: Final = (payment_counters.c.id, payment_counters.c.version, payment_counters.c.windows)
"""All columns: a row is replaced."""

_SECOND: Final = timedelta(seconds=1)
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, list[Bucket]]).decode


def payment_counters_values(counters: PaymentCounters) -> Values:
    """The row of a customer's counters. Windows are named by their seconds."""
    windows = {str(window // _SECOND): buckets for window, buckets in counters.windows.items()}
    return (counters.customer_id, counters.version, _encode(windows).decode())


def to_payment_counters(row: Found) -> PaymentCounters:
    """The counters of a row."""
    windows = {int(seconds) * _SECOND: buckets for seconds, buckets in _decode(row[2]).items()}
    return PaymentCounters(customer_id=row[0], version=row[1], windows=windows)
