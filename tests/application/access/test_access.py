"""Who may ask: registering, logging in, exchanging a secret for a token, checking a token."""

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.adapters.memory.sessions import MemorySessions
from gateway.application.access.access import Access, SignedIn
from gateway.application.access.limits import AccessLimits
from gateway.application.errors import (
    InvalidCredentials,
    InvalidInput,
    Overloaded,
    RateLimited,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
)
from gateway.application.ports.sessions import SessionId
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, StorageUnavailable
from gateway.contracts.records import EUR, a_user, commit, user_id
from gateway.domain.account import AccountKind
from gateway.domain.errors import EmailTaken, UnknownCurrency, UserNotFound
from gateway.domain.user import Role
from support.access import PlainHasher, an_access
from support.builders import StandingClock, register

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery staple"
OTHER_PASSWORD = "staple battery horse correct"
HERE = "192.0.2.1"


@pytest.fixture
def clock() -> StandingClock:
    """The time, as every process sees it."""
    return StandingClock()


@pytest.fixture
def passwords() -> PlainHasher:
    """The hasher of `access`."""
    return PlainHasher()


@pytest.fixture
async def access(storage: Storage, clock: StandingClock, passwords: PlainHasher) -> Access:
    """An access which Ada, a customer, has registered with."""
    access = an_access(storage, clock, passwords=passwords)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER, name="Ada")
    return access


