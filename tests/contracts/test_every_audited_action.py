"""Each kind of action has its record, with actor, subject and reason, in the transaction of its change."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, closing
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import pyotp
import pytest

import gateway
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.sql import SqlLimits, migrate, open_sql_storage
from gateway.adapters.sql.tables import metadata
from gateway.application.access.access import Access
from gateway.application.access.caller import Caller
from gateway.application.audit_ids import audit_ids
from gateway.application.audit_queries import AuditQueries
from gateway.application.engine.command import Command
from gateway.application.errors import InvalidCredentials, SecondFactorInvalid, TokenRevoked
from gateway.application.ports.audit_log import AuditFilter
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.quotes import Quotes
from gateway.application.recovery import Recovery
from gateway.application.second_factors import SecondFactorEnrolment
from gateway.contracts.records import EUR, USD, user_id
from gateway.domain.audit import ANYBODY, THE_LOG, UNKNOWN, Actor, ActorKind, AuditAction, AuditRecord, Origin, actor_of
from gateway.domain.rate import CurrencyPair, rate_of
from gateway.domain.user import Role, UserId
from support.access import HERE, OTHER_PASSWORD, PASSWORD, an_access, log_in
from support.builders import StandingClock
from support.commit_cuts import CommitCuts, Cut
from support.hostile import Shop, a_shop

SOMEBODY: Final = Origin(
    actor=Actor(kind=ActorKind.OPERATOR, id=user_id(77)), address="192.0.2.77", request_id="req_77"
)
REASON: Final = "they asked for it"
TOLD_OF_NO_CHANGE: Final = {AuditAction.SESSION_REFUSED, AuditAction.AUDIT_EXPORTED}
"""Actions that change nothing but the log."""
NOT_OF_THE_CHANGE: Final = {"login_failures", "answers", "latest_at", "ids_ahead", "transaction"}
"""What is written beside a change, as records are: counters of attempts, answers under keys, clocks, locks."""
ID: Final = "id"
State = Callable[[], Awaitable[object]]
"""Reads all that changes change."""


def is_of_changes(name: str) -> bool:
    return name not in NOT_OF_THE_CHANGE and not name.startswith("audit")


TABLES: Final = sorted(table.name for table in metadata.sorted_tables if is_of_changes(table.name))


@dataclass(slots=True)
class Place:
    """A ledger, and the people who act on it."""

    shop: Shop
    storage: Storage
    access: Access
    clock: StandingClock
    cuts: CommitCuts
    state: State
    people: dict[str, UserId] = field(default_factory=dict[str, UserId])
    secrets: dict[str, Any] = field(default_factory=dict[str, Any])

    async def records(self, action: AuditAction) -> list[AuditRecord]:
        """All of a kind, the newest first."""
        return list(await self.storage.audit_log.records(AuditFilter(action=action), before=None, limit=100))


Act = Callable[[Place], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ByCommand:
    """An action that a command does.

    Attributes:
        kind: Of the command: the shop has a valid one.
        subject: The field of the command that names the object; `ID` if its result is the object.
        of: The person to whom it is done, unless it is the command's own.
        changed: Other values for fields of the command.
    """

    kind: type[Command[Any]]
    subject: str = ID
    of: str | None = None
    changed: dict[str, Any] = field(default_factory=dict[str, Any])

    def command(self, place: Place) -> Any:
        """The command; with a reason, if it takes one."""
        command: Any = place.shop.commands[self.kind]
        changed = dict(self.changed)
        if hasattr(command, "reason") and self.kind is not gateway.DisableWebhookEndpoint:
            changed["reason"] = REASON
        if self.of is not None:
            changed["user_id"] = place.people[self.of]
        return replace(command, **changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByAccess:
    """An action that no command does, so that there is no key to repeat it under.

    Attributes:
        act: Does it.
        origin: Who is recorded.
        subject: The object that is recorded.
        reason: That is recorded.
        prepare: What comes first, and is not cut.
        again: What a repetition answers after the answer was lost: an error, or `None` if it is done once more.
        more: How many records there are then, beyond one.
    """

    act: Act
    origin: Callable[[Place], Origin]
    subject: Callable[[Place], str]
    reason: str | None = None
    prepare: Act | None = None
    again: type[Exception] | None = None
    more: int = 0


def by(name: str) -> Callable[[Place], Origin]:
    """A person, from where people log in."""
    return lambda place: Origin(actor=actor_of(place.people[name], Role.CUSTOMER), address=HERE)


def person(name: str) -> Callable[[Place], str]:
    return lambda place: place.people[name]


def email(name: str) -> str:
    return f"{name}-of-the-table@example.com"


def credentials(name: str, **more: str) -> dict[str, Any]:
    return {"email": email(name), "password": PASSWORD, "address": HERE, **more}


async def enrolled(place: Place) -> None:
    """A second factor that waits for its first code."""
    place.secrets["totp"] = (await SecondFactorEnrolment(place.access).enrol(**credentials("cautious"))).secret


async def confirmed(place: Place) -> None:
    """A second factor, and its recovery codes."""
    await enrolled(place)
    place.secrets["recovery"] = await SecondFactorEnrolment(place.access).confirm(
        **credentials("cautious", code=code(place))
    )


async def later(place: Place) -> None:
    """A code is used once: the next one is of another time."""
    if "recovery" not in place.secrets:
        await SecondFactorEnrolment(place.access).disable(**credentials("cautious", code=await fresh_code(place)))
        await confirmed(place)
    place.clock.advance(60)


async def fresh_code(place: Place) -> str:
    place.clock.advance(60)
    return code(place)


def code(place: Place) -> str:
    return pyotp.TOTP(place.secrets["totp"]).at(place.clock())


async def wrong_password(place: Place) -> None:
    """Somebody who is not let in, for the first time: further failures are recorded as they double."""
    number = place.secrets["strangers"] = place.secrets.get("strangers", 0) + 1
    with pytest.raises(InvalidCredentials):
        await log_in(place.access, f"nobody-{number}@example.com", "wrong password")


async def change_password(place: Place) -> None:
    caller = Caller(user_id=place.people["changer"], role=Role.CUSTOMER)
    await place.access.change_password(caller, current=PASSWORD, new=OTHER_PASSWORD, origin=SOMEBODY)


async def set_rate(place: Place) -> None:
    quotes = Quotes(executor=place.access.executor, rates=place.storage.rates, clock=place.clock)
    pair = CurrencyPair(EUR, USD)
    await quotes.set_rate(pair, rate_of("1.25"), spread_basis_points=1, reason=REASON, origin=SOMEBODY)


async def export(place: Place) -> None:
    audit = AuditQueries(place.storage.audit_log, place.access.executor, place.clock, audit_ids(place.storage))
    await audit.begin_export(gateway.TRUSTED, origin=SOMEBODY)


def factors(place: Place) -> SecondFactorEnrolment:
    return SecondFactorEnrolment(place.access)


def recovery(place: Place) -> Recovery:
    return Recovery(place.access, place.storage.customers)


def somebody(_: Place) -> Origin:
    return SOMEBODY


# The order is that of a life: what a later action needs, an earlier one leaves.
TABLE: Final[dict[AuditAction, ByCommand | ByAccess]] = {
    AuditAction.OPERATOR_CREATED: ByCommand(
        kind=gateway.Register, subject="user_id", changed={"role": Role.OPERATOR, "name": None}
    ),
    AuditAction.SESSION_STARTED: ByAccess(
        act=lambda place: log_in(place.access, email("visitor")),
        origin=by("visitor"),
        subject=person("visitor"),
        more=1,
    ),
    AuditAction.SESSION_REFUSED: ByAccess(
        act=wrong_password,
        origin=lambda _: Origin(actor=ANYBODY, address=HERE),
        subject=lambda _: UNKNOWN,
        more=1,
    ),
    AuditAction.PASSWORD_CHANGED: ByAccess(
        act=change_password, origin=somebody, subject=person("changer"), again=InvalidCredentials
    ),
    AuditAction.PASSWORD_RESET: ByAccess(
        act=lambda place: recovery(place).reset_password(place.people["changer"], reason=REASON, origin=SOMEBODY),
        origin=somebody,
        subject=person("changer"),
        reason=REASON,
        more=1,
    ),
    AuditAction.EMAIL_CHANGED: ByAccess(
        act=lambda place: recovery(place).change_email(
            place.people["changer"], email=email("heir"), reason=REASON, origin=SOMEBODY
        ),
        origin=somebody,
        subject=person("changer"),
        reason=REASON,
    ),
    AuditAction.SECOND_FACTOR_ENABLED: ByAccess(
        prepare=enrolled,
        act=lambda place: factors(place).confirm(**credentials("cautious", code=code(place))),
        origin=by("cautious"),
        subject=person("cautious"),
        again=SecondFactorInvalid,
    ),
    AuditAction.RECOVERY_CODE_USED: ByAccess(
        prepare=later,
        act=lambda place: place.access.log_in(**credentials("cautious", code=place.secrets["recovery"][0])),
        origin=by("cautious"),
        subject=person("cautious"),
        again=SecondFactorInvalid,
    ),
    AuditAction.SECOND_FACTOR_DISABLED: ByAccess(
        prepare=later,
        act=lambda place: factors(place).disable(**credentials("cautious", code=code(place))),
        origin=by("cautious"),
        subject=person("cautious"),
        again=SecondFactorInvalid,
    ),
    AuditAction.SECOND_FACTOR_RESET: ByAccess(
        prepare=enrolled,
        act=lambda place: factors(place).reset(place.people["cautious"], reason=REASON, origin=SOMEBODY),
        origin=somebody,
        subject=person("cautious"),
        reason=REASON,
    ),
    AuditAction.RATE_CHANGED: ByAccess(
        act=set_rate, origin=somebody, subject=lambda _: "EUR/USD", reason=REASON, more=1
    ),
    AuditAction.AUDIT_EXPORTED: ByAccess(act=export, origin=somebody, subject=lambda _: THE_LOG, more=1),
    AuditAction.DEPOSIT_MADE: ByCommand(kind=gateway.MakeDeposit, changed={"owner_id": None}),
    AuditAction.TRANSACTION_REVERSED: ByCommand(kind=gateway.ReverseTransaction, subject="transaction_id"),
    AuditAction.PAYMENT_APPROVED: ByCommand(kind=gateway.ApprovePayment, subject="payment_id"),
    AuditAction.PAYMENT_DECLINED: ByCommand(kind=gateway.DeclinePayment, subject="payment_id"),
    AuditAction.FEES_CHANGED: ByCommand(kind=gateway.SetFees, subject=ID),
    AuditAction.ACCOUNT_FROZEN: ByCommand(kind=gateway.FreezeAccount, subject="account_id"),
    AuditAction.ACCOUNT_UNFROZEN: ByCommand(kind=gateway.UnfreezeAccount, subject="account_id"),
    AuditAction.ENDPOINT_CREATED: ByCommand(kind=gateway.CreateWebhookEndpoint),
    AuditAction.ENDPOINT_CHANGED: ByCommand(kind=gateway.ChangeWebhookEndpoint, subject="endpoint_id"),
    AuditAction.ENDPOINT_DELETED: ByCommand(kind=gateway.DeleteWebhookEndpoint, subject="endpoint_id"),
    AuditAction.ENDPOINT_DISABLED: ByCommand(kind=gateway.DisableWebhookEndpoint, subject="endpoint_id"),
    AuditAction.ENDPOINT_SECRET_ROTATED: ByCommand(kind=gateway.RotateWebhookSecret, subject="endpoint_id"),
    AuditAction.API_KEY_CREATED: ByCommand(kind=gateway.CreateApiKey),
    AuditAction.API_KEY_ROTATED: ByCommand(kind=gateway.RotateApiKey, subject="key_id"),
    AuditAction.API_KEY_REVOKED: ByCommand(kind=gateway.RevokeApiKey, subject="key_id"),
    AuditAction.CUSTOMER_CHANGED: ByCommand(kind=gateway.ChangeCustomer, subject="customer_id"),
    AuditAction.CUSTOMER_INVITED: ByCommand(kind=gateway.InviteCustomer, subject="customer_id"),
    AuditAction.CUSTOMER_JOINED: ByCommand(kind=gateway.AcceptCustomerInvitation, subject="customer_id"),
    AuditAction.MEMBER_INVITED: ByCommand(kind=gateway.InviteMember),
    AuditAction.MEMBER_JOINED: ByCommand(kind=gateway.AcceptInvitation),
    AuditAction.MEMBER_CHANGED: ByCommand(kind=gateway.ChangeMember, subject="member_id"),
    AuditAction.MEMBER_REMOVED: ByCommand(kind=gateway.RemoveMember, subject="member_id"),
    AuditAction.ACCOUNT_CLOSED: ByCommand(kind=gateway.CloseAccount, subject="account_id"),
    AuditAction.SESSIONS_ENDED: ByCommand(kind=gateway.EndSessions, subject="user_id", of="visitor"),
    AuditAction.USER_DISABLED: ByCommand(kind=gateway.DisableUser, subject="user_id"),
    AuditAction.USER_ENABLED: ByCommand(kind=gateway.EnableUser, subject="user_id"),
}


def test_the_table_has_every_kind_of_action() -> None:
    assert set(TABLE) == set(AuditAction)
    assert len(TABLE) >= 25


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind; none for memory."""
    if request.param == "postgres":
        postgres: str = request.getfixturevalue("postgres_url")
        return postgres
    return f"sqlite:///{tmp_path}/ledger.db" if request.param == "sqlite" else ""


