"""Who may ask: register, log in, exchange a secret for a token, check a token."""

import asyncio
import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from weakref import WeakValueDictionary

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from gateway.application.access.addresses import network_of
from gateway.application.access.caller import Caller, check_caller
from gateway.application.access.emails import canonical_email
from gateway.application.commands.register import Register, Registered
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.errors import (
    InvalidCredentials,
    InvalidInput,
    Overloaded,
    RateLimited,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
)
from gateway.application.ports import tokens as token_ports
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.login_failures import Failures, LoginFailures
from gateway.application.ports.passwords import HashingOverloaded, PasswordCheck, PasswordHasher
from gateway.application.ports.sessions import Presented, SessionId, Sessions, Standing, StoredToken, Successor
from gateway.application.ports.tokens import AccessTokens
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.ports.users import Users
from gateway.domain.checks import check_id, check_text, wrong_type
from gateway.domain.errors import UserNotFound, invalid
from gateway.domain.limits import (
    ADDRESS_LENGTH_MAX,
    EMAIL_LENGTH_MAX,
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    REFRESH_TOKEN_LENGTH_MAX,
    TYPED_PASSWORD_LENGTH_MAX,
)
from gateway.domain.money import currency_code
from gateway.domain.user import Role, User, UserId, check_profile, normal_email
from gateway.domain.value import value

COMMON_PASSWORDS: Final = frozenset(FREQUENCY_LISTS["passwords"])
REFRESH_SECRET_BYTES: Final = 32
ROLES: Final = {role.value: role for role in Role}


@value
class AccessLimits:
    """How long sessions last, and how fast passwords may be tried.

    After `free_tries` failures in a row at an account the next try is heard after 1 s, then 2 … `backoff_seconds_max`.
    An hour without a failure forgets them. Never a lock: whoever knows the password gets in. The same goes for an
    address, which may be that of a whole office, and so has more tries. `leeway_seconds` is how far the clocks of
    servers may be apart. A request waits for the list of revoked sessions for `revocations_wait_seconds_max`.
    """

    session_seconds: int = 30 * 24 * 3600
    leeway_seconds: int = 30
    refresh_grace_seconds: float = 10.0
    revocations_seconds_max: float = 2.0
    revocations_wait_seconds_max: float = 0.5
    free_tries: int = 5
    free_tries_of_an_address: int = 50
    backoff_seconds_max: int = 60
    forget_failures_seconds: int = 3600


