"""TOTP (RFC 6238): six digits, SHA-1, 30 seconds, as every authenticator application has it."""

import hmac
import secrets
from base64 import b32encode
from datetime import UTC, datetime
from typing import Final

from pyotp.totp import TOTP
from typing_extensions import override

from gateway.application.ports.second_factors import TimeCodes

STEP_SECONDS: Final = 30
SECRET_BYTES: Final = 20
"""As long as a SHA-1, as RFC 4226 recommends."""
STEPS_APART_MAX: Final = 1
"""How many steps the clock of a telephone may be apart from that of the server."""


class TotpCodes(TimeCodes):
    """See the port."""

    @override
    def new_secret(self) -> str:
        return b32encode(secrets.token_bytes(SECRET_BYTES)).decode()

    @override
    def step_of(self, secret: str, code: str, now: datetime) -> int | None:
        totp = TOTP(secret, interval=STEP_SECONDS)
        present = int(now.astimezone(UTC).timestamp()) // STEP_SECONDS
        # All are compared, so that the time tells nothing.
        steps = range(present - STEPS_APART_MAX, present + STEPS_APART_MAX + 1)
        found = [step for step in steps if hmac.compare_digest(code.encode(), totp.generate_otp(step).encode())]
        return found[-1] if found else None

    @override
    def uri(self, secret: str, *, account: str, issuer: str) -> str:
        return TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=account, issuer_name=issuer)
