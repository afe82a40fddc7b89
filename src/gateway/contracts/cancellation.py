"""What every storage promises about commits whose task is cancelled."""

import asyncio
from contextlib import suppress

from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, TryAgain, Wanted
from gateway.contracts.records import an_account, an_answer, commit, load, user_id

TURNS_MAX = 24
"""The task is cancelled after each number of turns of the event loop up to this one, and then not at all."""
TIMEOUT_SECONDS = 60
"""Longer than any storage may take."""


class CancellationContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_a_cancelled_commit_writes_everything_or_nothing_and_holds_up_nobody(self, storage: Storage) -> None:
        """Whenever the task is cancelled. The next unit of work has the storage to itself."""
        written = 0
        for turns in range(1, TURNS_MAX + 2):
            changes = Changes(accounts_new=[an_account(turns)], answers_new=[an_answer(f"key-{turns}")])
            committing = asyncio.create_task(commit(storage, changes))
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns <= TURNS_MAX:
                committing.cancel()
            with suppress(asyncio.CancelledError, TryAgain):
                await committing
            key = AnswerKey(user_id(1), f"key-{turns}")
            async with asyncio.timeout(TIMEOUT_SECONDS):
                found = await load(storage, Wanted(answers=[key], account_ids=[an_account(turns).id]))
            assert len(found.answers) == len(found.accounts), "half of a cancelled commit was written"
            written += len(found.answers)
        assert written >= 1, "a commit that was not cancelled was not written"
