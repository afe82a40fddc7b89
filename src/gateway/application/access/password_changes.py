"""Changes of passwords: who knows the current one may choose another, and all sessions of the user end."""

from dataclasses import dataclass

from gateway.application.access.caller import Caller, check_caller
from gateway.application.access.password_checks import PasswordChecks
from gateway.application.access.passwords import check_new_password, check_typed_password
from gateway.application.access.refresh_tokens import must_not_be_disabled
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.errors import InvalidCredentials
from gateway.application.ports.clock import Clock
from gateway.application.ports.users import Users
from gateway.domain.audit import AuditAction, AuditNote, Origin, actor_of
from gateway.domain.checks import check_type
from gateway.domain.errors import UserNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanges:
    """Changes of passwords. Each is one transaction."""

    users: Users
    checks: PasswordChecks
    executor: CommandExecutor
    clock: Clock

    async def change(self, caller: Caller, *, current: str, new: str, origin: Origin | None) -> None:
        """Change the caller's password, and revoke all their sessions. As `Access.change_password`, which see."""
        check_caller(caller)
        check_typed_password("current", current)
        check_new_password(new, field="new")
        if origin is not None:
            check_type("origin", origin, Origin)
        found = await self.users.by_id(caller.actor_id)
        if found is None:
            raise UserNotFound("There is no such user.")
        must_not_be_disabled(found.user)
        await self.checks.check_current(found.user.email, found.password_hash, current)
        new_hash = await self.checks.hashed(new, line=found.user.email)
        note = AuditNote(action=AuditAction.PASSWORD_CHANGED, object_id=caller.actor_id, owner_id=caller.actor_id)
        origin = origin or Origin(actor=actor_of(caller.actor_id, caller.role))
        now = self.clock()
        audit = self.executor.audit_record(note, origin=origin, now=now)
        # In one step: were the sessions ended by another one that is lost, a thief's would go on, and the user could
        # not repeat it with the old password.
        if not await self.users.replace_password_hash(
            caller.actor_id, old=found.password_hash, new=new_hash, sessions_end_at=now, audit=audit
        ):
            raise InvalidCredentials("The current password is wrong.")
