"""Commands on members of a merchant, on every storage."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway import (
    AcceptInvitation,
    ChangeMember,
    DisableUser,
    InviteMember,
    Member,
    MemberId,
    MemberRole,
    Members,
    MemberStatus,
    Refusal,
    RemoveMember,
    Role,
    UserId,
)
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.members import hash_of_token
from gateway.application.ports.audit_log import AuditFilter
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.records import a_member, commit, member_id, user_id
from gateway.domain.audit import Actor, ActorKind, Origin
from gateway.domain.member import first_owner_id
from gateway.domain.member_errors import NotAMember
from gateway.refusals import EmailTaken, InvitationNotFound, LastOwner, MemberNotFound, RoleForbidden, UserDisabled
from support.access import OTHER_PASSWORD, PASSWORD, an_access, log_in
from support.builders import StandingClock, a_batch, register

MERCHANT, OTHER_MERCHANT, CUSTOMER, OPERATOR = user_id(2), user_id(3), user_id(1), user_id(4)
INVITE = InviteMember(
    merchant_id=MERCHANT,
    email="user1@example.com",
    role=MemberRole.SUPPORT,
    token_hash=b"1" * 32,
    actor_id=MERCHANT,
)
ACCEPT = AcceptInvitation(merchant_id=MERCHANT, email="user1@example.com", token_hash=b"1" * 32, user_id=CUSTOMER)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def executor(storage: Storage, clock: StandingClock) -> CommandExecutor:
    batch = a_batch(storage, clock)
    executor = CommandExecutor(OneByOne(retrying(batch.run, RetryLimits(attempts_max=50))), batch.identifiers)
    for number, role in ((1, Role.CUSTOMER), (2, Role.MERCHANT), (3, Role.MERCHANT), (4, Role.OPERATOR)):
        await executor.execute(register(number, role))
    return executor


async def code_of(executor: CommandExecutor, command: Any) -> str:
    with pytest.raises(Refusal) as refused:
        await executor.execute(command)
    return refused.value.code


async def events_of(storage: Storage, member: Member) -> list[tuple[str, int, Any]]:
    found = [each for each in await storage.events.read(after=0, limit=1_000) if each.object_id == member.id]
    return [(each.type.value, each.sequence, json.loads(each.data)) for each in found]


async def joined(executor: CommandExecutor, number: int, role: MemberRole) -> Member:
    """A new user who is a member."""
    token_hash = number.to_bytes(32, "big")
    email = f"member{number}@example.com"
    await executor.execute(replace(INVITE, email=email, role=role, token_hash=token_hash))
    accept = replace(
        ACCEPT, email=email, token_hash=token_hash, user_id=user_id(number), password_hash="$argon2id$", name="Grace"
    )
    return await executor.execute(accept)


async def test_a_member_is_told_of_from_the_invitation_to_the_end(
    storage: Storage, executor: CommandExecutor, clock: StandingClock
) -> None:
    invited = await executor.execute(INVITE)
    assert (invited.status, invited.user_id, invited.expires_at) == (
        MemberStatus.INVITED,
        None,
        clock() + timedelta(days=7),
    )
    clock.advance(1)
    active = await executor.execute(ACCEPT)
    assert (active.status, active.user_id, active.token_hash) == (MemberStatus.ACTIVE, CUSTOMER, None)
    change = ChangeMember(merchant_id=MERCHANT, member_id=active.id, role=MemberRole.ADMIN, reason="A new task")
    changed = await executor.execute(change)
    assert await executor.execute(change) == changed
    removed = await executor.execute(RemoveMember(merchant_id=MERCHANT, member_id=active.id, actor_id=MERCHANT))
    assert removed.removed_at == clock()
    assert await storage.members.member(active.id) is None
    told = await events_of(storage, invited)
    assert [each[:2] for each in told] == [
        ("member.added", 1),
        ("member.changed", 2),
        ("member.changed", 3),
        ("member.removed", 4),
    ]
    assert [each[2]["status"] for each in told] == ["invited", "active", "active", "removed"]
    assert "token" not in json.dumps([each[2] for each in told])
    found = await storage.audit_log.records(AuditFilter(object_id=invited.id), before=None, limit=10)
    records = {each.note.action.value: each for each in found}
    assert records.keys() == {"member.invited", "member.joined", "member.changed", "member.removed"}
    note = records["member.changed"].note
    assert (note.reason, note.before["role"], note.after["role"]) == ("A new task", "support", "admin")
    assert "example.com" not in repr(records)


async def test_a_caller_who_may_not_manage_members_is_refused(executor: CommandExecutor) -> None:
    members = {role: await joined(executor, number, role) for number, role in enumerate(MemberRole, start=11)}
    target = {role: await joined(executor, number, role) for number, role in enumerate(MemberRole, start=21)}
    nobody = [await joined(executor, 31, MemberRole.VIEWER)]
    await executor.execute(RemoveMember(merchant_id=MERCHANT, member_id=nobody[0].id))
    actors: dict[str, UserId | None] = {role.value: member.user_id for role, member in members.items()}
    actors["removed"] = nobody[0].user_id
    actors["other merchant"] = OTHER_MERCHANT
    may: set[tuple[str, str]] = set()
    for name, actor_id in actors.items():
        for role in MemberRole:
            commands = [
                replace(INVITE, email="new@example.com", role=role, actor_id=actor_id, token_hash=b"9" * 32),
                ChangeMember(merchant_id=MERCHANT, member_id=target[role].id, role=role, actor_id=actor_id),
                ChangeMember(
                    merchant_id=MERCHANT, member_id=target[MemberRole.VIEWER].id, role=role, actor_id=actor_id
                ),
            ]
            answers: set[str] = set()
            for command in commands:
                try:
                    made = await executor.execute(command)
                except RoleForbidden:
                    answers.add("role_forbidden")
                else:
                    answers.add("")
                    if made.email == "new@example.com":
                        await executor.execute(RemoveMember(merchant_id=MERCHANT, member_id=made.id))
            await executor.execute(
                ChangeMember(merchant_id=MERCHANT, member_id=target[MemberRole.VIEWER].id, role=MemberRole.VIEWER)
            )
            assert len(answers) == 1, (name, role, answers)
            if answers == {""}:
                may.add((name, role.value))
    assert may == {
        *(("owner", role.value) for role in MemberRole),
        *(("admin", role.value) for role in MemberRole if role is not MemberRole.OWNER),
    }


async def test_there_is_always_an_owner(executor: CommandExecutor) -> None:
    first = first_owner_id(MERCHANT)
    owner = await joined(executor, 11, MemberRole.OWNER)
    for actor_id in (MERCHANT, owner.user_id, None):
        change = ChangeMember(merchant_id=MERCHANT, member_id=first, role=MemberRole.VIEWER, actor_id=actor_id)
        remove = RemoveMember(merchant_id=MERCHANT, member_id=first, actor_id=actor_id)
        assert await code_of(executor, change) == await code_of(executor, remove) == "last_owner"
    # Any other owner may be demoted.
    demoted = await executor.execute(
        ChangeMember(merchant_id=MERCHANT, member_id=owner.id, role=MemberRole.VIEWER, actor_id=owner.user_id)
    )
    assert demoted.role is MemberRole.VIEWER


async def test_members_of_every_role_may_leave(executor: CommandExecutor) -> None:
    for number, role in enumerate(MemberRole, start=11):
        member = await joined(executor, number, role)
        await executor.execute(RemoveMember(merchant_id=MERCHANT, member_id=member.id, actor_id=member.user_id))


async def test_an_invitation_does_not_tell_whether_there_is_a_user(executor: CommandExecutor) -> None:
    known = await executor.execute(INVITE)
    unknown = await executor.execute(replace(INVITE, email="nobody@example.com", token_hash=b"2" * 32))
    same = replace(unknown, id=known.id, email=known.email, token_hash=known.token_hash)
    assert known == same


async def test_an_invitation_is_accepted_once_in_time_and_with_its_address(
    executor: CommandExecutor, clock: StandingClock
) -> None:
    await executor.execute(INVITE)
    wrong = [
        replace(ACCEPT, token_hash=b"2" * 32),
        replace(ACCEPT, email="other@example.com"),
        replace(ACCEPT, merchant_id=OTHER_MERCHANT),
        replace(ACCEPT, user_id=OTHER_MERCHANT),
    ]
    for command in wrong:
        assert await code_of(executor, command) == "invitation_not_found"
    assert await code_of(executor, replace(ACCEPT, user_id=user_id(99))) == "user_not_found"
    assert await code_of(executor, replace(ACCEPT, user_id=user_id(9), password_hash="$argon2id$")) == "email_taken"
    clock.advance(7 * 86_400)
    assert await code_of(executor, ACCEPT) == "invitation_not_found"
    clock.advance(-1)
    await executor.execute(ACCEPT)
    assert await code_of(executor, ACCEPT) == "invitation_not_found"
    await executor.execute(replace(INVITE, email="user4@example.com", token_hash=b"3" * 32))
    accept = replace(ACCEPT, email="user4@example.com", token_hash=b"3" * 32, user_id=OPERATOR)
    assert await code_of(executor, accept) == "role_forbidden"


async def test_who_is_invited_twice_or_by_nobody_is_refused(executor: CommandExecutor) -> None:
    await executor.execute(INVITE)
    for command, code in (
        (INVITE, "member_exists"),
        (replace(INVITE, email="user2@example.com"), "member_exists"),
        (replace(INVITE, merchant_id=user_id(99), actor_id=None), "user_not_found"),
        (replace(INVITE, merchant_id=CUSTOMER, actor_id=None), "merchant_not_found"),
    ):
        assert await code_of(executor, replace(command, token_hash=b"2" * 32)) == code
    other = replace(INVITE, merchant_id=OTHER_MERCHANT, actor_id=OTHER_MERCHANT, token_hash=b"2" * 32)
    assert (await executor.execute(other)).email == INVITE.email
    member = await executor.execute(replace(INVITE, email="grace@example.com", token_hash=b"3" * 32))
    for wrong in (
        ChangeMember(merchant_id=OTHER_MERCHANT, member_id=member.id, role=MemberRole.VIEWER),
        RemoveMember(merchant_id=OTHER_MERCHANT, member_id=member.id),
        RemoveMember(merchant_id=MERCHANT, member_id=member_id(99)),
    ):
        assert await code_of(executor, wrong) == "member_not_found"


async def test_a_merchant_has_a_hundred_members_with_those_removed_lately(
    storage: Storage, executor: CommandExecutor, clock: StandingClock
) -> None:
    full = [a_member(number) for number in range(1, 100)]
    await commit(storage, Changes(members_new=full))
    invitations = [
        replace(INVITE, email=f"new{number}@example.com", token_hash=number.to_bytes(32, "big")) for number in (1, 2, 3)
    ]
    answers = await asyncio.gather(*map(executor.execute, invitations), return_exceptions=True)
    assert [answer.code for answer in answers if isinstance(answer, Refusal)] == ["member_limit_reached"] * 2
    for number in (1, 2):
        await executor.execute(RemoveMember(merchant_id=MERCHANT, member_id=member_id(number)))
        clock.advance(1)
    last = replace(INVITE, email="last@example.com", token_hash=b"9" * 32)
    clock.advance(86_400 - 2)
    assert await code_of(executor, last) == "member_limit_reached"
    clock.advance(0.000_001)
    await executor.execute(last)
    assert member_id(1) not in await storage.members.changed_since(clock() - timedelta(days=9))
    assert member_id(2) in await storage.members.changed_since(clock() - timedelta(days=9))


async def test_every_process_refuses_a_removed_member_within_two_seconds(
    storage: Storage, clock: StandingClock
) -> None:
    here, elsewhere = an_access(storage, clock), an_access(storage, clock)
    members = Members(here, storage.members)
    merchant = (await here.register(email="shop@example.com", password=PASSWORD, role=Role.MERCHANT)).user.id
    made = await members.invite(merchant_id=merchant, email="grace@example.com", role=MemberRole.ADMIN)
    assert made.member.token_hash == hash_of_token(made.token)
    member = await members.accept_as_new_user(made.token, password=PASSWORD, name="Grace")
    signed_in = await log_in(here, "grace@example.com")
    callers = [await each.authenticate(signed_in.access_token) for each in (here, elsewhere)]
    for access, caller in zip((here, elsewhere), callers, strict=True):
        acting = await access.act_for(caller, merchant)
        assert (acting.user_id, acting.role, acting.actor_id) == (merchant, Role.MERCHANT, member.user_id)
        assert acting.session_id == caller.session_id
    await members.change(member.id, merchant_id=merchant, role=MemberRole.VIEWER)
    assert (await here.act_for(callers[0], merchant)).member.role is MemberRole.VIEWER  # type: ignore[union-attr]
    clock.advance(2.001)
    assert (await elsewhere.act_for(callers[1], merchant)).member.role is MemberRole.VIEWER  # type: ignore[union-attr]
    await members.remove(member.id, merchant_id=merchant)
    with pytest.raises(NotAMember):
        await here.act_for(callers[0], merchant)
    clock.advance(2.001)
    with pytest.raises(NotAMember):
        await elsewhere.act_for(callers[1], merchant)


async def test_nobody_acts_for_a_merchant_who_was_disabled(storage: Storage, clock: StandingClock) -> None:
    here, elsewhere = an_access(storage, clock), an_access(storage, clock)
    members = Members(here, storage.members)
    merchant = (await here.register(email="shop@example.com", password=PASSWORD, role=Role.MERCHANT)).user.id
    user = (await here.register(email="grace@example.com", password=PASSWORD, role=Role.CUSTOMER)).user
    made = await members.invite(merchant_id=merchant, email="Grace@Example.com", role=MemberRole.VIEWER)
    caller = await here.authenticate((await log_in(here, user.email)).access_token)
    await members.accept(caller, made.token)
    await elsewhere.act_for(caller, merchant)
    await here.executor.execute(DisableUser(user_id=merchant, reason="Fraud"))
    clock.advance(2.001)
    for access in (elsewhere, an_access(storage, clock)):
        with pytest.raises(UserDisabled):
            await access.act_for(caller, merchant)


async def test_what_is_asked_of_members_is_the_merchants_own(storage: Storage, clock: StandingClock) -> None:
    access = an_access(storage, clock)
    members = Members(access, storage.members)
    shop = (await access.register(email="shop@example.com", password=PASSWORD, role=Role.MERCHANT)).user
    other = (await access.register(email="other@example.com", password=PASSWORD, role=Role.MERCHANT)).user
    tokens = [
        (await members.invite(merchant_id=merchant, email="grace@example.com", role=MemberRole.VIEWER)).token
        for merchant in (shop.id, other.id)
    ]
    first = await members.accept_as_new_user(tokens[0], password=PASSWORD)
    caller = await access.authenticate((await log_in(access, "grace@example.com")).access_token)
    second = await members.accept(caller, tokens[1])
    page = await members.members(shop.id, before=None, limit=1)
    assert [each.id for each in page.items] == [first.id]
    rest = await members.members(shop.id, before=MemberId(str(page.next_before)), limit=1)
    assert [(each.id, each.role, each.user_id) for each in rest.items] == [
        (first_owner_id(shop.id), MemberRole.OWNER, shop.id)
    ]
    assert not rest.has_more
    assert not (await members.members(shop.id, before=rest.items[0].id, limit=1)).items
    assert await members.member(shop.id, first_owner_id(shop.id)) == rest.items[0]
    with pytest.raises(MemberNotFound):
        await members.member(shop.id, second.id)
    memberships = await members.memberships(caller, before=None, limit=10)
    assert [(each.member.id, each.merchant.id) for each in memberships.items] == [
        (second.id, other.id),
        (first.id, shop.id),
    ]
    acting = await members.act_for(caller, shop.id)
    with pytest.raises(NotAMember):
        await members.act_for(acting, other.id)
    with pytest.raises(NotAMember):
        await members.act_for(caller, UserId("usr_nobody"))
    assert (await members.leave(caller, first.id)).removed_at is not None
    with pytest.raises(MemberNotFound):
        await members.leave(caller, first.id)
    with pytest.raises(LastOwner):
        await members.remove(first_owner_id(shop.id), merchant_id=shop.id)


async def test_a_token_is_good_for_nothing_else(storage: Storage, clock: StandingClock) -> None:
    access = an_access(storage, clock)
    members = Members(access, storage.members)
    shop = (await access.register(email="shop@example.com", password=PASSWORD, role=Role.MERCHANT)).user
    made = await members.invite(merchant_id=shop.id, email="grace@example.com", role=MemberRole.VIEWER)
    assert made.token not in repr(made)
    for token in ("gi_" + "0" * 64, made.token.upper(), ""):
        with pytest.raises(Refusal):
            await members.accept_as_new_user(token, password=PASSWORD)
    await access.register(email="grace@example.com", password=PASSWORD, role=Role.CUSTOMER)
    with pytest.raises(EmailTaken):
        await members.accept_as_new_user(made.token, password=PASSWORD)
    await members.remove(made.member.id, merchant_id=shop.id)
    with pytest.raises(InvitationNotFound):
        await members.accept_as_new_user(made.token, password=PASSWORD)


async def test_the_audit_log_has_who_acted_and_for_whom(storage: Storage, executor: CommandExecutor) -> None:
    admin = await joined(executor, 11, MemberRole.ADMIN)
    assert admin.user_id is not None
    origin = Origin(actor=Actor(kind=ActorKind.USER, id=admin.user_id))
    invited = await executor.execute(replace(INVITE, actor_id=admin.user_id), owner_id=MERCHANT, origin=origin)
    [record] = await storage.audit_log.records(AuditFilter(object_id=invited.id), before=None, limit=10)
    assert (record.origin.actor.id, record.note.after["acts_for"]) == (admin.user_id, MERCHANT)
    assert invited.invited_by == admin.user_id


async def test_a_member_changes_their_own_password_and_ends_their_own_session(
    storage: Storage, clock: StandingClock
) -> None:
    access = an_access(storage, clock)
    members = Members(access, storage.members)
    shop = (await access.register(email="shop@example.com", password=PASSWORD, role=Role.MERCHANT)).user
    made = await members.invite(merchant_id=shop.id, email="grace@example.com", role=MemberRole.OWNER)
    await members.accept_as_new_user(made.token, password=PASSWORD)
    signed_in = await log_in(access, "grace@example.com")
    acting = await access.act_for(await access.authenticate(signed_in.access_token), shop.id)
    await access.change_password(acting, current=PASSWORD, new=OTHER_PASSWORD)
    await log_in(access, "shop@example.com")
    await log_in(access, "grace@example.com", OTHER_PASSWORD)