@value
class SignedIn:
    """What a session is shown with: a short-lived access token, and a refresh token good for one use."""

    user: User
    access_token: str = field(repr=False)
    expires_in_seconds: int
    refresh_token: str = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Access:
    """Users and their sessions. Each method is short transactions of its own."""

    executor: CommandExecutor
    users: Users
    sessions: Sessions
    login_failures: LoginFailures
    passwords: PasswordHasher
    tokens: AccessTokens
    clock: Clock
    identifiers: Identifiers
    limits: AccessLimits = field(default_factory=AccessLimits)
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)
    _turns: MutableMapping[str, asyncio.Lock] = field(default_factory=WeakValueDictionary[str, asyncio.Lock])
    _revoked: AbstractSet[SessionId] = frozenset()
    _revoked_read_at: datetime | None = None
    _reading: asyncio.Task[None] | None = None
    """The read of what was revoked. An event loop does not keep its tasks by itself."""

    async def register(
        self, *, email: str, password: str, role: Role, name: str | None = None, currency: str = "USD"
    ) -> Registered:
        """Make a user, with one account in `currency` (operators get none).

        Raises:
            InvalidInput: The address or the password will not do; or the role or the name is none.
            UnknownCurrency: `currency` is not one of ISO 4217.
            EmailTaken: Somebody has this address already.
        """
        self.loop.check()
        check_text("email", email, EMAIL_LENGTH_MAX, length_min=0)
        email = canonical_email(email)
        check_new_password(password)
        check_profile(role, name)
        code = currency_code(currency)
        command = Register(
            user_id=UserId(self.identifiers("usr")),
            email=email,
            password_hash=await self._hash(password),
            role=role,
            name=name,
            currency=code,
        )
        return await self.executor.execute(command)

    async def log_in(self, *, email: str, password: str, address: str) -> SignedIn:
        """Begin a session. `address` is where the try comes from; it is only counted, with its `network_of`.

        Raises:
            InvalidInput: One of them has a wrong type, is too long, or holds what cannot be kept.
            InvalidCredentials: They do not belong together. It takes the same time for an unknown address.
            RateLimited: Too many failures before this one.
        """
        self.loop.check()
        check_text("email", email, EMAIL_LENGTH_MAX, length_min=0)
        check_typed_password("password", password)
        check_text("address", address, ADDRESS_LENGTH_MAX)
        email = await self._kept_spelling(email)
        account_scope = f"account:{email}"
        async with self._turn(account_scope, f"address:{network_of(address)}") as failed:
            found = await self.users.by_email(email)
            check = await self._verify(None if found is None else found.password_hash, password)
            if found is None or not check.matches:
                await failed()
                raise InvalidCredentials("The e-mail address or the password is wrong.")
            await self.login_failures.clear(account_scope)
        if check.outdated:
            await self.users.replace_password_hash(
                found.user.id, old=found.password_hash, new=await self._hash(password)
            )
        session_id = SessionId(self.identifiers("ses"))
        secret = secrets.token_bytes(REFRESH_SECRET_BYTES)
        now = self.clock()
        await self.sessions.start(session_id, found.user.id, self._stored(secret, now), now=now)
        return self._signed_in(found.user, session_id, secret, now)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """Exchange a refresh token for a new pair. It is good once.

        Using it again ends its session, since one of the two users is a thief (RFC 9700, 4.14.2). The exception is an
        answer that was lost: within the grace time, and before its successor was used, it gives the same successor.

        Raises:
            TokenInvalid: It is not one of ours.
            TokenExpired: Its time is over.
            TokenRevoked: Its session has ended, by this very use perhaps.
        """
        self.loop.check()
        secret = opened_refresh_token(refresh_token)
        now = self.clock()
        next_secret = secrets.token_bytes(REFRESH_SECRET_BYTES)
        successor = Successor(token=self._stored(next_secret, now), sealed=_sealed(next_secret, by=secret))
        presented = await self.sessions.rotate(_hash_of(secret), successor, now=now)
        match presented.standing:
            case Standing.ROTATED:
                pass
            case Standing.USED:
                next_secret = await self._same_successor(presented, secret, now)
            case Standing.REVOKED:
                raise TokenRevoked("This session has ended.")
            case Standing.EXPIRED:
                raise TokenExpired("This refresh token has expired.")
            case Standing.UNKNOWN:
                raise TokenInvalid("This is not a refresh token of ours.")
        if presented.session_id is None or presented.user_id is None:
            raise TokenInvalid("This is not a refresh token of ours.")
        return self._signed_in(await self.user(presented.user_id), presented.session_id, next_secret, now)

    async def log_out(self, caller: Caller, refresh_token: str) -> None:
        """End the session of a refresh token, and that of the caller.

        Raises:
            TokenInvalid: It is not a refresh token.
        """
        self.loop.check()
        check_caller(caller)
        secret = opened_refresh_token(refresh_token)
        now = self.clock()
        await self.sessions.revoke_token(_hash_of(secret), caller.user_id, now=now)
        await self.sessions.revoke(caller.session_id, now=now)
        self._forget_revocations()

    async def change_password(self, caller: Caller, *, current: str, new: str) -> None:
        """Change the caller's password, and end all their sessions.

        Raises:
            InvalidCredentials: `current` is not their password.
            InvalidInput: `new` will not do.
            RateLimited: Too many failures before this one.
        """
        self.loop.check()
        check_caller(caller)
        check_typed_password("current", current)
        check_new_password(new, field="new")
        found = await self.users.by_id(caller.user_id)
        if found is None:
            raise UserNotFound("There is no such user.")
        async with self._turn(f"account:{found.user.email}") as failed:
            check = await self._verify(found.password_hash, current)
            replaced = check.matches and await self.users.replace_password_hash(
                caller.user_id, old=found.password_hash, new=await self._hash(new)
            )
            if not replaced:
                await failed()
                raise InvalidCredentials("The current password is wrong.")
        await self.sessions.revoke_user(caller.user_id, now=self.clock())
        self._forget_revocations()

    async def user(self, user_id: UserId) -> User:
        """The user of this id.

        Raises:
            UserNotFound: There is none.
        """
        self.loop.check()
        check_id("user_id", user_id)
        found = await self.users.by_id(user_id)
        if found is None:
            raise UserNotFound("There is no such user.")
        return found.user

    async def authenticate(self, access_token: str) -> Caller:
        """Who a bearer of this access token is. Touches the storage at most every `revocations_seconds_max`.

        Raises:
            TokenInvalid: It is not one of ours.
            TokenExpired: Its time is over.
            TokenRevoked: Its session has ended, which every process notices within `revocations_seconds_max`.
        """
        self.loop.check()
        if type(access_token) is not str:
            raise wrong_type("access_token", "text", access_token)
        now = self.clock()
        try:
            claims = self.tokens.verify(access_token, now=now)
        except token_ports.TokenExpired as expired:
            raise TokenExpired("The access token has expired.") from expired
        except token_ports.TokenInvalid as invalid:
            raise TokenInvalid("The access token is not valid.") from invalid
        read_at = self._revoked_read_at
        # Negative is after the clock was set back.
        if read_at is None or not 0 <= (now - read_at).total_seconds() <= self.limits.revocations_seconds_max:
            await self._renew_revocations(now)
        session_id, _, _ = claims.token_id.partition(".")
        if session_id in self._revoked:
            raise TokenRevoked("This session has ended.")
        role = ROLES.get(claims.role)
        if role is None:
            raise TokenInvalid("The access token is of a role that this gateway does not know.")
        return Caller(user_id=UserId(claims.subject), role=role, session_id=SessionId(session_id))

    async def _kept_spelling(self, email: str) -> str:
        """The spelling under which the user of an address is kept: the canonical one, if they have no other.

        Users of earlier versions may have another (`gateway migrate` tells of them). They log in with exactly that.
        """
        typed = normal_email(email)
        try:
            canonical = canonical_email(email)
        except InvalidInput:
            return typed
        if typed != canonical and await self.users.by_email(typed) is not None:
            return typed
        return canonical

    def _forget_revocations(self) -> None:
        """Have them read before the next token is accepted."""
        self._revoked_read_at = self._reading = None

    async def _renew_revocations(self, now: datetime) -> None:
        """Read what was revoked. While the storage is away or slow, the old list serves on: no payment waits for it."""
        # Set first: one reader at a time is enough.
        self._revoked_read_at = now
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_revocations(now), name="revocations")
        reading = self._reading
        await asyncio.wait([reading], timeout=self.limits.revocations_wait_seconds_max)
        if reading.done():
            reading.result()

    async def _read_revocations(self, now: datetime) -> None:
        oldest_token = now - timedelta(seconds=2 * self.tokens.lifetime_seconds + self.limits.leeway_seconds)
        try:
            self._revoked = await self.sessions.revoked_since(oldest_token)
        except StorageUnavailable:
            return

    @asynccontextmanager
    async def _turn(self, account: str, address: str | None = None) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
        """One try at an account's password. Gives what to call when it fails.

        Tries at one account take turns, so that many at once learn of each other's failures.

        Raises:
            RateLimited: Too many have failed before this one.
        """
        free_tries = {account: self.limits.free_tries}
        if address is not None:
            free_tries[address] = self.limits.free_tries_of_an_address

        async def failed() -> None:
            now = self.clock()
            forget_before = now - timedelta(seconds=self.limits.forget_failures_seconds)
            await self.login_failures.add(free_tries, now=now, forget_before=forget_before)

        async with self._turns.setdefault(account, asyncio.Lock()):
            now = self.clock()
            for scope, failures in (await self.login_failures.of(free_tries)).items():
                seconds = self._seconds_to_wait(failures, free_tries[scope], now)
                if seconds > 0:
                    raise RateLimited("Too many failed tries.", retry_after_seconds=ceil(seconds))
            yield failed

    def _seconds_to_wait(self, failures: Failures, free_tries: int, now: datetime) -> float:
        since_last = (now - failures.last_at).total_seconds()
        too_many = failures.count - free_tries
        if too_many < 0 or not 0 <= since_last <= self.limits.forget_failures_seconds:
            return 0.0
        # Past a shift of sixty the limit holds anyway, and the number would only grow.
        return float(min(2 ** min(too_many, 60), self.limits.backoff_seconds_max)) - since_last

    async def _same_successor(self, presented: Presented, secret: bytes, now: datetime) -> bytes:
        grace = timedelta(seconds=self.limits.refresh_grace_seconds)
        lost_answer = (
            presented.used_at is not None and now - presented.used_at <= grace and not presented.successor_used
        )
        if lost_answer and presented.sealed is not None:
            return _sealed(presented.sealed, by=secret)
        if presented.session_id is not None:
            await self.sessions.revoke(presented.session_id, now=now)
            self._forget_revocations()
        raise TokenRevoked("This refresh token was used before: its session has ended.")

    def _stored(self, secret: bytes, now: datetime) -> StoredToken:
        return StoredToken(token_hash=_hash_of(secret), expires_at=now + timedelta(seconds=self.limits.session_seconds))

    def _signed_in(self, user: User, session_id: SessionId, secret: bytes, now: datetime) -> SignedIn:
        access_token = self.tokens.issue(
            subject=user.id, role=user.role.value, token_id=f"{session_id}.{secrets.token_hex(8)}", now=now
        )
        return SignedIn(
            user=user,
            access_token=access_token,
            expires_in_seconds=self.tokens.lifetime_seconds,
            refresh_token=f"rt_{secret.hex()}",
        )

    async def _hash(self, password: str) -> str:
        try:
            return await self.passwords.hash(_normal_form(password))
        except HashingOverloaded as overloaded:
            raise Overloaded("Too many logins are waiting.") from overloaded

    async def _verify(self, password_hash: str | None, password: str) -> PasswordCheck:
        if len(password) > PASSWORD_LENGTH_MAX:
            password_hash = None
            password = ""
        normal = _normal_form(password)
        try:
            check = await self.passwords.verify(password_hash, normal)
            if check.matches or normal == password:
                return check
            # Hashes of earlier versions are of passwords as they were typed.
            check = await self.passwords.verify(password_hash, password)
            return PasswordCheck(matches=check.matches, outdated=check.matches)
        except HashingOverloaded as overloaded:
            raise Overloaded("Too many logins are waiting.") from overloaded


