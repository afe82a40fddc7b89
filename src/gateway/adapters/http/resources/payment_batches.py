"""Batches of payments: up to 1,000 in one database transaction."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec

from gateway.adapters.http.field_errors import FieldErrors, pointed
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import (
    Body,
    Idempotency,
    Operation,
)
from gateway.adapters.http.problems import HttpRefusal, invalid_request
from gateway.adapters.http.resources.payments import (
    EXAMPLE_PAYMENT,
    TAG,
    PaymentBody,
    errors_for,
    payment_of,
    to_pay,
    to_payment_view,
    to_request,
)
from gateway.adapters.http.submissions import (
    StoredResponseCodec,
    canonical_json,
    split_stored,
    stored,
    stored_problem,
    stored_response,
)
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.engine.submission import Answer, BulkSubmission, CommandSubmission, Failed, fingerprint
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.checks import check_idempotency_key
from gateway.domain.errors import InvalidInput, Refusal
from gateway.domain.immutable import immutable
from gateway.domain.limits import IDEMPOTENCY_KEY_LENGTH_MAX
from gateway.domain.user import Role

ITEMS_MAX: Final = 1_000
BODY_BYTES_MAX: Final = 1024 * 1024
ITEMS_PER_SLICE: Final = 16
"""After so many items (less than a millisecond), the event loop runs other tasks. Slices of the batch that is being
decided are longer: those who wait for it wait longer than those who wait for a decoded body."""

ItemKey = Annotated[str, msgspec.Meta(min_length=1, max_length=IDEMPOTENCY_KEY_LENGTH_MAX, pattern="^[!-~]+$")]


class ItemBody(PaymentBody, frozen=True, kw_only=True):
    """A payment with a key of its own. Customers pay for themselves; merchants and operators name the customer."""

    idempotency_key: ItemKey


class BatchBody(Body, frozen=True, kw_only=True):
    """`independent`: each item has its own fate. `atomic`: all are paid, or none."""

    texts_checked_with_form: ClassVar = False  # The rules check the texts of each item, and may refuse one item.

    mode: Literal["independent", "atomic"]
    items: Annotated[list[ItemBody], msgspec.Meta(min_length=1, max_length=ITEMS_MAX)]


class ItemResultView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one item: the status and the body that it would have had alone."""

    status: int
    body: dict[str, Any]