class SilentSessions(MemorySessions):
    """Sessions whose list of revocations does not come until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.are_silent = False
        self.reads = 0
        self.go_on = asyncio.Event()

    async def revoked_since(self, since: datetime) -> AbstractSet[SessionId]:
        if self.are_silent:
            self.reads += 1
            await self.go_on.wait()
        return await super().revoked_since(since)


async def log_in(access: Access, email: str = EMAIL, password: str = PASSWORD, address: str = HERE) -> SignedIn:
    return await access.log_in(email=email, password=password, address=address)


async def fail_to_log_in(access: Access, times: int = 1, email: str = EMAIL, address: str = HERE) -> None:
    for _ in range(times):
        with pytest.raises(InvalidCredentials):
            await log_in(access, email, "wrong password", address)


async def test_who_registers_can_log_in(access: Access) -> None:
    registered = await access.register(
        email=" Grace@Example.COM ", password=PASSWORD, role=Role.MERCHANT, name="Grace", currency="EUR"
    )
    assert registered.user.email == "grace@example.com"
    [account] = registered.accounts
    assert (account.currency, account.kind) == (EUR, AccountKind.MERCHANT)
    signed_in = await log_in(access, "GRACE@example.com ")
    assert signed_in.user == registered.user
    caller = await access.authenticate(signed_in.access_token)
    assert (caller.user_id, caller.role) == (registered.user.id, Role.MERCHANT)
    assert await access.user(caller.user_id) == registered.user


async def test_an_address_registers_once_however_it_is_spelt(access: Access) -> None:
    with pytest.raises(EmailTaken):
        await access.register(email="ADA@example.com", password=PASSWORD, role=Role.CUSTOMER)


FORMS_OF_ONE_ADDRESS = (
    "jos\u00e9@b\u00fccher.example",
    "jose\u0301@bu\u0308cher.example",
    "JOS\u00c9@xn--bcher-kva.example",
)


@pytest.mark.parametrize("form", FORMS_OF_ONE_ADDRESS, ids=ascii)
async def test_forms_of_one_address_are_one_user(access: Access, form: str) -> None:
    registered = await access.register(email=form, password=PASSWORD, role=Role.CUSTOMER)
    assert registered.user.email == FORMS_OF_ONE_ADDRESS[0]
    for other in FORMS_OF_ONE_ADDRESS:
        assert (await log_in(access, other)).user == registered.user
        with pytest.raises(EmailTaken):
            await access.register(email=other, password=PASSWORD, role=Role.CUSTOMER)


async def test_a_command_is_not_made_with_another_spelling_of_an_address() -> None:
    for email in ("Ada@example.com", FORMS_OF_ONE_ADDRESS[1], "ada@example.com,", "a\u200bda@example.com"):
        with pytest.raises(InvalidInput) as refused:
            replace(register(1), email=email)
        assert [(error.field, error.code) for error in refused.value.errors] == [("email", "email_invalid")]


@pytest.mark.parametrize("kept", ["a\u200bda@example.com", "jose\u0301@example.com", "x@y.com,"], ids=ascii)
async def test_who_has_an_address_of_before_logs_in_with_exactly_that(
    access: Access, storage: Storage, kept: str
) -> None:
    await commit(storage, Changes(users_new=[a_user(7, email=kept, password_hash=f"1:{PASSWORD}")]))
    assert (await log_in(access, kept)).user.id == user_id(7)
    with pytest.raises(InvalidCredentials):
        await log_in(access, "jos\u00e9@example.com")
    await access.register(email="jos\u00e9@example.com", password=OTHER_PASSWORD, role=Role.CUSTOMER)
    assert (await log_in(access, "jos\u00e9@example.com", OTHER_PASSWORD)).user.id != user_id(7)
    assert (await log_in(access, kept)).user.id == user_id(7)


@pytest.mark.parametrize(
    "email",
    ["", "ada", "ada@", "@example.com", "ada@example", "a da@example.com", "a@b@c.de", "a\0@b.de", "x" * 250 + "@b.de"],
)
async def test_what_is_no_address_does_not_register(access: Access, email: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await access.register(email=email, password=PASSWORD, role=Role.CUSTOMER)
    assert [error.field for error in refused.value.errors] == ["email"]


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_length"),
        ("7 chars", "password_length"),
        ("x" * 129, "password_length"),
        ("password", "password_common"),
        ("PassWord", "password_common"),
        ("12345678", "password_common"),
        ("qwertyuiop", "password_common"),
    ],
)
async def test_a_password_that_is_short_long_or_common_is_refused(access: Access, password: str, code: str) -> None:
    caller = await access.authenticate((await log_in(access)).access_token)
    for attempt, field in (
        (access.register(email="new@example.com", password=password, role=Role.CUSTOMER), "password"),
        (access.change_password(caller, current=PASSWORD, new=password), "new"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await attempt
        assert [(error.field, error.code) for error in refused.value.errors] == [(field, code)]
    await log_in(access)


@pytest.mark.parametrize("password", ["8 chars!", "x y" * 42 + "zz", "пароль из слов", "🔑🔒🔓🗝️🛡️⚔️"])
async def test_any_other_password_will_do(access: Access, password: str) -> None:
    await access.register(email="new@example.com", password=password, role=Role.CUSTOMER)
    await log_in(access, "new@example.com", password)


async def test_a_currency_that_does_not_exist_does_not_register(access: Access) -> None:
    with pytest.raises(UnknownCurrency):
        await access.register(email="new@example.com", password=PASSWORD, role=Role.CUSTOMER, currency="XXX")


async def test_an_unknown_address_is_refused_in_the_same_words_and_at_the_same_cost(
    access: Access, passwords: PlainHasher
) -> None:
    refusals: list[InvalidCredentials] = []
    for email in (EMAIL, "nobody@example.com"):
        with pytest.raises(InvalidCredentials) as refused:
            await log_in(access, email, "wrong password")
        refusals.append(refused.value)
    assert (refusals[0].detail, refusals[0].facts) == (refusals[1].detail, refusals[1].facts)
    assert passwords.verified == [f"1:{PASSWORD}", None], "a password was checked for one of them only"


async def test_a_password_that_is_too_long_is_not_hashed(access: Access, passwords: PlainHasher) -> None:
    with pytest.raises(InvalidCredentials):
        await log_in(access, EMAIL, "x" * 1024)
    assert passwords.verified == [None]
    with pytest.raises(InvalidInput):
        await log_in(access, EMAIL, "x" * 1025)
    assert passwords.verified == [None]


async def test_too_many_logins_at_once_are_refused(access: Access, passwords: PlainHasher) -> None:
    passwords.overloaded = True
    with pytest.raises(Overloaded):
        await log_in(access)
    with pytest.raises(Overloaded):
        await access.register(email="new@example.com", password=PASSWORD, role=Role.CUSTOMER)
    passwords.overloaded = False
    await log_in(access)


async def test_an_outdated_hash_is_replaced_at_the_next_login(
    access: Access, storage: Storage, passwords: PlainHasher
) -> None:
    passwords.generation = 2
    await log_in(access)
    found = await storage.users.by_email(EMAIL)
    assert found is not None
    assert found.password_hash == f"2:{PASSWORD}"
    await log_in(access)


async def test_a_few_failures_are_free(access: Access) -> None:
    await fail_to_log_in(access, 5)
    with pytest.raises(RateLimited):
        await log_in(access)


async def test_each_further_failure_doubles_the_wait_up_to_its_limit(access: Access, clock: StandingClock) -> None:
    await fail_to_log_in(access, 5)
    for wait_seconds in (1, 2, 4, 8, 16, 32, 60, 60):
        clock.advance(wait_seconds - 0.001)
        with pytest.raises(RateLimited) as refused:
            await log_in(access)
        assert refused.value.facts == {"retry_after_seconds": 1}
        clock.advance(0.001)
        await fail_to_log_in(access)
    clock.advance(60)
    await log_in(access)


async def test_it_is_told_how_long_to_wait(access: Access, clock: StandingClock) -> None:
    await fail_to_log_in(access, 5)
    for seconds in (1, 2, 4):
        clock.advance(seconds)
        await fail_to_log_in(access)
    with pytest.raises(RateLimited) as refused:
        await log_in(access)
    told = refused.value.facts["retry_after_seconds"]
    clock.advance(told)
    assert 8 <= told <= 9
    await log_in(access)


async def test_a_try_that_was_not_heard_is_no_failure(access: Access, clock: StandingClock) -> None:
    await fail_to_log_in(access, 5)
    for _ in range(10):
        with pytest.raises(RateLimited):
            await log_in(access)
    clock.advance(1)
    await log_in(access)


async def test_a_login_forgets_the_failures_of_its_account(access: Access) -> None:
    await fail_to_log_in(access, 4)
    await log_in(access)
    await fail_to_log_in(access, 4, address="192.0.2.2")
    await log_in(access, address="192.0.2.3")


async def test_an_hour_without_a_failure_forgets_them(access: Access, clock: StandingClock) -> None:
    await fail_to_log_in(access, 5)
    clock.advance(1)
    await fail_to_log_in(access)
    clock.advance(3601)
    await fail_to_log_in(access, 5)
    clock.advance(1)
    await log_in(access)


async def test_failures_are_counted_by_account_wherever_they_come_from(access: Access) -> None:
    for number in range(5):
        await fail_to_log_in(access, address=f"192.0.2.{number}")
    with pytest.raises(RateLimited):
        await log_in(access, address="192.0.2.200")


async def test_failures_are_counted_by_address_whoever_they_are_about(access: Access) -> None:
    for number in range(50):
        await log_in(access)
        await fail_to_log_in(access, email=f"nobody{number}@example.com")
    with pytest.raises(RateLimited):
        await log_in(access)
    await log_in(access, address="192.0.2.200")


async def test_all_addresses_of_an_ipv6_network_are_one(access: Access) -> None:
    for number in range(50):
        await log_in(access)
        await fail_to_log_in(access, email=f"nobody{number}@example.com", address=f"2001:db8:1:2::{number:x}")
    with pytest.raises(RateLimited):
        await log_in(access, address="2001:db8:1:2:ffff:ffff:ffff:ffff")
    await log_in(access, address="2001:db8:1:3::1")


async def test_an_ipv4_address_that_is_mapped_into_ipv6_is_the_ipv4_address(access: Access) -> None:
    for number in range(50):
        await log_in(access)
        await fail_to_log_in(access, email=f"nobody{number}@example.com", address="::ffff:192.0.2.1")
    with pytest.raises(RateLimited):
        await log_in(access, address="192.0.2.1")
    await log_in(access, address="::ffff:192.0.2.2")


async def test_failures_are_counted_by_account_however_its_address_is_spelled(access: Access) -> None:
    spellings = (
        "ada@b\u00fccher.example",
        "ada@xn--bcher-kva.example",
        "ada@bu\u0308cher.example",
        "ADA@B\u00dcCHER.example",
    )
    await access.register(email=spellings[1], password=PASSWORD, role=Role.CUSTOMER)
    for number in range(5):
        await fail_to_log_in(access, email=spellings[number % len(spellings)])
    for spelling in spellings:
        with pytest.raises(RateLimited):
            await log_in(access, spelling)


async def test_a_session_that_ended_by_a_slow_clock_is_over_everywhere(storage: Storage, clock: StandingClock) -> None:
    # A token of 10 s was issued by a clock that is 25 s ahead of the one that ended its session.
    access = an_access(storage, clock, lifetime_seconds=10)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER)
    signed_in = await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    await storage.sessions.revoke(caller.session_id, now=clock() - timedelta(seconds=25))
    clock.advance(3)
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)


async def test_a_password_is_the_same_however_a_keyboard_composes_it(access: Access, passwords: PlainHasher) -> None:
    composed, decomposed = "correct h\u00f4rse", "correct ho\u0302rse"
    registered = await access.register(email="grace@example.com", password=decomposed, role=Role.CUSTOMER)
    for password in (composed, decomposed):
        assert (await log_in(access, "grace@example.com", password)).user == registered.user
    caller = await access.authenticate((await log_in(access, "grace@example.com", composed)).access_token)
    await access.change_password(caller, current=decomposed, new=PASSWORD)
    assert passwords.verified[-1] == f"1:{composed}"


async def test_a_password_that_was_hashed_as_it_was_typed_is_good_and_hashed_anew(
    access: Access, storage: Storage
) -> None:
    typed = "correct ho\u0302rse"
    await commit(storage, Changes(users_new=[a_user(7, password_hash=f"1:{typed}")]))
    assert (await log_in(access, "user7@example.com", typed)).user.id == user_id(7)
    found = await storage.users.by_id(user_id(7))
    assert found is not None
    assert found.password_hash == "1:correct h\u00f4rse"


async def test_many_guesses_at_once_are_counted_one_after_the_other(access: Access) -> None:
    tries = [access.log_in(email=EMAIL, password=f"guess {number}", address=HERE) for number in range(20)]
    refusals = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(refusal) for refusal in refusals] == [InvalidCredentials] * 5 + [RateLimited] * 15


async def test_after_the_clock_was_set_back_revocations_are_read_anew(
    access: Access, storage: Storage, clock: StandingClock
) -> None:
    signed_in = await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    clock.advance(-3)
    await storage.sessions.revoke(caller.session_id, now=clock())
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)


async def test_no_request_waits_for_a_list_of_revocations_that_does_not_come(
    storage: Storage, clock: StandingClock
) -> None:
    sessions = SilentSessions()
    limits = AccessLimits(revocations_wait_seconds_max=0.05)
    access = replace(an_access(storage, clock), sessions=sessions, limits=limits)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER, name="Ada")
    signed_in = await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    sessions.are_silent = True
    async with asyncio.timeout(5):
        for _ in range(3):
            clock.advance(3)
            assert caller == await access.authenticate(signed_in.access_token)
    assert sessions.reads == 1  # It is read to its end, and by one reader.
    await sessions.revoke(caller.session_id, now=clock())
    sessions.go_on.set()
    await asyncio.sleep(0)
    clock.advance(3)
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)


async def test_a_token_of_an_unknown_role_is_not_valid(access: Access, clock: StandingClock) -> None:
    token = access.tokens.issue(subject="usr_1", role="janitor", token_id="ses_1.1", now=clock())
    with pytest.raises(TokenInvalid):
        await access.authenticate(token)


async def test_every_process_sees_the_failures(access: Access, storage: Storage, clock: StandingClock) -> None:
    await fail_to_log_in(access, 5)
    with pytest.raises(RateLimited):
        await log_in(an_access(storage, clock))


async def test_a_refresh_token_gives_a_new_pair(access: Access, clock: StandingClock) -> None:
    first = await log_in(access)
    clock.advance(1)
    second = await access.refresh(first.refresh_token)
    third = await access.refresh(second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert len({first.access_token, second.access_token, third.access_token}) == 3
    callers = [await access.authenticate(each.access_token) for each in (first, second, third)]
    assert callers[0] == callers[1] == callers[2]
    assert third.user == first.user
    assert third.expires_in_seconds == access.tokens.lifetime_seconds


async def test_using_an_old_refresh_token_ends_the_session(access: Access, clock: StandingClock) -> None:
    first = await log_in(access)
    second = await access.refresh(first.refresh_token)
    clock.advance(11)
    with pytest.raises(TokenRevoked):
        await access.refresh(first.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(second.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.authenticate(second.access_token)


async def test_using_a_refresh_token_two_steps_back_ends_the_session_at_once(access: Access) -> None:
    first = await log_in(access)
    second = await access.refresh(first.refresh_token)
    third = await access.refresh(second.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(first.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(third.refresh_token)


async def test_a_lost_answer_is_given_again_within_the_grace_time(access: Access, clock: StandingClock) -> None:
    first = await log_in(access)
    second = await access.refresh(first.refresh_token)
    clock.advance(10)
    again = await access.refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token
    await access.authenticate(again.access_token)
    await access.refresh(again.refresh_token)


async def test_concurrent_refreshes_get_the_same_successor(access: Access) -> None:
    first = await log_in(access)
    pairs = await asyncio.gather(*(access.refresh(first.refresh_token) for _ in range(8)))
    assert len({pair.refresh_token for pair in pairs}) == 1


async def test_another_session_lives_on(access: Access, clock: StandingClock) -> None:
    stolen, other = await log_in(access), await log_in(access)
    await access.refresh(stolen.refresh_token)
    clock.advance(11)
    with pytest.raises(TokenRevoked):
        await access.refresh(stolen.refresh_token)
    await access.authenticate(other.access_token)
    await access.refresh(other.refresh_token)


async def test_a_session_that_nobody_used_for_long_has_expired(access: Access, clock: StandingClock) -> None:
    signed_in = await log_in(access)
    clock.advance(access.limits.session_seconds)
    with pytest.raises(TokenExpired):
        await access.refresh(signed_in.refresh_token)


@pytest.mark.parametrize(
    "text",
    [
        "rt_",
        "rt",
        "rt_zz",
        "rt_" + "0" * 63,
        "rt_" + "0" * 66,
        "rt_" + "A" * 64,
        "xx_" + "0" * 64,
        "rt_" + "0" * 64,
        "rt_é",
        "x" * 256,
    ],
)
async def test_what_is_no_refresh_token_is_refused(access: Access, text: str) -> None:
    with pytest.raises(TokenInvalid):
        await access.refresh(text)


async def test_an_access_token_is_no_refresh_token_and_the_other_way_round(access: Access) -> None:
    signed_in = await log_in(access)
    with pytest.raises(InvalidInput):  # It is longer than any refresh token.
        await access.refresh(signed_in.access_token)
    with pytest.raises(TokenInvalid):
        await access.authenticate(signed_in.refresh_token)


async def test_an_access_token_expires(access: Access, clock: StandingClock) -> None:
    signed_in = await log_in(access)
    clock.advance(signed_in.expires_in_seconds - 1)
    await access.authenticate(signed_in.access_token)
    clock.advance(1)
    with pytest.raises(TokenExpired):
        await access.authenticate(signed_in.access_token)


async def test_logging_out_ends_the_session_at_once(access: Access) -> None:
    signed_in, other = await log_in(access), await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    await access.log_out(caller, signed_in.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(signed_in.refresh_token)
    await access.authenticate(other.access_token)


async def test_nobody_logs_another_user_out(access: Access) -> None:
    await access.register(email="eve@example.com", password=PASSWORD, role=Role.CUSTOMER)
    ada, eve = await log_in(access), await log_in(access, "eve@example.com")
    await access.log_out(await access.authenticate(eve.access_token), ada.refresh_token)
    await access.authenticate(ada.access_token)
    await access.refresh(ada.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.authenticate(eve.access_token)


async def test_every_process_notices_within_two_seconds(access: Access, storage: Storage, clock: StandingClock) -> None:
    elsewhere = an_access(storage, clock)
    signed_in = await log_in(access)
    await elsewhere.authenticate(signed_in.access_token)
    await access.log_out(await access.authenticate(signed_in.access_token), signed_in.refresh_token)
    clock.advance(2.001)
    with pytest.raises(TokenRevoked):
        await elsewhere.authenticate(signed_in.access_token)


async def test_a_revoked_token_stays_revoked_for_as_long_as_it_lives(access: Access, clock: StandingClock) -> None:
    signed_in = await log_in(access)
    await access.log_out(await access.authenticate(signed_in.access_token), signed_in.refresh_token)
    for _ in range(9):
        with pytest.raises(TokenRevoked):
            await access.authenticate(signed_in.access_token)
        clock.advance(99.9)
    assert signed_in.expires_in_seconds > 9 * 99.9


class SessionsThatGoAway(MemorySessions):
    """Counts how often it is asked who has been revoked, and answers unless it is away."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.away = False

    async def revoked_since(self, since: datetime) -> AbstractSet[SessionId]:
        self.reads += 1
        if self.away:
            raise StorageUnavailable
        return await super().revoked_since(since)


