"""The codec of `CommandExecutor.execute`: outcomes as JSON. The module is a `submission.Codec`."""

from collections.abc import Collection
from typing import Any, Generic, TypeVar

import msgspec

from gateway.application.engine.submission import Encoded
from gateway.domain.errors import Refusal
from gateway.domain.event import Event

Result = TypeVar("Result")


class _Refused(msgspec.Struct, frozen=True):
    code: str
    detail: str
    facts: dict[str, Any]


class _StoredOutcome(msgspec.Struct, Generic[Result], frozen=True, omit_defaults=True):
    result: Result | None = None
    refused: _Refused | None = None


_encoder = msgspec.json.Encoder()


def encode(outcome: object, events: Collection[Event] = ()) -> Encoded:  # noqa: ARG001 - results are not shown as `GET` does.
    """The JSON of a result (a dataclass of plain values) or of a refusal."""
    if isinstance(outcome, Refusal):
        refused = _Refused(code=outcome.code, detail=outcome.detail, facts=outcome.facts)
        return Encoded(_encoder.encode(_StoredOutcome[object](refused=refused)))
    return Encoded(_encoder.encode(_StoredOutcome(result=outcome)))


def is_refusal(body: bytes) -> bool:
    """Whether `encode` made `body` of a refusal."""
    return body.startswith(b'{"refused"')


def decode(body: bytes, result_type: Any) -> Any:
    """The outcome that `encode` made `body` of: a result of type `result_type`, or a refusal."""
    stored: _StoredOutcome[Any] = msgspec.json.decode(body, type=_StoredOutcome[result_type])
    if stored.refused is None:
        return stored.result
    return refusals()[stored.refused.code](stored.refused.detail, **stored.refused.facts)


def refusals() -> dict[str, type[Refusal]]:
    """Every refusal that a command can raise, by its code."""
    # An adapter's refusal may be one class for many codes. No command raises it.
    return {kind.code: kind for kind in Refusal.__subclasses__() if "code" in vars(kind)}
