"""Access: registration, login, sessions and the check of access tokens."""

import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from gateway.application.access.acting import Acting
from gateway.application.access.api_key_authentication import ApiKeyAuthentication
from gateway.application.access.api_key_format import ApiKeyFormat
from gateway.application.access.authentication import Authentication
from gateway.application.access.caller import Caller, check_caller
from gateway.application.access.limits import AccessLimits
from gateway.application.access.login_checks import Attempted, LoginChecks, check_code
from gateway.application.access.login_look_ups import LoginLookUps
from gateway.application.access.password_changes import PasswordChanges
from gateway.application.access.password_checks import WRONG, PasswordChecks
from gateway.application.access.passwords import check_new_password
from gateway.application.access.refresh_token_format import hash_of, new_secret, refresh_token_of, secret_of
from gateway.application.access.refresh_tokens import RefreshTokens, must_not_be_disabled
from gateway.application.access.revocations import Revocations
from gateway.application.access.second_factor_checks import SecondFactorChecks
from gateway.application.access.sign_in_records import SignInRecords
from gateway.application.access.signed_in import SignedIn
from gateway.application.access.throttle import Throttle
from gateway.application.commands.register import Register, Registered
from gateway.application.emails import canonical_email
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.errors import InvalidCredentials
from gateway.application.ports.api_keys import StoredApiKeys
from gateway.application.ports.audit_log import AuditLog
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.login_failures import LoginFailures
from gateway.application.ports.members import StoredMembers
from gateway.application.ports.passwords import PasswordHasher
from gateway.application.ports.second_factors import SecondFactors, TimeCodes
from gateway.application.ports.sessions import SessionId, Sessions
from gateway.application.ports.tokens import AccessTokens
from gateway.application.ports.users import Users
from gateway.domain.audit import Origin
from gateway.domain.checks import check_id, check_text, check_type
from gateway.domain.errors import UserNotFound
from gateway.domain.limits import EMAIL_LENGTH_MAX
from gateway.domain.money import currency_code
from gateway.domain.user import Role, User, UserId, check_profile

LOGIN_CHECKS_MAX: Final = 2
"""How often a login checks the password at most, if the stored hash is replaced meanwhile."""


