"""Slips of authors of storages, planted on any storage from outside: each is found by the contract that it names."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, NamedTuple, Self

from gateway.ports import Changes, KeyTaken, Records, Storage, StorageUnavailable, UnitOfWork, Wanted

Load = Callable[[Records, Wanted], Records]
Commit = Callable[[UnitOfWork, Changes], Awaitable[None]]


@dataclass(slots=True)
class SlippingUnitOfWork:
    """A unit of work whose loading or committing has a slip."""

    inner: UnitOfWork
    load_slip: Load | None = None
    commit_slip: Commit | None = None

    async def load(self, wanted: Wanted) -> Records:
        records = await self.inner.load(wanted)
        return records if self.load_slip is None else self.load_slip(records, wanted)

    async def commit(self, changes: Changes) -> None:
        await (self.inner.commit(changes) if self.commit_slip is None else self.commit_slip(self.inner, changes))

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.inner.__aexit__(kind, error, traceback)


@dataclass(slots=True)
class WithoutLocks:
    """A unit of work that loads in one transaction and commits in another."""

    storage: Storage

    async def load(self, wanted: Wanted) -> Records:
        async with self.storage.unit_of_work() as work:
            return await work.load(wanted)

    async def commit(self, changes: Changes) -> None:
        async with self.storage.unit_of_work() as work:
            await work.load(Wanted())
            await work.commit(changes)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


class Replaced:
    """A part of a storage with other methods in place of some of its own."""

    def __init__(self, part: object, methods: Mapping[str, Callable[..., Any]]) -> None:
        self._part = part
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._part, name)


def loading(slip: Load) -> Callable[[Storage], Storage]:
    return lambda storage: replace(
        storage, unit_of_work=lambda: SlippingUnitOfWork(storage.unit_of_work(), load_slip=slip)
    )


def committing(slip: Commit) -> Callable[[Storage], Storage]:
    return lambda storage: replace(
        storage, unit_of_work=lambda: SlippingUnitOfWork(storage.unit_of_work(), commit_slip=slip)
    )


def forgetting(name: str) -> Callable[[Storage], Storage]:
    """Loads nothing of a kind."""
    nothing_of_it: dict[str, Any] = {name: () if name != "latest_at" else None}
    return loading(lambda records, _: replace(records, **nothing_of_it))


def without(**changes: Any) -> Callable[[Storage], Storage]:
    """Does not write changes of a kind."""

    async def commit(work: UnitOfWork, wanted: Changes) -> None:
        await work.commit(replace(wanted, **changes))

    return committing(commit)


def overlooking(kind: str) -> Callable[[Storage], Storage]:
    """Where a unique key is taken, writes everything else."""
    nothing_of_it: dict[str, Any] = {kind: ()}

    async def commit(work: UnitOfWork, changes: Changes) -> None:
        try:
            await work.commit(changes)
        except KeyTaken:
            with suppress(KeyTaken):
                await work.commit(replace(changes, **nothing_of_it))

    return committing(commit)


async def by_halves(work: UnitOfWork, changes: Changes) -> None:
    try:
        await work.commit(changes)
    except KeyTaken:
        await work.commit(Changes(accounts_changed=changes.accounts_changed))
        raise


async def in_seconds(work: UnitOfWork, changes: Changes) -> None:
    payments = [replace(each, created_at=each.created_at.replace(microsecond=0)) for each in changes.payments_new]
    await work.commit(replace(changes, payments_new=payments))


async def backwards(work: UnitOfWork, changes: Changes) -> None:
    await work.commit(replace(changes, events_new=list(changes.events_new)[::-1]))


@dataclass(slots=True)
class KeepingReferences:
    """References that were taken once are taken for ever."""

    storage: Storage
    ever: set[Any] = field(default_factory=set[Any])

    def unit_of_work(self) -> UnitOfWork:
        def load(records: Records, wanted: Wanted) -> Records:
            self.ever.update(records.references_taken)
            return replace(records, references_taken=tuple(self.ever.intersection(wanted.references)))

        async def commit(work: UnitOfWork, changes: Changes) -> None:
            await work.commit(changes)
            self.ever.update(payment.reference_held for payment in changes.payments_new)

        return SlippingUnitOfWork(self.storage.unit_of_work(), load, commit)


def keeping_references(storage: Storage) -> Storage:
    return replace(storage, unit_of_work=KeepingReferences(storage).unit_of_work)


def part(name: str, **slips: Callable[..., Any]) -> Callable[[Storage], Storage]:
    """Methods of a part; each slip gets the method, and its arguments."""

    def planted(storage: Storage) -> Storage:
        original = getattr(storage, name)

        def method(method_name: str) -> Callable[..., Any]:
            async def call(*arguments: Any, **named: Any) -> Any:
                return await slips[method_name](getattr(original, method_name), *arguments, **named)

            return call

        parts: dict[str, Any] = {name: Replaced(original, {each: method(each) for each in slips})}
        return replace(storage, **parts)

    return planted


def found(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """Changes what a method returns."""

    async def call(method: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any) -> Any:
        return change(await method(*arguments, **named))

    return call


async def nothing(_method: object, *_: Any, **__: Any) -> None:
    return None


async def moved_anyway(move: Callable[..., Awaitable[bool]], name: str, *, expected: int | None, to: int) -> bool:
    await move(name, expected=expected, to=to)
    return True


async def one_too_late(read: Callable[..., Awaitable[Any]], *, after: int, limit: int) -> Any:
    return await read(after=after + 1 if after else 0, limit=limit)


async def one_too_many(read: Callable[..., Awaitable[Any]], *, after: int, limit: int) -> Any:
    return await read(after=after, limit=limit + 1)


async def without_spread(put: Callable[..., Awaitable[None]], rate: Any) -> None:
    await put(replace(rate, spread_basis_points=0))


async def said_to_be_replaced(replace_hash: Callable[..., Awaitable[bool]], *arguments: Any, **named: Any) -> bool:
    await replace_hash(*arguments, **named)
    return True


async def with_errors_of_the_driver(work: UnitOfWork, changes: Changes) -> None:
    try:
        await work.commit(changes)
    except StorageUnavailable as error:
        raise ConnectionResetError("the driver says so") from error


class Unguarded(SlippingUnitOfWork):
    """A unit of work that lets the driver's error out of `load`."""

    async def load(self, wanted: Wanted) -> Records:
        records: Records = await with_errors_of_the_reader(self.inner.load, wanted)
        return records