async def test_authenticating_touches_the_storage_at_most_every_two_seconds(
    storage: Storage, clock: StandingClock
) -> None:
    sessions = SessionsThatGoAway()
    access = an_access(replace(storage, sessions=sessions), clock)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER)
    signed_in = await log_in(access)
    for _ in range(100):
        await access.authenticate(signed_in.access_token)
    assert sessions.reads == 1
    clock.advance(2.001)
    await access.authenticate(signed_in.access_token)
    assert sessions.reads == 2


async def test_changing_the_password_ends_every_session(access: Access) -> None:
    first, second = await log_in(access), await log_in(access)
    await access.change_password(await access.authenticate(first.access_token), current=PASSWORD, new=OTHER_PASSWORD)
    for signed_in in (first, second):
        with pytest.raises(TokenRevoked):
            await access.authenticate(signed_in.access_token)
        with pytest.raises(TokenRevoked):
            await access.refresh(signed_in.refresh_token)
    with pytest.raises(InvalidCredentials):
        await log_in(access)
    await access.authenticate((await log_in(access, password=OTHER_PASSWORD)).access_token)


async def test_the_password_is_changed_only_by_who_knows_it(access: Access, clock: StandingClock) -> None:
    signed_in = await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await access.change_password(caller, current="wrong password", new=OTHER_PASSWORD)
    with pytest.raises(RateLimited):
        await access.change_password(caller, current=PASSWORD, new=OTHER_PASSWORD)
    clock.advance(1)
    await access.authenticate(signed_in.access_token)
    await access.change_password(caller, current=PASSWORD, new=OTHER_PASSWORD)


