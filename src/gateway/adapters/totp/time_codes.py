"""TOTP (RFC 6238): six digits, SHA-1, 30 seconds, as every authenticator application has it."""

from datetime import UTC, datetime
from typing import Final

import pyotp
from typing_extensions import override

from gateway.application.ports.second_factors import TimeCodes

STEP_SECONDS: Final = 30
STEPS_APART_MAX: Final = 1
"""How many steps the clock of a telephone may be apart from that of the server."""


class TotpCodes(TimeCodes):
    """See the port."""

    @override
    def new_secret(self) -> str:
        return pyotp.random_base32()

    @override
    def step_of(self, secret: str, code: str, now: datetime) -> int | None:
        totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
        present = int(now.astimezone(UTC).timestamp()) // STEP_SECONDS
        # All are compared, so that the time tells nothing.
        steps = range(present - STEPS_APART_MAX, present + STEPS_APART_MAX + 1)
        found = [step for step in steps if pyotp.utils.strings_equal(code, totp.generate_otp(step))]
        return found[-1] if found else None

    @override
    def uri(self, secret: str, *, account: str, issuer: str) -> str:
        return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=account, issuer_name=issuer)