async def said_to_be_written(work: UnitOfWork, changes: Changes) -> None:
    with suppress(StorageUnavailable):
        await work.commit(changes)


@dataclass(slots=True)
class Buffered:
    """What could not be written is written with the next commit, though its caller was told otherwise."""

    storage: Storage
    kept: list[Changes] = field(default_factory=list[Changes])

    def unit_of_work(self) -> UnitOfWork:
        async def commit(work: UnitOfWork, changes: Changes) -> None:
            kept, self.kept = self.kept, []
            for each in kept:
                await work.commit(each)
            try:
                await work.commit(changes)
            except StorageUnavailable:
                self.kept = [*kept, changes]
                raise

        return SlippingUnitOfWork(self.storage.unit_of_work(), commit_slip=commit)


@dataclass(slots=True)
class GivingUp:
    """Once it was away, it is away for good: a connection that nobody makes again."""

    storage: Storage
    is_broken: bool = False

    def unit_of_work(self) -> UnitOfWork:
        async def commit(work: UnitOfWork, changes: Changes) -> None:
            if self.is_broken:
                raise StorageUnavailable
            try:
                await work.commit(changes)
            except StorageUnavailable:
                self.is_broken = True
                raise

        return SlippingUnitOfWork(self.storage.unit_of_work(), commit_slip=commit)


async def with_errors_of_the_reader(method: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any) -> Any:
    try:
        return await method(*arguments, **named)
    except StorageUnavailable as error:
        raise OSError("the driver says so") from error


class Slip(NamedTuple):
    """A slip, and the test of `StorageContract`, or of `OutageContract`, that finds it."""

    plant: Callable[[Storage], Storage]
    test: str
    arguments: Mapping[str, object] = {}


WRITTEN_WHOLE = "test_nothing_of_a_commit_is_written_when_a_unique_key_is_taken"
SEEN = "test_committed_records_are_seen_by_the_next_unit_of_work"
NO_DRIVER_ERROR = "test_no_error_of_a_driver_comes_out"
CUT_OFF = "test_a_unit_of_work_that_is_cut_off_holds_up_nobody"
AWAY_AND_BACK = "test_nothing_is_lost_and_the_gateway_goes_on"
ENDPOINTS = "test_a_change_replaces_an_endpoint_and_a_deletion_removes_one"