def check_new_password(password: str, *, field: str = "password") -> None:
    """Check that a password may be chosen (NIST SP 800-63B: a length, and no common one; no rules of composition).

    Raises:
        InvalidInput: It is too short, too long, or common.
    """
    check_typed_password(field, password)
    password = _normal_form(password)
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise invalid(field, "password_length", f"Use {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters.")
    if password.lower() in COMMON_PASSWORDS:
        raise invalid(field, "password_common", "Everybody tries this password first. Choose another.")


def check_typed_password(field: str, password: object) -> None:
    """Refuse what is not a text that somebody may have typed as a password, right or wrong."""
    check_text(field, password, TYPED_PASSWORD_LENGTH_MAX, length_min=0)


def opened_refresh_token(text: str) -> bytes:
    """The secret in a refresh token.

    Raises:
        InvalidInput: It is no text, or longer than `REFRESH_TOKEN_LENGTH_MAX`.
        TokenInvalid: It does not look like one of ours.
    """
    check_text("refresh_token", text, REFRESH_TOKEN_LENGTH_MAX)
    prefix, _, digits = text.partition("_")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""
    if prefix != "rt" or len(secret) != REFRESH_SECRET_BYTES or secret.hex() != digits:
        raise TokenInvalid("This is not a refresh token of ours.")
    return secret


def _normal_form(password: str) -> str:
    """A password as it is hashed: however a keyboard composes its characters, it is one (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


def _hash_of(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _sealed(text: bytes, *, by: bytes) -> bytes:
    """`text` under a one-time pad that only the holder of `by` can make; sealing it again opens it."""
    pad = hmac.digest(by, b"gateway refresh successor", "sha256")
    return bytes(left ^ right for left, right in zip(text, pad, strict=True))
