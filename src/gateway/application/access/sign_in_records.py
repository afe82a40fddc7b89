"""SignInRecords: what the audit log tells of logins, begun and refused."""

from datetime import datetime, timedelta
from typing import Final

from gateway.application.access.login_look_ups import Login
from gateway.application.access.throttle import scopes_of
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.ports.audit_log import AuditLog
from gateway.application.ports.sessions import SessionId
from gateway.domain.audit import ANYBODY, UNKNOWN, AuditAction, AuditNote, AuditRecord, Origin, actor_of
from gateway.domain.user import User

REFUSED_PER_MINUTE_MAX: Final = 60
"""How many refused logins one process records in a minute. The next record tells how many were left out."""
_MINUTE: Final = timedelta(minutes=1)


class SignInRecords:
    """The records of one process. Refused logins are bounded: guesses cannot fill the audit log."""

    def __init__(self, log: AuditLog, executor: CommandExecutor) -> None:
        self._log = log
        self._executor = executor
        self._minute_began: datetime | None = None
        self._recorded = 0
        self._left_out = 0

    def started(
        self, user: User, session_id: SessionId, *, address: str, request_id: str | None, now: datetime
    ) -> AuditRecord:
        """The record of a session, which is written with it."""
        origin = Origin(actor=actor_of(user.id, user.role), address=address, request_id=request_id)
        note = AuditNote(
            action=AuditAction.SESSION_STARTED,
            object_id=user.id,
            owner_id=user.id,
            after={"session_id": session_id},
        )
        return self._executor.audit_record(note, origin=origin, now=now)

    async def refused(self, login: Login, code: str, *, address: str, request_id: str | None, now: datetime) -> None:
        """Record that somebody was refused: the first time, and each time that their failures have doubled.

        Whether there is such a user makes no difference, so that nobody learns it from the time that it takes. What
        was typed is not recorded: people type passwords into fields for addresses.
        """
        own, _, _ = scopes_of(login.email, login.network)
        count = login.failures[own].count + 1 if own in login.failures else 1
        if count & (count - 1) or not self._may_record(now):
            self._left_out += 1
            return
        note = AuditNote(
            action=AuditAction.SESSION_REFUSED,
            object_id=UNKNOWN if login.found is None else login.found.user.id,
            owner_id=None if login.found is None else login.found.user.id,
            after={"code": code, "failures": count, "left_out": self._left_out},
        )
        self._left_out = 0
        origin = Origin(actor=ANYBODY, address=address, request_id=request_id)
        await self._log.append(self._executor.audit_record(note, origin=origin, now=now))

    def _may_record(self, now: datetime) -> bool:
        if self._minute_began is None or not timedelta(0) <= now - self._minute_began < _MINUTE:
            self._minute_began, self._recorded = now, 0
        if self._recorded >= REFUSED_PER_MINUTE_MAX:
            return False
        self._recorded += 1
        return True