SLIPS: Mapping[str, Slip] = {
    "a taken answer is overlooked": Slip(overlooking("answers_new"), WRITTEN_WHOLE, {"taken": "answer"}),
    "a taken address is overlooked": Slip(overlooking("users_new"), WRITTEN_WHOLE, {"taken": "email"}),
    "a taken id of a user is overlooked": Slip(overlooking("users_new"), WRITTEN_WHOLE, {"taken": "user"}),
    "a taken account is overlooked": Slip(overlooking("accounts_new"), WRITTEN_WHOLE, {"taken": "account"}),
    "a taken reference is overlooked": Slip(overlooking("payments_new"), WRITTEN_WHOLE, {"taken": "reference"}),
    "a second reversal is overlooked": Slip(overlooking("transactions_new"), "test_a_transaction_is_reversed_once"),
    "a second use of a quote is overlooked": Slip(overlooking("payments_new"), "test_no_two_payments_use_a_quote"),
    "accounts are written although the commit fails": Slip(committing(by_halves), WRITTEN_WHOLE, {"taken": "answer"}),
    "answers are not loaded": Slip(forgetting("answers"), SEEN),
    "taken addresses are not told": Slip(forgetting("emails_taken"), SEEN),
    "taken ids of users are not told": Slip(forgetting("user_ids_taken"), SEEN),
    "taken references are not told": Slip(forgetting("references_taken"), SEEN),
    "references stay taken": Slip(keeping_references, "test_a_reference_that_a_payment_gives_up_is_free_for_another"),
    "holders of accounts in other currencies are not told": Slip(
        forgetting("account_holders"), "test_it_tells_who_has_an_account_in_another_currency"
    ),
    "the latest moment is not told": Slip(
        forgetting("latest_at"), "test_ids_of_new_transactions_are_of_a_later_moment_than_those_before"
    ),
    "a loaded transaction does not know its reversal": Slip(
        loading(
            lambda records, _: replace(
                records, transactions=[replace(each, reversed_by=None) for each in records.transactions]
            )
        ),
        "test_a_transaction_comes_with_its_accounts_and_what_reversed_it",
    ),
    "nothing is locked": Slip(
        lambda storage: replace(storage, unit_of_work=lambda: WithoutLocks(storage)),
        "test_of_concurrent_creations_each_sees_the_endpoints_before_it",
    ),
    "times are kept in seconds": Slip(committing(in_seconds), "test_the_pages_cover_everything_once"),
    "events of a commit are backwards": Slip(
        committing(backwards), "test_an_endpoint_for_all_merchants_sees_every_event", {"limit": 1}
    ),
    "endpoints are not deleted": Slip(without(webhook_endpoints_deleted=()), ENDPOINTS),
    "changes of endpoints are lost": Slip(without(webhook_endpoints_changed=()), ENDPOINTS),
    "refunds are lost": Slip(without(refunds_new=()), "test_a_refund_comes_back_with_every_field"),
    "changes of quotes are lost": Slip(without(quotes_changed=()), "test_a_quote_that_is_used_says_by_which_payment"),
    "payment counters are not written": Slip(without(payment_counters=()), "test_no_concurrent_payment_goes_uncounted"),
    "payment counters are not loaded": Slip(
        forgetting("payment_counters"), "test_changed_counters_replace_those_of_the_same_customer"
    ),
    "payments that are due come backwards": Slip(
        part("reader", payments_due=found(lambda each: each[::-1])), "test_it_tells_which_payments_are_due"
    ),
    "refunds come backwards": Slip(
        part("reader", refunds=found(lambda each: each[::-1])),
        "test_the_refunds_of_a_payment_come_newest_first_page_by_page",
    ),
    "totals come backwards": Slip(
        part("reader", totals=found(lambda each: each[::-1])), "test_totals_add_up_every_currency"
    ),
    "a transaction that is read does not know its reversal": Slip(
        part("reader", transaction=found(lambda each: each and replace(each, reversed_by=None))),
        "test_a_transaction_that_was_reversed_tells_by_which",
    ),
    "sessions of a user go on": Slip(part("sessions", revoke_user=nothing), "test_all_sessions_of_a_user_end_together"),
    "a session that was ended by its token goes on": Slip(
        part("sessions", revoke_token=nothing), "test_a_user_ends_a_session_by_any_of_its_tokens"
    ),
    "a session begins in spite of another hash": Slip(
        part("sessions", start=found(lambda _: True)), "test_a_session_begins_only_with_the_hash_that_is_stored"
    ),
    "a cursor is said to be moved": Slip(
        part("event_cursors", move=moved_anyway), "test_a_cursor_is_not_moved_from_where_it_is_not"
    ),
    "the feed skips an event": Slip(part("events", read=one_too_late), "test_pages_give_each_event_once", {"limit": 1}),
    "the feed gives one event too many": Slip(
        part("events", read=one_too_many), "test_pages_give_each_event_once", {"limit": 1}
    ),
    "rates lose their spread": Slip(
        part("rates", put=without_spread), "test_a_rate_comes_back_to_the_last_place", {"text": "1.0842"}
    ),
    "a hash is said to be replaced": Slip(
        part("users", replace_password_hash=found(lambda _: True)),
        "test_a_password_hash_that_is_no_longer_the_old_one_stays",
    ),
    "an error of the driver leaves a commit": Slip(committing(with_errors_of_the_driver), CUT_OFF),
    "an error of the driver leaves a look-up": Slip(part("reader", totals=with_errors_of_the_reader), NO_DRIVER_ERROR),
    "an error of the driver leaves a worker's call": Slip(
        part("deliveries", backlog=with_errors_of_the_reader), NO_DRIVER_ERROR
    ),
    "an error of the driver leaves a unit of work that loads": Slip(
        lambda storage: replace(storage, unit_of_work=lambda: Unguarded(storage.unit_of_work())), AWAY_AND_BACK
    ),
    "a commit while the storage is away is said to be written": Slip(committing(said_to_be_written), CUT_OFF),
    "what was refused is written later": Slip(
        lambda storage: replace(storage, unit_of_work=Buffered(storage).unit_of_work), CUT_OFF
    ),
    "a storage that was away stays away": Slip(
        lambda storage: replace(storage, unit_of_work=GivingUp(storage).unit_of_work), CUT_OFF
    ),
}
