"""What the contracts of units of work share."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress
from typing import ParamSpec

from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Records, TryAgain, Wanted
from gateway.contracts.records import (
    by_email,
    load,
    user_id,
)
from gateway.domain.account import Account, AccountId
from gateway.domain.transaction import Transaction

Parameters = ParamSpec("Parameters")

TIMEOUT_SECONDS = 30
"""Longer than any storage may take, shorter than for ever: a deadlock fails, and does not hang."""


def run_again(work: Callable[Parameters, Awaitable[None]]) -> Callable[Parameters, Awaitable[None]]:
    """`work`, run until it commits, as the application does it."""

    async def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        while True:
            with suppress(TryAgain):
                return await work(*args, **kwargs)

    return run


def by_id(records: Records) -> dict[AccountId, Account]:
    """The accounts found; each must stand there once."""
    found = {account.id: account for account in records.accounts}
    assert len(found) == len(records.accounts), "an account was found twice"
    return found


async def all_transactions(storage: Storage) -> list[Transaction]:
    """Every transaction there is."""
    async with storage.audit() as audit:
        return [transaction async for page in audit.transactions() for transaction in page]


async def everything(storage: Storage) -> list[object]:
    """All records that a storage can show, in an order that does not depend on it."""
    numbers = range(1, 4)
    async with storage.audit() as audit:
        told: list[object] = [
            await sorted_records(audit.accounts()),
            await sorted_records(audit.payments()),
            await sorted_records(audit.transactions()),
            await sorted_records(audit.status_changes()),
            await sorted_records(page.items() async for page in audit.payment_events()),
        ]
    keys = [AnswerKey(user_id(1), f"key-{n}") for n in numbers]
    answers = {answer.key: answer for answer in (await load(storage, Wanted(answers=keys))).answers}
    told.extend([answers.get(key) for key in keys])
    told.extend([await by_email(storage, f"user{n}@example.com") for n in numbers])
    told.extend([await storage.users.by_id(user_id(n)) for n in numbers])
    return told


async def sorted_records(pages: AsyncIterator[Collection[object]]) -> list[object]:
    """The records of all pages, sorted by their representation."""
    return sorted([record async for page in pages for record in page], key=repr)
