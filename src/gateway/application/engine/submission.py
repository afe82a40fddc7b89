"""Submission and Answer: a command as somebody asks it, and what they are told."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import AnswerKey, Needs
from gateway.domain.checks import check_id, check_idempotency_key
from gateway.domain.errors import Refusal
from gateway.domain.value import value


@value
class Submission:
    """A command with the key that makes asking twice safe.

    Attributes:
        command: What is asked.
        key: Under which the answer is kept: the asker's own, or a fresh one.
        fingerprint: Of the request; the same key with another fingerprint is refused.
        encode: Puts an outcome into the asker's words. The bytes are kept, and given again for the same key.

    Raises:
        InvalidInput: The owner of the key is no id, or the key is not 1 to 255 visible ASCII characters.
    """

    command: Command[Any]
    key: AnswerKey
    fingerprint: bytes
    encode: Callable[[Any], bytes]

    def __post_init__(self) -> None:
        check_id("owner_id", self.key.owner_id)
        check_idempotency_key(self.key.key)

    @property
    def size(self) -> int:
        """How many it counts for."""
        return 1


@value
class Answer:
    """What came of a submission.

    Attributes:
        body: The outcome in the asker's encoding.
        outcome: The result or the refusal itself; `None` when the answer was remembered.
        replayed: Whether the answer was remembered from an earlier submission of the key.
    """

    body: bytes
    outcome: Any
    replayed: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """A submission that met a bug. Nothing of it was written; its companions in the batch were."""

    error: Exception


@value
class Together(Command[None]):
    """What the commands of a bundle need together. Each of them is decided by itself."""

    result_type: ClassVar = None

    commands: Sequence[Command[Any]]

    def needs(self) -> Needs:
        """What any of them needs."""
        return Needs.union([command.needs() for command in self.commands])

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[None]:
        """Not by itself: see `batch.answer_bundle`."""
        raise NotImplementedError("The commands of a bundle are decided one by one, by the batch.")


@value
class Bundle(Submission):
    """Submissions that are handed in as one: one transaction, and one answer under a key of its own.

    `command` is a `Together`, and `encode` is for refusals of the bundle itself.

    Attributes:
        parts: Each with its own key, decided in this order.
        atomic: All or none: the first refusal undoes those before it, and ends the bundle. Otherwise each has its fate.
        is_refused: Whether an answer to a part, which may be a remembered one, is a refusal.
        encode_all: Puts the answers to all parts into the asker's words; of an atomic bundle that ended early, those up
            to the refusal.
    """

    parts: Sequence[Submission]
    atomic: bool
    is_refused: Callable[[Answer], bool]
    encode_all: Callable[[Sequence[Answer | Failed]], bytes]

    @property
    def size(self) -> int:
        """How many submissions it is."""
        return len(self.parts)


def is_kept(outcome: object) -> bool:
    """Whether an outcome is remembered for its key. Refusals that somebody else can lift are not."""
    return not isinstance(outcome, Refusal) or outcome.lasting


def fingerprint(*parts: bytes) -> bytes:
    """32 bytes that tell one request from another (SHA-256 of the parts, each with its length before it)."""
    return hashlib.sha256(
        b"".join([piece for part in parts for piece in (len(part).to_bytes(8, "big"), part)])
    ).digest()
