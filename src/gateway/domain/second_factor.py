"""SecondFactor: what a person shows beside the password, codes of an authenticator application."""

import re
from dataclasses import field, replace
from datetime import datetime
from typing import Final

from gateway.domain.checks import check_id, check_instant, check_integer, check_text, check_type
from gateway.domain.immutable import immutable
from gateway.domain.limits import POSITION_MAX, SECOND_FACTOR_SECRET_LENGTH_MAX
from gateway.domain.user import UserId

TIME_CODE: Final = re.compile(r"[0-9]{6}")


@immutable
class SecondFactor:
    """The second factor of a user.

    Attributes:
        secret: What codes are made of.
        confirmed_at: When a first code was shown; until then, logins ask for no code.
        last_step: The time step of the newest code that was used: it, and older ones, are not taken again.
        recovery_hashes: SHA-256 of the recovery codes that were not used.
    """

    user_id: UserId
    secret: str = field(repr=False)
    created_at: datetime
    confirmed_at: datetime | None = None
    last_step: int = 0
    recovery_hashes: tuple[bytes, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        check_id("user_id", self.user_id)
        check_text("secret", self.secret, SECOND_FACTOR_SECRET_LENGTH_MAX, length_min=1)
        check_instant("created_at", self.created_at)
        if self.confirmed_at is not None:
            check_instant("confirmed_at", self.confirmed_at)
        check_integer("last_step", self.last_step, 0, POSITION_MAX)
        check_type("recovery_hashes", self.recovery_hashes, tuple)

    @property
    def is_confirmed(self) -> bool:
        """Whether logins ask for a code."""
        return self.confirmed_at is not None

    def confirmed(self, step: int, recovery_hashes: tuple[bytes, ...], *, now: datetime) -> "SecondFactor":
        """A copy that logins ask for."""
        return replace(self, confirmed_at=now, last_step=step, recovery_hashes=recovery_hashes)

    def used_at(self, step: int | None) -> "SecondFactor | None":
        """A copy that has used the code of a time step; `None` if that, or a newer one, was used before."""
        return None if step is None or step <= self.last_step else replace(self, last_step=step)

    def used_recovery(self, code_hash: bytes) -> "SecondFactor | None":
        """A copy without a recovery code; `None` if it has none with this hash."""
        if code_hash not in self.recovery_hashes:
            return None
        left = tuple(each for each in self.recovery_hashes if each != code_hash)
        return replace(self, recovery_hashes=left)
