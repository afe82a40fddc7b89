"""Argon2id in a small pool of threads."""

import asyncio
import os
import secrets
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import BoundedSemaphore
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from gateway.application.ports.passwords import HashingOverloaded, PasswordCheck

_T = TypeVar("_T")
NICENESS: Final = 5
"""On Linux: where processors are short, the event loop gets three times as much as a hashing thread does."""
_NO_MATCH: Final = PasswordCheck(matches=False, outdated=False)


class Argon2PasswordHasher:
    """Hashes passwords with Argon2id, off the event loop and never too many at once.

    The defaults are the least that OWASP's Password Storage Cheat Sheet advises. Argon2 lets go of the interpreter
    while it works, so the threads run beside the event loop; having few of them, of lower
    priority on Linux, leaves processors for payments.

    Args:
        threads: How many passwords are worked on at the same time.
        waiting_max: How many more may wait for a thread.
        time_cost: Passes over the memory.
        memory_cost_kibibytes: Memory for each password being worked on, in KiB.
        parallelism: Lanes within one hash.
    """

    def __init__(
        self,
        *,
        threads: int = 2,
        waiting_max: int = 64,
        time_cost: int = 2,
        memory_cost_kibibytes: int = 19_456,
        parallelism: int = 1,
    ) -> None:
        self._argon2 = PasswordHasher(time_cost=time_cost, memory_cost=memory_cost_kibibytes, parallelism=parallelism)
        # What an unknown user's password is checked against: nobody knows the password it was made from.
        self._nobody = self._argon2.hash(secrets.token_bytes(32))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_yield_to_payments)
        self._places = BoundedSemaphore(threads + waiting_max)

    async def hash(self, password: str) -> str:
        """Return a salted Argon2id hash in PHC format; see the port `PasswordHasher`."""
        return await self._in_a_thread(lambda: self._argon2.hash(_to_bytes(password)))

    async def verify(self, password_hash: str | None, password: str) -> PasswordCheck:
        """Check a password against a stored hash; see the port `PasswordHasher`."""
        stored = self._nobody if password_hash is None else password_hash
        return await self._in_a_thread(lambda: self._check(stored, _to_bytes(password)))

    async def close(self) -> None:
        """Finish what was taken, take no more, and end the threads."""
        await asyncio.to_thread(self._pool.shutdown)

    def _check(self, stored: str, password: bytes) -> PasswordCheck:
        try:
            self._argon2.verify(stored, password)
        except VerifyMismatchError:
            return _NO_MATCH
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            # The stored hash is unreadable. It still costs a hash, so that time does not tell which users are broken.
            with suppress(VerifyMismatchError):
                self._argon2.verify(self._nobody, password)
            return _NO_MATCH
        return PasswordCheck(matches=True, outdated=self._argon2.check_needs_rehash(stored))

    async def _in_a_thread(self, work: Callable[[], _T]) -> _T:
        if not self._places.acquire(blocking=False):
            raise HashingOverloaded("Too many passwords wait to be hashed.")
        try:
            future = self._pool.submit(work)
        except RuntimeError:  # The pool is closed.
            self._places.release()
            raise
        # The place is free once the thread is, which is later than the caller's going away.
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _leave(self, _: "Future[_T]") -> None:
        self._places.release()


def _yield_to_payments() -> None:
    """Lower the priority of this thread. Elsewhere than on Linux, threads have no priority of their own."""
    if sys.platform == "linux":
        with suppress(OSError):  # A sandbox may forbid it.
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


def _to_bytes(password: str) -> bytes:
    # NIST SP 800-63B-4 §3.1.1.2 asks for the normal form; "surrogatepass" makes every text a password.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