@pytest.fixture
async def place(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """A ledger on each kind of storage: one for all actions."""
    if not url:
        database = MemoryDatabase()
        yield await opened_place(memory_storage(database), CommitCuts(at_commit=False), in_memory(database))
        return
    cuts = CommitCuts()
    cuts.patched(monkeypatch)
    async with AsyncExitStack() as stack:
        if url.startswith("sqlite"):
            await migrate(url)
            file = stack.enter_context(closing(sqlite3.connect(url.removeprefix("sqlite:///"))))
            state = in_file(file)
        else:
            reader = await asyncpg.connect(url)
            stack.push_async_callback(reader.close)
            state = on_server(reader)
        # Postgres locks what it loads: then every commit is a COMMIT of its own, which can be cut.
        storage = await stack.enter_async_context(open_sql_storage(url, SqlLimits(optimistic=False)))
        yield await opened_place(storage, cuts, state)


def in_memory(database: MemoryDatabase) -> State:
    """What dictionaries hold."""
    names = [each.name for each in fields(MemoryDatabase) if is_of_changes(each.name)]

    async def state() -> object:
        return {name: deepcopy(getattr(database, name)) for name in names}

    return state


def in_file(file: sqlite3.Connection) -> State:
    """What the tables of a file hold."""

    async def state() -> object:
        return {name: sorted(map(repr, file.execute(f"SELECT * FROM {name}"))) for name in TABLES}  # noqa: S608 - of ours.

    return state


def on_server(reader: asyncpg.Connection) -> State:
    """What the tables on a server hold, added up there."""
    total = "md5(string_agg(t::text, '' ORDER BY t::text))"
    sums = ", ".join(f"(SELECT {total} FROM {name} t) {name}" for name in TABLES)  # noqa: S608 - as above.

    async def state() -> object:
        return dict(await reader.fetchrow(f"SELECT {sums}"))

    return state


async def opened_place(storage: Storage, cuts: CommitCuts, state: State) -> Place:
    cut = cuts.over(storage)
    clock = StandingClock()
    place = Place(await a_shop(cut), cut, an_access(cut, clock), clock, cuts, state)
    for name in ("visitor", "changer", "cautious"):
        made = await place.access.register(email=email(name), password=PASSWORD, role=Role.CUSTOMER)
        place.people[name] = made.user.id
    return place


async def test_each_action_is_recorded_once_with_its_actor_subject_and_reason(place: Place) -> None:
    for action, row in TABLE.items():
        before = await place.records(action)
        if isinstance(row, ByAccess):
            if row.prepare is not None:
                await row.prepare(place)
                before = await place.records(action)
            state = await place.state()
            await row.act(place)
            subject, origin, reason = row.subject(place), row.origin(place), row.reason
        else:
            command = row.command(place)
            state = await place.state()
            result = await place.shop.executor.execute(command, origin=SOMEBODY)
            subject, origin, reason = subject_of(row, command, result), SOMEBODY, reason_of(command)
        [record] = [each for each in await place.records(action) if each not in before]
        assert (record.origin, record.note.object_id, record.note.reason) == (origin, subject, reason), action
        assert (await place.state() != state) == (action not in TOLD_OF_NO_CHANGE), action


async def test_a_commit_that_is_cut_leaves_the_change_and_its_record_or_neither(place: Place) -> None:
    for number, (action, row) in enumerate(TABLE.items()):
        act = await an_act(place, row, f"key-{number}")
        before, state, made = await place.records(action), await place.state(), place.cuts.made
        await is_cut(place, Cut.BEFORE, act)
        assert place.cuts.made == made + 1, action
        assert await place.records(action) == before, action
        assert await place.state() == state, action
        await is_cut(place, Cut.AFTER, act)
        assert place.cuts.made == made + 2, action
        recorded = await place.records(action)
        assert len([each for each in recorded if each not in before]) == 1, action
        changed = await place.state()
        assert (changed != state) == (action not in TOLD_OF_NO_CHANGE), action
        await is_repeated(place, action, row, act)
        more = row.more if isinstance(row, ByAccess) else 0
        assert len(await place.records(action)) == len(recorded) + more, action
        if isinstance(row, ByCommand):
            assert await place.state() == changed, action


async def test_a_password_that_was_changed_has_ended_the_sessions_though_the_answer_was_lost(place: Place) -> None:
    signed_in = await log_in(place.access, email("changer"))
    await is_cut(place, Cut.BEFORE, lambda: change_password(place))
    signed_in = await place.access.refresh(signed_in.refresh_token)
    await is_cut(place, Cut.AFTER, lambda: change_password(place))
    with pytest.raises(TokenRevoked):
        await place.access.refresh(signed_in.refresh_token)


async def an_act(place: Place, row: ByCommand | ByAccess, key: str) -> Callable[[], Awaitable[Any]]:
    """What does an action, each time under the same key if it is a command."""
    if isinstance(row, ByCommand):
        command = row.command(place)
        return lambda: place.shop.executor.execute(command, idempotency_key=key, origin=SOMEBODY)
    if row.prepare is not None:
        await row.prepare(place)
    return lambda: row.act(place)


async def is_cut(place: Place, cut: Cut, act: Callable[[], Awaitable[Any]]) -> None:
    """The action fails, and its caller does not learn whether it was done."""
    place.cuts.next = cut
    place.clock.advance(3600)
    with pytest.raises(StorageUnavailable, match="cut"):
        await act()


async def is_repeated(
    place: Place, action: AuditAction, row: ByCommand | ByAccess, act: Callable[[], Awaitable[Any]]
) -> None:
    """Repeated under its key, a command has its answer, and has it again; other actions have that of the table."""
    place.clock.advance(3600)
    if isinstance(row, ByCommand):
        assert await act() == await act(), action
    elif row.again is not None:
        with pytest.raises(row.again):
            await act()
    else:
        await act()


def reason_of(command: Command[Any]) -> str | None:
    """What the command gives; the reason of an endpoint that is disabled is no text of a person's."""
    reason = getattr(command, "reason", None)
    return REASON if reason == REASON else None


def subject_of(row: ByCommand, command: Command[Any], result: Any) -> str:
    return str(result.id if row.subject == ID else getattr(command, row.subject))
