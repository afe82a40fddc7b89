"""The history of one account: the counters, versions and balances that its changes add up to."""

from typing import NamedTuple

from gateway.domain.account import Account
from gateway.domain.transfer import EFFECTS, BalanceAfter, TransferKind


class Counters(NamedTuple):
    """The four counters of an account, or the change that a transfer makes to them, in minor units."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def posted(self) -> int:
        """The posted balance."""
        return self.credits_posted - self.debits_posted

    def plus(self, change: "Counters") -> "Counters":
        """The sum of both."""
        return Counters(*(left + right for left, right in zip(self, change, strict=True)))

    def __str__(self) -> str:
        """The counters in words, for the detail of a finding."""
        return (
            f"debits {self.debits_posted} posted and {self.debits_pending} pending, "
            f"credits {self.credits_posted} posted and {self.credits_pending} pending"
        )


def counters_of(account: Account) -> Counters:
    """The counters in the account's row."""
    return Counters(account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted)


def changes_of(kind: TransferKind, amount_minor: int) -> tuple[Counters, Counters]:
    """The changes that a transfer makes to the counters of the debited and of the credited account."""
    pending, posted = (sign * amount_minor for sign in EFFECTS[kind])
    return (
        Counters(debits_pending=pending, debits_posted=posted),
        Counters(credits_pending=pending, credits_posted=posted),
    )


class AccountHistory:
    """One account's row and the sums of its history. Memory: some counters and one bit for each version."""

    __slots__ = ("_chain", "_last_version", "_status_versions", "_versions", "account", "counters", "versions_count")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.counters = Counters()
        self.versions_count = 0
        self._versions = bytearray()
        self._status_versions: set[int] = set()
        self._last_version = 0
        self._chain = 0

    def add_version(self, version: int) -> bool:
        """Record a version (≥ 1). Returns whether it is new."""
        byte, bit = version >> 3, 1 << (version & 7)
        if byte >= len(self._versions):
            self._versions.extend(bytes(byte + 1 - len(self._versions)))
        if self._versions[byte] & bit:
            return False
        self._versions[byte] |= bit
        self.versions_count += 1
        return True

    def first_missing_version(self) -> int:
        """The lowest version that no change made."""
        version = 1
        while version >> 3 < len(self._versions) and self._versions[version >> 3] & (1 << (version & 7)):
            version += 1
        return version

    def add_status_version(self, version: int) -> None:
        """Record that a change of status made this version. Call it before `add_transfer`."""
        self._status_versions.add(version)

    def add_transfer(self, change: Counters, after: BalanceAfter) -> None:
        """Record a transfer. Transfers come in any order.

        The sum gains the digest of the balance after each transfer and loses the digest of the balance before it. In an
        unbroken chain all but the first and the last digest cancel out.
        """
        before = after.version - 1
        while before in self._status_versions:
            before -= 1
        self._chain += _digest(after.version, after.posted, after.held)
        self._chain -= _digest(before, after.posted - change.posted, after.held - change.debits_pending)
        self.counters = self.counters.plus(change)
        self._last_version = max(self._last_version, after.version)

    def is_unbroken(self) -> bool:
        """Whether each balance that a transfer recorded follows from the account's previous balance."""
        return self._last_version == 0 or self._chain == (
            _digest(self._last_version, self.counters.posted, self.counters.debits_pending) - _digest(0, 0, 0)
        )


def _digest(version: int, posted: int, held: int) -> int:
    # Of the text, not of the tuple: Python's hashes of -1 and -2 are the same.
    return hash(f"{version} {posted} {held}")
