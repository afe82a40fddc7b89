"""Recovery: operators let a person in again who has lost the password, or hand a user over to another person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.application.access.access import Access
from gateway.application.access.passwords import random_password
from gateway.application.access.user_look_ups import user_by_email
from gateway.application.emails import canonical_email
from gateway.application.errors import Overloaded
from gateway.application.ports.customers import StoredCustomers
from gateway.application.ports.users import Credentials
from gateway.domain.audit import THE_SYSTEM, AuditAction, AuditNote, AuditRecord, Origin
from gateway.domain.checks import check_free_text, check_id, check_text, check_type
from gateway.domain.errors import EmailTaken, UserNotFound
from gateway.domain.limits import EMAIL_LENGTH_MAX, REASON_LENGTH_MAX
from gateway.domain.user import User, UserId

TRIES_MAX: Final = 3
"""How often a user is read again whom somebody else has changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """For a trusted program, which has made sure who asks. `reason` is 1 to 500 characters for the audit log.

    Every method raises `InvalidInput` for an argument that is not valid, and `StorageUnavailable` when the storage is
    away: repeat the call then.
    """

    access: Access
    customers: StoredCustomers

    async def reset_password(self, user_id: UserId, *, reason: str, origin: Origin | None = None) -> str:
        """Replace the password of a user by a random one, and end all sessions. A second factor and API keys stay.

        Returns:
            The new password, which is stored nowhere.

        Raises:
            UserNotFound: There is no such user, or it is a customer without a password, whom a merchant manages.
            Overloaded: Too many passwords wait to be hashed, or others change this one all the time.
        """
        self._check(user_id, reason, origin)
        await self._credentials(user_id)  # Hashing is expensive.
        password = random_password()
        new_hash = await self.access.hash_new_password(password)
        for _ in range(TRIES_MAX):
            old = (await self._credentials(user_id)).password_hash
            now = self.access.clock()
            audit = self._record(AuditAction.PASSWORD_RESET, user_id, reason, origin, now)
            if await self.access.users.replace_password_hash(
                user_id, old=old, new=new_hash, sessions_end_at=now, audit=audit
            ):
                self.access.renew_endings()
                return password
        raise _changed_by_others()

    async def change_email(self, user_id: UserId, *, email: str, reason: str, origin: Origin | None = None) -> User:
        """Give a user another e-mail address to log in with, and end all sessions. The address is not recorded.

        `email` is any spelling of it. A user who has this address stays as they are.

        Raises:
            UserNotFound: As in `reset_password`.
            EmailTaken: Another user has this address.
            Overloaded: Others change the user all the time.
        """
        self._check(user_id, reason, origin)
        check_text("email", email, EMAIL_LENGTH_MAX, length_min=0)
        new = canonical_email(email)
        for _ in range(TRIES_MAX):
            user = (await self._credentials(user_id)).user
            if user.email == new:
                return user
            await self._must_be_free(new)
            now = self.access.clock()
            audit = self._record(AuditAction.EMAIL_CHANGED, user_id, reason, origin, now)
            if await self.access.users.replace_email(
                user_id, old=user.email, new=new, sessions_end_at=now, audit=audit
            ):
                self.access.renew_endings()
                return (await self._credentials(user_id)).user
        raise _changed_by_others()

    def _check(self, user_id: UserId, reason: str, origin: Origin | None) -> None:
        self.access.loop.check()
        check_id("user_id", user_id)
        check_free_text("reason", reason, REASON_LENGTH_MAX, length_min=1)
        if origin is not None:
            check_type("origin", origin, Origin)

    async def _credentials(self, user_id: UserId) -> Credentials:
        found = await self.access.users.by_id(user_id)
        if found is not None:
            return found
        if await self.customers.customer(user_id) is not None:
            raise UserNotFound(
                f"{user_id} is a customer without a password, whom a merchant manages. An invitation of the merchant "
                "makes a user of them."
            )
        raise UserNotFound("There is no such user.")

    async def _must_be_free(self, email: str) -> None:
        try:
            await user_by_email(self.access.users, email)
        except UserNotFound:
            return
        raise EmailTaken("Somebody has registered with this e-mail address already.")

    def _record(
        self, action: AuditAction, user_id: UserId, reason: str, origin: Origin | None, now: datetime
    ) -> AuditRecord:
        note = AuditNote(action=action, object_id=user_id, owner_id=user_id, reason=reason)
        by = origin or Origin(actor=THE_SYSTEM)
        return self.access.executor.audit_record(note, origin=by, now=now)


def _changed_by_others() -> Overloaded:
    return Overloaded("Others are changing this user. Try again.")
