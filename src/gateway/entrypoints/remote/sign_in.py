"""Users of a running gateway: signed in with a password or a token, or made up in a sandbox."""

import os
import re
import secrets
from dataclasses import dataclass, field
from typing import Final, Literal

import click

from gateway.entrypoints.passwords import read_password
from gateway.entrypoints.remote.gateway import Json, Refused, RemoteGateway
from gateway.settings.reader import TOKEN_VARIABLE

UNAUTHORIZED: Final = 401

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a user logs in with."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a program was given in place of a password. It ends, and cannot be renewed."""

    text: str = field(repr=False)


SignIn = Credentials | AccessToken


def given_sign_in(email: str | None, *, password_stdin: bool) -> SignIn | None:
    """What the flags and the environment say: a user with a password, a token, or `None` for neither.

    Raises:
        ClickException: `--password-stdin` without an address; the password is not text; or what is to be the token
            cannot be sent.
    """
    if email is not None:
        return Credentials(email, read_password(from_stdin=password_stdin, is_new=False))
    if password_stdin:
        raise click.UsageError("--password-stdin needs --email.")
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        return None
    if _TOKEN.fullmatch(token) is None:
        raise click.ClickException(f"{TOKEN_VARIABLE} is no access token: it has a blank or is not ASCII.")
    return AccessToken(token)


@dataclass(slots=True)
class SignedIn:
    """A user who asks a running gateway. After the end of an access token the user logs in again.

    Attributes:
        user: As `GET /users/me` shows it.
        made_up: Whether this process has registered the user.
    """

    remote: RemoteGateway
    sign_in: SignIn
    user: Json
    token: str = field(repr=False)
    made_up: bool = False

    @property
    def password(self) -> str:
        """The password of a user who was made up; empty for others, whose password is their own."""
        return self.sign_in.password if self.made_up and isinstance(self.sign_in, Credentials) else ""

    @property
    def id(self) -> str:
        """The id of the user."""
        user_id: str = self.user["id"]
        return user_id

    async def ask(self, method: str, path: str, body: Json | None = None, *, key: str = "") -> Json:
        """Send a request, as `RemoteGateway.ask`."""
        key = key or secrets.token_hex(16)
        try:
            return await self.remote.ask(method, path, body, token=self.token, key=key)
        except Refused as refused:
            if not await self.renewed(refused):
                raise
        return await self.remote.ask(method, path, body, token=self.token, key=key)

    async def renewed(self, refused: Refused) -> bool:
        """Log in again, if the refusal is about the token; whether that was done.

        Raises:
            NoAnswer, Refused: As `RemoteGateway.ask`.
        """
        if refused.status != UNAUTHORIZED or isinstance(self.sign_in, AccessToken):
            return False
        self.token, self.user = await _log_in(self.remote, self.sign_in)
        return True


async def sign_in_at(remote: RemoteGateway, given: SignIn) -> SignedIn:
    """A user who has signed in.

    Raises:
        NoAnswer, Refused: As `RemoteGateway.ask`.
    """
    if isinstance(given, AccessToken):
        user = await remote.ask("GET", "/users/me", token=given.text)
        return SignedIn(remote, given, user, given.text)
    token, user = await _log_in(remote, given)
    return SignedIn(remote, given, user, token)


async def make_up(
    remote: RemoteGateway, role: Literal["customer", "merchant"], *, name: str, currency: str
) -> SignedIn:
    """A user of a sandbox whom nobody has used before.

    Raises:
        NoAnswer, Refused: As `RemoteGateway.ask`.
    """
    made_up = Credentials(f"{name}-{secrets.token_hex(4)}@example.com", secrets.token_urlsafe(16))
    body = {"email": made_up.email, "password": made_up.password, "role": role, "name": name, "currency": currency}
    await remote.ask("POST", "/users/register", body)
    user = await sign_in_at(remote, made_up)
    user.made_up = True
    return user


async def _log_in(remote: RemoteGateway, credentials: Credentials) -> tuple[str, Json]:
    body = {"email": credentials.email, "password": credentials.password}
    tokens = await remote.ask("POST", "/users/login", body)
    return tokens["access_token"], tokens["user"]
