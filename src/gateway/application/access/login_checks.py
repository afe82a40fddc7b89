"""LoginChecks: whose password it is, before anything is done with it; refusals are recorded."""

from typing import NamedTuple

from gateway.application.access.addresses import network_of
from gateway.application.access.hashing_places import Purpose
from gateway.application.access.login_look_ups import Login, LoginLookUps
from gateway.application.access.password_checks import WRONG, PasswordChecks
from gateway.application.access.passwords import check_typed_password
from gateway.application.access.refresh_tokens import must_not_be_disabled
from gateway.application.access.second_factor_checks import SecondFactorChecks
from gateway.application.access.sign_in_records import SignInRecords
from gateway.application.access.spellings import spellings_of
from gateway.application.errors import InvalidCredentials, SecondFactorInvalid
from gateway.application.ports.clock import Clock
from gateway.application.ports.users import Users
from gateway.domain.audit import Origin, actor_of
from gateway.domain.checks import check_text
from gateway.domain.errors import UserDisabled
from gateway.domain.immutable import immutable
from gateway.domain.limits import ADDRESS_LENGTH_MAX, EMAIL_LENGTH_MAX, REQUEST_ID_LENGTH_MAX, TYPED_CODE_LENGTH_MAX
from gateway.domain.user import User


@immutable
class Attempted:
    """Somebody who types an e-mail address and a password, from somewhere. See `Access.log_in`."""

    email: str
    password: str
    address: str
    request_id: str | None = None

    def __post_init__(self) -> None:
        check_text("email", self.email, EMAIL_LENGTH_MAX, length_min=0)
        check_typed_password("password", self.password)
        check_text("address", self.address, ADDRESS_LENGTH_MAX)
        if self.request_id is not None:
            check_text("request_id", self.request_id, REQUEST_ID_LENGTH_MAX)

    @property
    def network(self) -> str:
        """Where it comes from, for limits."""
        return network_of(self.address)

    def origin_of(self, user: User) -> Origin:
        """The user, from there."""
        return origin_of(user, self.address, self.request_id)


def origin_of(user: User, address: str, request_id: str | None) -> Origin:
    """A user who does something from a network address."""
    return Origin(actor=actor_of(user.id, user.role), address=address, request_id=request_id)


class Checked(NamedTuple):
    """The user whose password it is, and the hash that is stored after the check."""

    user: User
    password_hash: str


class LoginChecks:
    """The checks of one process."""

    def __init__(
        self,
        users: Users,
        look_ups: LoginLookUps,
        passwords: PasswordChecks,
        factors: SecondFactorChecks,
        sign_ins: SignInRecords,
        clock: Clock,
    ) -> None:
        self._users = users
        self._look_ups = look_ups
        self._passwords = passwords
        self._factors = factors
        self._sign_ins = sign_ins
        self._clock = clock

    async def password(self, attempted: Attempted) -> Checked:
        """Check the password alone.

        Raises:
            InvalidCredentials, UserDisabled, RateLimited, Overloaded: As `Access.log_in`.
        """
        login = await self._look_ups.look_up(spellings_of(attempted.email), attempted.network)
        try:
            return await self._checked(login, attempted.password)
        except (InvalidCredentials, UserDisabled) as refused:
            await self._refused(login, refused.code, attempted)
            raise

    async def password_and_code(self, attempted: Attempted, code: str | None) -> Checked:
        """Check the password, and then the second factor, if there is one.

        Raises:
            InvalidCredentials, UserDisabled, RateLimited, Overloaded: As `Access.log_in`.
            SecondFactorRequired, SecondFactorInvalid, SecondFactorMissing: As `Access.log_in`.
        """
        login = await self._look_ups.look_up(spellings_of(attempted.email), attempted.network)
        try:
            checked = await self._checked(login, attempted.password)
            await self._factors.check_login(checked.user, code, attempted.origin_of(checked.user))
        except (InvalidCredentials, UserDisabled, SecondFactorInvalid) as refused:
            await self._refused(login, refused.code, attempted)
            raise
        return checked

    async def _refused(self, login: Login, code: str, attempted: Attempted) -> None:
        await self._sign_ins.refused(
            login, code, address=attempted.address, request_id=attempted.request_id, now=self._clock()
        )

    async def _checked(self, login: Login, password: str) -> Checked:
        check = await self._passwords.check_login(login, password)
        found = login.found
        if found is None:
            raise InvalidCredentials(WRONG)
        password_hash = found.password_hash
        if check.outdated:
            new_hash = await self._passwords.hashed(password, Purpose.KNOWN_LOGIN, line=login.network)
            if await self._users.replace_password_hash(found.user.id, old=password_hash, new=new_hash):
                password_hash = new_hash
        must_not_be_disabled(found.user)
        return Checked(found.user, password_hash)


def check_code(code: object) -> None:
    """Refuse what is not a text that may be a code."""
    check_text("code", code, TYPED_CODE_LENGTH_MAX)