@dataclass(slots=True, kw_only=True)
class Access:
    """Users and their sessions. Each method runs short transactions of its own."""

    executor: CommandExecutor
    users: Users
    sessions: Sessions
    api_keys: StoredApiKeys
    second_factors: SecondFactors
    members: StoredMembers
    login_failures: LoginFailures
    audit_log: AuditLog
    passwords: PasswordHasher
    tokens: AccessTokens
    time_codes: TimeCodes
    clock: Clock
    identifiers: Identifiers
    limits: AccessLimits = field(default_factory=AccessLimits)
    key_format: ApiKeyFormat = field(default_factory=ApiKeyFormat)
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)
    _checks: PasswordChecks = field(init=False, repr=False, compare=False)
    _password_changes: PasswordChanges = field(init=False, repr=False, compare=False)
    factor_checks: SecondFactorChecks = field(init=False, repr=False, compare=False)
    _logins: LoginChecks = field(init=False, repr=False, compare=False)
    _sign_ins: SignInRecords = field(init=False, repr=False, compare=False)
    _refresh_tokens: RefreshTokens = field(init=False, repr=False, compare=False)
    _authentication: Authentication = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        throttle = Throttle(self.login_failures, self.clock, self.limits)
        self._checks = PasswordChecks(self.passwords, throttle, self.limits)
        lifetime = self.tokens.lifetime_seconds
        revocations = Revocations(self.sessions, self.users, self.limits, token_lifetime_seconds=lifetime)
        self._sign_ins = SignInRecords(self.audit_log, self.executor)
        self.factor_checks = SecondFactorChecks(
            self.second_factors, self.time_codes, self.executor, throttle, self.clock, self.limits
        )
        self._password_changes = PasswordChanges(
            users=self.users, checks=self._checks, executor=self.executor, clock=self.clock
        )
        look_ups = LoginLookUps(self.users, self.login_failures)
        self._logins = LoginChecks(self.users, look_ups, self._checks, self.factor_checks, self._sign_ins, self.clock)
        self._refresh_tokens = RefreshTokens(self.sessions, self.users, self.limits, revocations)
        keys = ApiKeyAuthentication(self.api_keys, revocations, self.key_format, known_seconds=lifetime)
        acting = Acting(self.members, revocations, known_seconds=lifetime)
        self._authentication = Authentication(self.tokens, revocations, keys, acting, self.clock, self.loop)

    async def register(
        self,
        *,
        email: str,
        password: str,
        role: Role,
        name: str | None = None,
        currency: str = "USD",
        origin: Origin | None = None,
    ) -> Registered:
        """Create a user, with one account in `currency` (operators get none). `origin` is who creates an operator.

        Raises:
            InvalidInput, UnknownCurrency: A value is not valid.
            EmailTaken: Another user has this address.
        """
        self.loop.check()
        check_text("email", email, EMAIL_LENGTH_MAX, length_min=0)
        email = canonical_email(email)
        check_new_password(password)
        check_profile(role, name)
        code = currency_code(currency)
        if origin is not None:
            check_type("origin", origin, Origin)
        command = Register(
            user_id=UserId(self.identifiers("usr")),
            email=email,
            password_hash=await self._checks.hashed(password),
            role=role,
            name=name,
            currency=code,
        )
        return await self.executor.execute(command, origin=origin)

    async def log_in(
        self, *, email: str, password: str, address: str, request_id: str | None = None, code: str | None = None
    ) -> SignedIn:
        """Start a session.

        `address` is the network address of the client. Failures are counted by it, and a user who has logged in from
        there before does not wait for the failures of others. The audit log has it, and `request_id`. `code` is of the
        user's second factor, or a recovery code; it is ignored for users without one.

        Raises:
            InvalidCredentials: There is no such user, or the password is wrong; both take the same time.
            InvalidInput: A value is not valid.
            UserDisabled: The password is right, and an operator has disabled the user.
            SecondFactorRequired: The password is right, and a code is needed as well.
            SecondFactorInvalid: The code is wrong, or was used before.
            SecondFactorMissing: An operator must enrol a second factor first.
            RateLimited, Overloaded: Too many attempts have failed before this one, or wait to be checked.
        """
        self.loop.check()
        attempted = Attempted(email=email, password=password, address=address, request_id=request_id)
        if code is not None:
            check_code(code)
        check = self._logins.password_and_code(attempted, code)
        for _ in range(LOGIN_CHECKS_MAX):
            user, password_hash = await check
            session_id = SessionId(self.identifiers("ses"))
            secret = new_secret()
            now = self.clock()
            token = self._refresh_tokens.stored(secret, now)
            # The password may have been changed while this one was checked, or the user disabled: then all is checked
            # once more, but for the code, which is used up.
            audit = self._sign_ins.started(user, session_id, address=address, request_id=request_id, now=now)
            if await self.sessions.start(
                session_id, user.id, token, password_hash=password_hash, network=attempted.network, now=now, audit=audit
            ):
                return self._signed_in(user, session_id, secret, now)
            check = self._logins.password(attempted)
        check.close()
        raise InvalidCredentials(WRONG)

    async def user_of_password(self, *, email: str, password: str, address: str, request_id: str | None = None) -> User:
        """The user whose password it is. Raises as `log_in` does without a second factor."""
        self.loop.check()
        attempted = Attempted(email=email, password=password, address=address, request_id=request_id)
        return (await self._logins.password(attempted)).user

    async def refresh(self, refresh_token: str) -> SignedIn:
        """Exchange a refresh token for a new pair of tokens. It can be used once.

        A second use revokes the session, since one of the two users is a thief (RFC 9700, 4.14.2). Exception: within
        the grace time, and before its successor is used, it gives the same successor again, as the response of the
        first use may have been lost. A successor that was given twice is not repeated in turn: two holders of a token
        who follow each other within the grace time are noticed at their second exchange.

        Raises:
            InvalidInput: It is not a text, or too long.
            TokenInvalid, TokenExpired: The gateway did not issue it, or it has expired.
            TokenRevoked: Its session was revoked, perhaps by this second use.
            UserDisabled: An operator has disabled its user.
            SecondFactorMissing: As in `log_in`.
        """
        self.loop.check()
        now = self.clock()
        exchanged = await self._refresh_tokens.exchange(refresh_token, now)
        user = await self.user(exchanged.user_id)
        must_not_be_disabled(user)
        await self.factor_checks.check_refresh(user)
        return self._signed_in(user, exchanged.session_id, exchanged.secret, now)

    async def log_out(self, caller: Caller, refresh_token: str) -> None:
        """Revoke the session of a refresh token, and the session of the caller.

        Raises:
            InvalidInput, TokenInvalid: `refresh_token` is not a text, too long, or not in the form of one.
        """
        self.loop.check()
        check_caller(caller)
        secret = secret_of(refresh_token)
        now = self.clock()
        await self.sessions.revoke_token(hash_of(secret), caller.actor_id, now=now)
        if caller.session_id is not None:
            await self.sessions.revoke(caller.session_id, now=now)
        self.renew_endings()

    async def change_password(self, caller: Caller, *, current: str, new: str, origin: Origin | None = None) -> None:
        """Change the caller's password, and revoke all their sessions. `origin` is for the audit log.

        Raises:
            InvalidCredentials, InvalidInput: `current` is not their password, or `new` may not be chosen.
            RateLimited, UserDisabled: Too many attempts have failed, or an operator has disabled the caller.
        """
        self.loop.check()
        await self._password_changes.change(caller, current=current, new=new, origin=origin)
        self.renew_endings()

    async def user(self, user_id: UserId) -> User:
        """The user with this id.

        Raises:
            UserNotFound: There is none.
        """
        self.loop.check()
        check_id("user_id", user_id)
        found = await self.users.by_id(user_id)
        if found is None:
            raise UserNotFound("There is no such user.")
        return found.user

    def authenticate(self, access_token: str) -> Coroutine[Any, Any, Caller]:
        """The user whom an access token was issued to, or whose API key it is.

        Reads the storage at most every `revocations_seconds_max`, and once for a key that was not used here lately.

        Raises:
            ApiKeyInvalid: It begins as an API key does, and is not one of ours, or has ended.
            TokenInvalid, TokenExpired: The gateway did not issue it, or it has expired.
            TokenRevoked, UserDisabled: Every process notices it within `revocations_seconds_max`.
        """
        return self._authentication.authenticate(access_token)

    def act_for(self, caller: Caller, merchant_id: UserId) -> Coroutine[Any, Any, Caller]:
        """The caller as a member of a merchant; `NotAMember` if they are none. See `Authentication.act_for`."""
        return self._authentication.act_for(caller, merchant_id)

    def hash_new_password(self, password: str) -> Coroutine[Any, Any, str]:
        """The hash of a checked password, for a new user. Raises `Overloaded`: too many wait to be hashed."""
        return self._checks.hashed(password)

    def caller_at_once(self, access_token: str) -> Caller | None:
        """The caller of a token or key that `authenticate` has accepted and would accept now. Nothing is read.

        `None` says nothing against a token: ask `authenticate`.
        """
        return self._authentication.caller_at_once(access_token)

    def renew_endings(self) -> None:
        """Let the next request wait for a new list of what has ended: a session or an API key has."""
        self._authentication.renew_endings()

    async def close(self) -> None:
        """Write when API keys were last used, as far as it is not written."""
        self.loop.check()
        await self._authentication.close()

    def _signed_in(self, user: User, session_id: SessionId, secret: bytes, now: datetime) -> SignedIn:
        access_token = self.tokens.issue(
            subject=user.id, role=user.role.value, token_id=f"{session_id}.{secrets.token_hex(8)}", now=now
        )
        return SignedIn(
            user=user,
            access_token=access_token,
            expires_in_seconds=self.tokens.lifetime_seconds,
            refresh_token=refresh_token_of(secret),
        )
