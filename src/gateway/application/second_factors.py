"""SecondFactorEnrolment: people enrol a second factor, confirm it and disable it, with their password."""

from dataclasses import dataclass, field
from typing import Final

from gateway.application.access.access import Access
from gateway.application.access.login_checks import check_code, origin_of
from gateway.application.access.recovery_codes import hash_of_recovery_code, new_recovery_codes
from gateway.application.errors import SecondFactorExists
from gateway.domain.audit import THE_SYSTEM, AuditAction, AuditNote, AuditRecord, Origin
from gateway.domain.checks import check_free_text, check_id, check_type
from gateway.domain.immutable import immutable
from gateway.domain.limits import REASON_LENGTH_MAX
from gateway.domain.second_factor import SecondFactor
from gateway.domain.user import UserId

ISSUER: Final = "gateway"
"""Whose codes they are, in an authenticator application."""


@immutable
class NewSecondFactor:
    """A second factor that waits for its first code. Neither is shown again."""

    secret: str = field(repr=False)
    otpauth_uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecondFactorEnrolment:
    """Second factors of users. No token is needed: who has none yet may be kept from logging in without one."""

    access: Access

    async def enrol(self, *, email: str, password: str, address: str, request_id: str | None = None) -> NewSecondFactor:
        """Draw a secret. Logins ask for codes of it once a first one was shown to `confirm`.

        One that was not confirmed is replaced. Arguments are as in `Access.log_in`.

        Raises:
            SecondFactorExists: The user has one.
            InvalidCredentials, UserDisabled, RateLimited, Overloaded, InvalidInput: As `Access.log_in`.
        """
        user = await self.access.user_of_password(
            email=email, password=password, address=address, request_id=request_id
        )
        codes, now = self.access.time_codes, self.access.clock()
        new = SecondFactor(user_id=user.id, secret=codes.new_secret(), created_at=now)

        def begun(before: SecondFactor | None) -> tuple[SecondFactor, AuditRecord | None]:
            if before is not None and before.is_confirmed:
                raise SecondFactorExists("This user has a second factor. Disable it first.")
            return new, None

        await self.access.second_factors.change(user.id, begun)
        uri = codes.uri(new.secret, account=user.email, issuer=ISSUER)
        return NewSecondFactor(secret=new.secret, otpauth_uri=uri)

    async def confirm(
        self, *, email: str, password: str, code: str, address: str, request_id: str | None = None
    ) -> tuple[str, ...]:
        """Show a first code: from now on, logins ask for one. Returns the recovery codes, which are not shown again.

        Raises:
            SecondFactorInvalid: The code is wrong, or no second factor waits for one.
            InvalidCredentials, UserDisabled, RateLimited, Overloaded, InvalidInput: As `Access.log_in`.
        """
        check_code(code)
        user = await self.access.user_of_password(
            email=email, password=password, address=address, request_id=request_id
        )
        recovery_codes = new_recovery_codes()
        hashes = tuple(hash_of_recovery_code(each) for each in recovery_codes)
        await self.access.factor_checks.confirm(user.id, code, hashes, origin_of(user, address, request_id))
        return recovery_codes

    async def disable(
        self, *, email: str, password: str, code: str, address: str, request_id: str | None = None
    ) -> None:
        """Ask for no more codes. `code` is one of the second factor, or a recovery code.

        Raises:
            SecondFactorInvalid: The code is wrong, or there is no second factor.
            InvalidCredentials, UserDisabled, RateLimited, Overloaded, InvalidInput: As `Access.log_in`.
        """
        check_code(code)
        user = await self.access.user_of_password(
            email=email, password=password, address=address, request_id=request_id
        )
        await self.access.factor_checks.disable(user.id, code, origin_of(user, address, request_id))

    async def reset(self, user_id: UserId, *, reason: str, origin: Origin | None = None) -> bool:
        """Delete the second factor of a user who has lost it, for a trusted program. Returns whether there was one.

        All sessions of the user end then: who found the telephone may have begun one. They end also if there was no
        second factor, so that a reset whose answer was lost can be repeated.

        Raises:
            UserNotFound: There is no such user.
            InvalidInput: An argument is not valid.
        """
        check_id("user_id", user_id)
        check_free_text("reason", reason, REASON_LENGTH_MAX, length_min=1)
        if origin is not None:
            check_type("origin", origin, Origin)
        user = await self.access.user(user_id)
        note = AuditNote(action=AuditAction.SECOND_FACTOR_RESET, object_id=user.id, owner_id=user.id, reason=reason)
        by = origin or Origin(actor=THE_SYSTEM)
        record = self.access.executor.audit_record(note, origin=by, now=self.access.clock())
        had = False

        def deleted(before: SecondFactor | None) -> tuple[None, AuditRecord | None]:
            nonlocal had
            had = before is not None
            return None, record if had else None

        await self.access.second_factors.change(user.id, deleted)
        await self.access.sessions.revoke_user(user.id, now=self.access.clock())
        self.access.renew_endings()
        return had

    async def is_enabled(self, user_id: UserId) -> bool:
        """Whether logins of a user ask for a code."""
        self.access.loop.check()
        check_id("user_id", user_id)
        found = await self.access.second_factors.of(user_id)
        return found is not None and found.is_confirmed

    async def recovery_codes_left(self, user_id: UserId) -> int | None:
        """How many recovery codes of a user were not used; `None` for a user whose logins ask for no code."""
        self.access.loop.check()
        check_id("user_id", user_id)
        found = await self.access.second_factors.of(user_id)
        return len(found.recovery_hashes) if found is not None and found.is_confirmed else None
