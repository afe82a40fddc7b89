"""SecondFactorChecks: whether a code is one of a user's, once, and how often one may guess."""

from gateway.application.access.limits import AccessLimits
from gateway.application.access.recovery_codes import hash_of_recovery_code
from gateway.application.access.throttle import Allowance, Attempt, Throttle
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.errors import SecondFactorInvalid, SecondFactorMissing, SecondFactorRequired
from gateway.application.ports.clock import Clock
from gateway.application.ports.second_factors import SecondFactors, TimeCodes
from gateway.domain.audit import AuditAction, AuditNote, AuditRecord, Origin
from gateway.domain.second_factor import TIME_CODE, SecondFactor
from gateway.domain.user import Role, User, UserId

INVALID = "The code is wrong, or was used before."


class SecondFactorChecks:
    """The codes of one process, over the second factors that all processes share."""

    def __init__(
        self,
        stored: SecondFactors,
        codes: TimeCodes,
        executor: CommandExecutor,
        throttle: Throttle,
        clock: Clock,
        limits: AccessLimits,
    ) -> None:
        self._stored = stored
        self._codes = codes
        self._executor = executor
        self._throttle = throttle
        self._clock = clock
        self._limits = limits

    async def check_login(self, user: User, code: str | None, origin: Origin) -> None:
        """Check the second factor of somebody whose password is right; use the code up.

        Raises:
            SecondFactorRequired: The user has one, and gives no code.
            SecondFactorInvalid: The code is wrong, or was used before.
            SecondFactorMissing: The user has none, and must have one.
            RateLimited: Too many codes were wrong before this one.
        """
        factor = await self._stored.of(user.id)
        if factor is None or not factor.is_confirmed:
            self.must_be_free(user)
            return
        if code is None:
            raise SecondFactorRequired("A code of the authenticator application is required, or a recovery code.")
        await self.use(user.id, code, origin)

    async def check_refresh(self, user: User) -> None:
        """Refuse an operator who must have a second factor and has none. Others cost no read.

        Raises:
            SecondFactorMissing: As `check_login`.
        """
        if self._is_needed(user):
            factor = await self._stored.of(user.id)
            if factor is None or not factor.is_confirmed:
                self.must_be_free(user)

    def must_be_free(self, user: User) -> None:
        """Refuse a user without a second factor who must have one.

        Raises:
            SecondFactorMissing: It is an operator, and operators must.
        """
        if self._is_needed(user):
            raise SecondFactorMissing("Operators need a second factor here. Enrol one first.")

    async def use(self, user_id: UserId, code: str, origin: Origin) -> None:
        """Use a code up, a time code or a recovery code.

        Raises:
            SecondFactorInvalid, RateLimited: As `check_login`.
        """

        def used(factor: SecondFactor | None) -> tuple[SecondFactor, AuditRecord | None]:
            if factor is None or not factor.is_confirmed:
                raise SecondFactorInvalid(INVALID)
            return self._used(factor, code, origin)

        await self._counted(user_id, used)

    async def confirm(self, user_id: UserId, code: str, recovery_hashes: tuple[bytes, ...], origin: Origin) -> None:
        """Confirm a second factor with its first code.

        Raises:
            SecondFactorInvalid, RateLimited: As `check_login`; or there is none that waits for its first code.
        """
        now = self._clock()

        def confirmed(factor: SecondFactor | None) -> tuple[SecondFactor, AuditRecord | None]:
            if factor is None or factor.is_confirmed or not TIME_CODE.fullmatch(code):
                raise SecondFactorInvalid(INVALID)
            step = self._codes.step_of(factor.secret, code, now)
            if step is None:
                raise SecondFactorInvalid(INVALID)
            audit = self._record(AuditAction.SECOND_FACTOR_ENABLED, user_id, origin)
            return factor.confirmed(step, recovery_hashes, now=now), audit

        await self._counted(user_id, confirmed)

    async def disable(self, user_id: UserId, code: str, origin: Origin) -> None:
        """Delete a second factor, with a code of it.

        Raises:
            SecondFactorInvalid, RateLimited: As `check_login`.
        """

        def disabled(factor: SecondFactor | None) -> tuple[None, AuditRecord | None]:
            if factor is None or not factor.is_confirmed:
                raise SecondFactorInvalid(INVALID)
            self._used(factor, code, origin)
            return None, self._record(AuditAction.SECOND_FACTOR_DISABLED, user_id, origin)

        await self._counted(user_id, disabled)

    def _used(self, factor: SecondFactor, code: str, origin: Origin) -> tuple[SecondFactor, AuditRecord | None]:
        if TIME_CODE.fullmatch(code):
            after = factor.used_at(self._codes.step_of(factor.secret, code, self._clock()))
            audit = None
        else:
            after = factor.used_recovery(hash_of_recovery_code(code))
            audit = self._record(AuditAction.RECOVERY_CODE_USED, factor.user_id, origin)
        if after is None:
            raise SecondFactorInvalid(INVALID)
        return after, audit

    def _record(self, action: AuditAction, user_id: UserId, origin: Origin) -> AuditRecord:
        note = AuditNote(action=action, object_id=user_id, owner_id=user_id)
        return self._executor.audit_record(note, origin=origin, now=self._clock())

    async def _counted(self, user_id: UserId, change: object) -> None:
        """Change a second factor as an attempt that is counted as failed before, as attempts at passwords are.

        The scope is the account from everywhere: who guesses codes knows the password.
        """
        own = f"second factor:{user_id}"
        allowance = Allowance(free_tries=self._limits.free_tries, backoff_seconds_max=self._limits.backoff_seconds_max)
        attempt = Attempt(own=own, scopes={own: allowance})
        await self._throttle.begin(attempt)
        await self._stored.change(user_id, change)  # type: ignore[arg-type]  # one of the three above.
        await self._throttle.succeeded(attempt)

    def _is_needed(self, user: User) -> bool:
        return user.role is Role.OPERATOR and self._limits.operators_need_second_factor
