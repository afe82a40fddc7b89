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
    """One account's row and the sums of its history. Memory: some counters and one bit for each version.

    If the first events of the feed were deleted, the first versions that no transfer made are not known: they are gaps
    between the versions of transfers. A gap behind a version of a later time is a missing row.
    """

    __slots__ = (
        "_chain",
        "_known_from",
        "_last_version",
        "_status_versions",
        "_unlinked",
        "_versions",
        "_versions_count",
        "account",
        "counters",
    )

    def __init__(self, account: Account, *, is_whole: bool = True) -> None:
        """The history of an account, without its changes.

        Args:
            account: The row.
            is_whole: Whether no event of the account was deleted.
        """
        self.account = account
        self.counters = Counters()
        self._versions_count = 0
        self._versions = bytearray()
        self._status_versions: set[int] = set()
        self._last_version = 0
        self._chain = 0
        self._known_from: int | None = 1 if is_whole else None
        """The version from which no gap is allowed; `None` if it is unknown."""
        self._unlinked: dict[int, tuple[int, int]] = {}
        """Transfers behind a gap, by version: what was posted and held before them."""

    def add_version(self, version: int) -> bool:
        """Record a version (≥ 1). Returns whether it is new."""
        byte, bit = version >> 3, 1 << (version & 7)
        if byte >= len(self._versions):
            self._versions.extend(bytes(byte + 1 - len(self._versions)))
        if self._versions[byte] & bit:
            return False
        self._versions[byte] |= bit
        self._versions_count += 1
        return True

    def first_missing_version(self) -> int | None:
        """The lowest version that a change must have made, and none did; `None` if there is no such version."""
        if self._known_from is None or self._versions_count == self.account.version:
            return None
        version = self._known_from
        while self._has_version(version):
            version += 1
        return version if version <= self.account.version else None

    def add_status_version(self, version: int) -> None:
        """Record that a change of status made this version. Call it before `add_transfer`."""
        self._status_versions.add(version)
        self._know_from(version)

    def add_transfer(self, change: Counters, after: BalanceAfter, *, events_are_kept: bool = True) -> None:
        """Record a transfer. Transfers come in any order.

        The sum gains the digest of the balance after each transfer and loses the digest of the balance before it. In an
        unbroken chain all but the first and the last digest cancel out.

        Args:
            change: What it changes.
            after: The balance after it.
            events_are_kept: Whether all events of its time and later ones are kept.
        """
        if events_are_kept:
            self._know_from(after.version)
        before = self._transfer_before(after.version)
        balance_before = after.posted - change.posted, after.held - change.debits_pending
        self._chain += _digest(after.version, after.posted, after.held)
        if before == 0 or self._known_from == 1 or self._has_version(before):
            self._chain -= _digest(before, *balance_before)
        else:
            self._unlinked[after.version] = balance_before
        self.counters = self.counters.plus(change)
        self._last_version = max(self._last_version, after.version)

    def is_unbroken(self) -> bool:
        """Whether each balance that a transfer recorded follows from the account's previous balance."""
        for version, balance_before in self._unlinked.items():
            before = self._transfer_before(version)
            while before > 0 and not self._has_version(before):
                before = self._transfer_before(before)
            self._chain -= _digest(before, *balance_before)
        self._unlinked.clear()
        return self._last_version == 0 or self._chain == (
            _digest(self._last_version, self.counters.posted, self.counters.debits_pending) - _digest(0, 0, 0)
        )

    def _know_from(self, version: int) -> None:
        if self._known_from is None or version < self._known_from:
            self._known_from = version

    def _has_version(self, version: int) -> bool:
        byte = version >> 3
        return byte < len(self._versions) and bool(self._versions[byte] & (1 << (version & 7)))

    def _transfer_before(self, version: int) -> int:
        """The last version before this one that no known change of status made; 0 if there is none."""
        before = version - 1
        while before in self._status_versions:
            before -= 1
        return before


def _digest(version: int, posted: int, held: int) -> int:
    # Of the text, not of the tuple: Python's hashes of -1 and -2 are the same.
    return hash(f"{version} {posted} {held}")
