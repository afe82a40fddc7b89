"""Submissions: what an executor answers, once per idempotency key. And the answers."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from gateway.application.engine.command import Command
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import Origin
from gateway.domain.checks import check_id, check_idempotency_key
from gateway.domain.errors import Refusal
from gateway.domain.event import Event, EventId
from gateway.domain.immutable import immutable


class Encoded(NamedTuple):
    """The body of an answer, and the event with whose data it ends, if there is one."""

    body: bytes
    event_id: EventId | None = None


class HasOrigin(Protocol):
    """Knows who does something: an `Origin`, or a request that makes one when it is asked."""

    @property
    def origin(self) -> Origin:
        """Who, and from where."""
        ...


class Codec(Protocol):
    """Outcomes as bytes, in the format of the caller. The bytes are stored under the key, and replayed."""

    def encode(self, outcome: Any, events: Collection[Event] = ()) -> Encoded:
        """The body of an answer: a result or a refusal. An object of one of the events is encoded already."""
        ...

    def is_refusal(self, body: bytes) -> bool:
        """Whether a body encodes a refusal."""
        ...


@immutable
class BaseSubmission:
    """The attributes of every submission.

    Attributes:
        key: The idempotency key: the caller's own, or a fresh one.
        fingerprint: Of the request. The same key with another fingerprint is refused.
        codec: Encodes the answer.

    Raises:
        InvalidInput: The owner of the key is no id, or the key is not 1 to 255 visible ASCII characters.
    """

    key: AnswerKey
    fingerprint: bytes
    codec: Codec

    def __post_init__(self) -> None:
        check_id("owner_id", self.key.owner_id)
        check_idempotency_key(self.key.key)


@immutable
class CommandSubmission(BaseSubmission):
    """One command, with its idempotency key.

    Attributes:
        origin: Who submits it, and from where, if that is known; asked for only if the audit log records it.
    """

    command: Command[Any]
    origin: HasOrigin | None = None

    @property
    def size(self) -> int:
        """The number of commands."""
        return 1

    def needs(self) -> Needs:
        """The records to load."""
        return self.command.needs()


@immutable
class BulkSubmission(BaseSubmission):
    """Several submissions in one transaction, each with an answer under its own key, and one answer to all of them.

    `key` and `fingerprint` belong to the answer to all. `codec` encodes a refusal of the whole, and tells whether the
    answer to all is a refusal.

    Attributes:
        parts: Decided in this order, each under its own key.
        atomic: All or none: the first refused part ends the bulk submission, and nothing of it is written. Otherwise
            each part is written or refused alone.
        encode_all: Makes the answer to all from the answers to the parts, of which it reads `body` and `refused` alone:
            a replay calls it again. If an atomic bulk submission ended early, it gets the answers up to the refusal.
    """

    parts: Sequence[CommandSubmission]
    atomic: bool
    encode_all: Callable[[Sequence["Answer | Failed"]], bytes]

    @property
    def size(self) -> int:
        """The number of commands."""
        return len(self.parts)

    def needs(self) -> Needs:
        """The records to load for all parts."""
        return Needs.union([part.needs() for part in self.parts])


Submission: TypeAlias = CommandSubmission | BulkSubmission


@immutable
class Answer:
    """The answer to a submission.

    Attributes:
        body: The outcome, as the submission's codec encodes it.
        outcome: The result or the refusal; of a bulk submission, the answers to its parts. `None` if replayed.
        refused: Whether the outcome is a refusal, also if replayed.
        replayed: Whether an earlier submission with the same key got this answer.
    """

    body: bytes = field(repr=False)  # It may hold a secret that is shown once.
    outcome: Any
    refused: bool
    replayed: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """A submission that failed with a bug. Nothing of it is written; the rest of the batch is."""

    error: Exception


def is_stored(outcome: object) -> bool:
    """Whether an outcome is stored under its key. A refusal that may end later (a frozen account) is not."""
    return not isinstance(outcome, Refusal) or outcome.stored


def fingerprint(*parts: bytes) -> bytes:
    """The SHA-256 (32 bytes) of the parts, each prefixed with its length."""
    pieces: list[bytes] = []
    for part in parts:
        pieces += (len(part).to_bytes(8, "big"), part)
    return hashlib.sha256(b"".join(pieces)).digest()