async def test_of_two_who_change_the_password_at_once_one_wins(access: Access) -> None:
    caller = await access.authenticate((await log_in(access)).access_token)
    new = [f"{OTHER_PASSWORD} {n}" for n in range(2)]
    outcomes = await asyncio.gather(
        *(access.change_password(caller, current=PASSWORD, new=each) for each in new), return_exceptions=True
    )
    [winner] = [n for n, outcome in enumerate(outcomes) if outcome is None]
    assert isinstance(outcomes[1 - winner], InvalidCredentials)
    await log_in(access, password=new[winner])


async def test_a_user_who_does_not_exist_is_not_found(access: Access) -> None:
    caller = await access.authenticate((await log_in(access)).access_token)
    with pytest.raises(UserNotFound):
        await access.user(user_id(99))
    with pytest.raises(UserNotFound):
        await access.change_password(replace(caller, user_id=user_id(99)), current=PASSWORD, new=OTHER_PASSWORD)


async def test_tokens_are_good_while_the_storage_is_away(storage: Storage, clock: StandingClock) -> None:
    sessions = SessionsThatGoAway()
    access = an_access(replace(storage, sessions=sessions), clock)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER)
    signed_in = await log_in(access)
    sessions.away = True
    clock.advance(60)
    await access.authenticate(signed_in.access_token)
    assert sessions.reads == 1


async def test_secrets_are_not_shown_by_accident(access: Access) -> None:
    signed_in = await log_in(access)
    assert signed_in.access_token not in repr(signed_in)
    assert signed_in.refresh_token not in repr(signed_in)


async def test_the_limits_are_settings(storage: Storage, clock: StandingClock) -> None:
    access = an_access(storage, clock, limits=AccessLimits(free_tries=1, backoff_seconds_max=3, session_seconds=60))
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER)
    signed_in = await log_in(access)
    await fail_to_log_in(access)
    with pytest.raises(RateLimited):
        await log_in(access)
    clock.advance(60)
    with pytest.raises(TokenExpired):
        await access.refresh(signed_in.refresh_token)
