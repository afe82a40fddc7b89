"""Submission and Answer: a command as somebody asks it, and what they are told."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.application.command import Command
from gateway.application.ports.unit_of_work import AnswerKey
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
    """

    command: Command[Any]
    key: AnswerKey
    fingerprint: bytes
    encode: Callable[[Any], bytes]


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


def is_kept(outcome: object) -> bool:
    """Whether an outcome is remembered for its key. Refusals that somebody else can lift are not."""
    return not isinstance(outcome, Refusal) or outcome.lasting


def fingerprint(*parts: bytes) -> bytes:
    """32 bytes that tell one request from another (SHA-256 of the parts, each with its length before it)."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
