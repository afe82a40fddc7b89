"""Commands of requests: submitted under an idempotency key, with responses that are stored for replays."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, Generic

import msgspec
from typing_extensions import TypeVar

from gateway.adapters.http.messages import AnyRequest, BodyT, Request, Response
from gateway.adapters.http.operations import Handler, NoFields
from gateway.adapters.http.problems import KINDS, PROBLEM_JSON, problem_body, problem_headers
from gateway.application.engine.command import Command
from gateway.application.engine.submission import Answer, CommandSubmission, Encoded, fingerprint
from gateway.application.ports.batch_records import AnswerKey
from gateway.domain.errors import Refusal
from gateway.domain.event import Event

ResultT = TypeVar("ResultT", default=Any)

_encoder = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="deterministic")
_NO_BODY: Final = b"null"
_STATUS_DIGITS: Final = 3
_REFUSED: Final = 400
"""The lowest status of a refusal."""


def no_record(_: object) -> None:
    """No record: the body shows something else than `GET`."""


def identity(result: ResultT) -> ResultT:
    """The result is the record that is shown."""
    return result


def submitting(
    to_command: Callable[[Request[BodyT]], Command[ResultT]],
    to_view: Callable[[ResultT], object],
    *,
    record_of: Callable[[ResultT], object] = no_record,
) -> Handler[BodyT, None]:
    """The handler of an operation that changes the ledger: submits the command, shows its result.

    Args:
        to_command: Makes the command of a request.
        to_view: Makes the body of the response from the result.
        record_of: The record whose `GET` representation is the body, if there is one. If an event has this record as
            its object, the data of the event is the body.
    """
    return Submitting(to_command, to_view, record_of)


class Submitting(Generic[BodyT]):
    """The handler that `submitting` returns. It makes the submission of a request, too."""

    __slots__ = ("_record_of", "_to_command", "_to_view")

    def __init__(
        self,
        to_command: Callable[[Request[BodyT]], Command[Any]],
        to_view: Callable[[Any], object],
        record_of: Callable[[Any], object],
    ) -> None:
        self._to_command = to_command
        self._to_view = to_view
        self._record_of = record_of

    def __call__(self, request: Request[BodyT]) -> Awaitable[Response]:
        """Submit the command, show its result."""
        return submitted(request, self._to_command(request), self._to_view, record_of=self._record_of)

    def submission(self, request: Request[BodyT]) -> CommandSubmission:
        """What is submitted.

        Raises:
            Refusal: The request does not become a command.
        """
        return submission_of(request, self._to_command(request), self._to_view, self._record_of)


async def submitted(
    request: AnyRequest,
    command: Command[ResultT],
    to_view: Callable[[ResultT], object],
    *,
    record_of: Callable[[ResultT], object] = no_record,
) -> Response:
    """Submit a command under the caller's idempotency key, or under a fresh one."""
    submission = submission_of(request, command, to_view, record_of)
    return stored_response(await request.gateway.executor.perform(submission))


def submission_of(
    request: AnyRequest,
    command: Command[ResultT],
    to_view: Callable[[ResultT], object],
    record_of: Callable[[ResultT], object],
) -> CommandSubmission:
    """A command as it is submitted: under the caller's idempotency key, or under a fresh one."""
    key, owner = request.idempotency_key, request.caller.user_id
    return CommandSubmission(
        command=command,
        key=request.gateway.executor.fresh_key(owner) if key is None else AnswerKey(owner, key),
        fingerprint=fingerprint(request.method.encode(), request.path.encode(), canonical_json(request.body)),
        codec=StoredResponseCodec(request, request.success_status, to_view, record_of),
        origin=request,
    )


def canonical_json(body: object) -> bytes:
    """A body for a fingerprint. A body without fields counts as none: it may be left out.

    So does one of an action that had no fields before, as long as none is given.
    """
    if isinstance(body, NoFields) and body == type(body)():
        return _NO_BODY
    return _canonical.encode(body)


class StoredResponseCodec:
    """The codec of stored responses; `status` is the HTTP status of a success."""

    __slots__ = ("_record_of", "_request", "_status", "_to_view")

    def __init__(
        self,
        request: AnyRequest,
        status: int,
        to_view: Callable[[Any], object],
        record_of: Callable[[Any], object] = no_record,
    ) -> None:
        self._request = request
        self._status = status
        self._to_view = to_view
        self._record_of = record_of

    def encode(self, outcome: Any, events: Collection[Event] = ()) -> Encoded:
        """The stored response of a result or a refusal."""
        if isinstance(outcome, Refusal):
            return Encoded(stored_problem(outcome, self._request))
        shown = self._record_of(outcome)
        for event in events:
            if event.object is shown:
                return Encoded(stored(self._status, event.data), event.id)
        return Encoded(stored(self._status, _encoder.encode(self._to_view(outcome))))

    def is_refusal(self, body: bytes) -> bool:
        """Whether a stored response is a problem."""
        status, _ = split_stored(body)
        return status >= _REFUSED


def stored(status: int, body: bytes) -> bytes:
    """A response as it is stored: a replay has the same bytes."""
    return b"%d%b" % (status, body)


def stored_problem(refusal: Refusal, request: AnyRequest) -> bytes:
    """A refusal as a stored response."""
    return stored(KINDS[refusal.code].status, problem_body(refusal, request))


def split_stored(stored: bytes) -> tuple[int, bytes]:
    """The status and the body of a stored response."""
    return int(stored[:_STATUS_DIGITS]), stored[_STATUS_DIGITS:]


def stored_response(answer: Answer) -> Response:
    """The response to send for a stored one."""
    status, body = split_stored(answer.body)
    response = Response(status=status, body=body)
    if answer.refused:
        problem = msgspec.json.decode(body)
        response.content_type = PROBLEM_JSON
        response.headers.extend(problem_headers(problem["code"], problem))
    if answer.replayed:
        response.headers.append((b"idempotency-replayed", b"true"))
    return response