class BatchView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all items, in their order."""

    object: Literal["batch"] = "batch"
    mode: Literal["independent", "atomic"]
    results: list[ItemResultView]


@immutable
class RefusedItem(Command[PaymentResult]):
    """An item that cannot become a command, for its texts or its currency. It is refused in its place of the batch.

    `POST /payments` refuses it before it is submitted, and so does not store the refusal: `refusal` is not stored.
    """

    result_type: ClassVar = PaymentResult

    refusal: HttpRefusal

    def needs(self) -> Needs:
        """Nothing."""
        return Needs()

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[PaymentResult]:  # noqa: ARG002 - nothing to decide.
        """Refuse it."""
        return Decision(outcome=self.refusal)


async def pay_all(request: Request[BatchBody]) -> Response:
    """Submit all items as one bulk submission."""
    body = request.body
    executor = request.gateway.executor
    caller_id = request.caller.user_id
    key = request.idempotency_key
    async with request.large_bodies.turn(caller_id):
        executor.check_room(caller_id, len(body.items))
        parts = await submissions(request)
    answer = await executor.perform(
        BulkSubmission(
            parts=parts,
            atomic=body.mode == "atomic",
            key=executor.fresh_key(caller_id) if key is None else AnswerKey(caller_id, key),
            fingerprint=fingerprint(request.method.encode(), request.path.encode(), canonical_json(body)),
            codec=StoredResponseCodec(request, request.success_status, to_payment_view),
            encode_all=lambda answers: encode_answers(request, answers),
        )
    )
    return stored_response(answer)


async def submissions(request: Request[BatchBody]) -> list[CommandSubmission]:
    """The submissions of all items. Between slices of them, the event loop runs other tasks.

    An item of an independent batch that the rules refuse for its content is refused in its place. The form of all
    items must be right.

    Raises:
        HttpRefusal: `validation_error`, with the errors of all items: one lacks a field, has one too many, or has a
            malformed key; or it is refused for its content, and the batch is atomic.
    """
    parts: list[CommandSubmission] = []
    errors: FieldErrors = []
    is_atomic = request.body.mode == "atomic"
    is_refused = False
    for index, item in enumerate(request.body.items):
        if index % ITEMS_PER_SLICE == 0:
            await asyncio.sleep(0)
        found = errors_for(request.caller.role, item) or key_errors(item)
        is_refused = is_refused or bool(found)
        if not found:
            part = submission(request, item)
            parts.append(part)
            if isinstance(part.command, RefusedItem):
                found = part.command.refusal.facts.get("errors", [])
        errors += [{**error, "pointer": f"/items/{index}{error['pointer']}"} for error in found]
    if is_refused or (is_atomic and errors):
        raise invalid_request(errors)
    return parts


def key_errors(item: ItemBody) -> FieldErrors:
    """The errors of an item with a malformed key: the pattern of the form allows a line feed at the end."""
    try:
        check_idempotency_key(item.idempotency_key)
    except InvalidInput as invalid:
        return pointed(invalid, item)
    return []


def submission(request: Request[BatchBody], item: ItemBody) -> CommandSubmission:
    """The submission of an item: the same as for `POST /payments`, so that its key replays there too.

    A `RefusedItem` has a fresh key: its own is neither looked at nor used up, as alone.
    """
    body = PaymentBody(**{name: getattr(item, name) for name in PaymentBody.__struct_fields__})
    caller_id = request.caller.user_id
    command = to_command(request, body)
    return CommandSubmission(
        command=command,
        key=request.gateway.executor.fresh_key(caller_id)
        if isinstance(command, RefusedItem)
        else AnswerKey(caller_id, item.idempotency_key),
        fingerprint=fingerprint(b"POST", b"/payments", canonical_json(body)),
        codec=StoredResponseCodec(request, 201, to_payment_view, payment_of),
    )


def to_command(request: Request[BatchBody], body: PaymentBody) -> Command[Any]:
    """A payment by the customer named, or by the caller; or what a merchant asks for."""
    caller = request.caller
    try:
        if caller.role is Role.MERCHANT:
            return to_request(body, caller.user_id)
        return to_pay(body, body.customer_id or caller.user_id)
    except InvalidInput as invalid:
        facts = {**invalid.facts, "errors": pointed(invalid, body)}
        return RefusedItem(refusal=HttpRefusal(invalid.code, invalid.detail, **facts))
    except Refusal as refusal:
        return RefusedItem(refusal=HttpRefusal(refusal.code, refusal.detail, **refusal.facts))


def encode_answers(request: Request[BatchBody], answers: Sequence[Answer | Failed]) -> bytes:
    """The stored response of the batch, from the answers to its items."""
    results = [result_of(request, answer) for answer in answers]
    if request.body.mode == "independent":
        return stored(207, encode_view(request, results))
    last = answers[-1]
    if isinstance(last, Answer) and not last.refused:
        return stored(201, encode_view(request, results))
    index = len(results) - 1
    status, content = results[index]
    problem = msgspec.json.decode(content)
    aborted = HttpRefusal(
        "batch_aborted",
        f"Item {index} was refused, and so nothing of the batch was done.",
        failed_item={
            "index": index,
            "idempotency_key": request.body.items[index].idempotency_key,
            "status": status,
            "code": problem["code"],
            "detail": problem["detail"],
        },
    )
    return stored_problem(aborted, request)


def encode_view(request: Request[BatchBody], results: Sequence[tuple[int, bytes]]) -> bytes:
    """A `BatchView`, around bodies that are encoded already."""
    return msgspec.json.encode(
        {
            "object": "batch",
            "mode": request.body.mode,
            "results": [{"status": status, "body": msgspec.Raw(body)} for status, body in results],
        }
    )


def result_of(request: Request[BatchBody], answer: Answer | Failed) -> tuple[int, bytes]:
    """The status and the body of an item."""
    if isinstance(answer, Answer):
        return split_stored(answer.body)
    error = HttpRefusal("internal_error", "Something went wrong here. The same item may be sent again.")
    return split_stored(stored_problem(error, request))


OPERATIONS = (
    Operation(
        method="POST",
        path="/payments/batch",
        name="createPayments",
        tag=TAG,
        summary="Pay up to 1,000 times in one database transaction: each for itself (207), or all or nothing (201)",
        handler=pay_all,
        status=207,
        other_statuses=(201,),
        body=BatchBody,
        result=BatchView,
        idempotency=Idempotency.REQUIRED,
        codes=("batch_aborted",),
        body_bytes_max=BODY_BYTES_MAX,
        items_of=lambda body: len(body.items),
        example={
            "mode": "independent",
            "items": [
                {
                    "idempotency_key": "order-1004",
                    "merchant_id": EXAMPLE_PAYMENT["merchant_id"],
                    "amount": 1050,
                    "currency": "USD",
                }
            ],
        },
        example_result={
            "object": "batch",
            "mode": "independent",
            "results": [{"status": 201, "body": EXAMPLE_PAYMENT}],
        },
    ),
)
