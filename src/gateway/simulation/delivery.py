"""Delivery: how commands are submitted. Alone, concurrently, twice, in bulk submissions, or again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from gateway.application.commands.capture_payment import CapturePayment
from gateway.application.commands.expire_payment import ExpirePayment
from gateway.application.commands.refund_payment import RefundPayment
from gateway.application.engine import outcome_codec
from gateway.application.engine.command import Command
from gateway.application.engine.submission import (
    Answer,
    BulkSubmission,
    CommandSubmission,
    Failed,
    Submission,
    fingerprint,
)
from gateway.application.ports.batch_records import AnswerKey
from gateway.domain.immutable import immutable
from gateway.domain.user import SYSTEM, Role
from gateway.simulation.model_records import ModelPayment
from gateway.simulation.operations import any_command
from gateway.simulation.operations.api_keys import create_key
from gateway.simulation.operations.exchange import paying
from gateway.simulation.operations.payments import canceling, capturing, confirming, expiring
from gateway.simulation.operations.refunds import refunding
from gateway.simulation.world import World

TOGETHER_MAX: Final = 8
"""The number of commands that are submitted concurrently, or in a bulk submission."""

DUE_MAX: Final = 32
"""The number of payments that the worker expires at once."""

SPREE: Final = 110
"""More than the captures and the refunds that a payment may have, and than the API keys of an owner."""

_MICROSECOND: Final = timedelta(microseconds=1)

_request: Final = msgspec.json.Encoder(order="deterministic")


class Door(StrEnum):
    """The executor that runs the submissions of a step."""

    ONE_BY_ONE = "one by one"
    GROUPED = "grouped"
    BOTH = "both executors"


@immutable
class Step:
    """Submissions that run concurrently. `name` is for people."""

    name: str
    submissions: Sequence[Submission]
    executor: Door


Draw = Callable[[World], Step]

_ASKING: Final[Sequence[Callable[[World, ModelPayment], Command[Any]]]] = (
    confirming,
    capturing,
    canceling,
    expiring,
    refunding,
)


def one(world: World) -> Step:
    """One command."""
    return _step(world, "one", [submission(world, any_command(world))])


def together(world: World) -> Step:
    """Several concurrent commands."""
    count = world.random.randint(2, TOGETHER_MAX)
    return _step(world, "together", [submission(world, any_command(world)) for _ in range(count)])


def twice(world: World) -> Step:
    """The same submission, delivered twice."""
    return _step(world, "twice", [submission(world, any_command(world))] * 2)


def again(world: World) -> Step:
    """An earlier submission again, or another command with its key."""
    if not world.submissions:
        return one(world)
    earlier = world.one_of(world.submissions)
    if world.chance(30):
        return _step(world, "key reused", [submission(world, any_command(world), earlier.key)])
    return _step(world, "again", [earlier])


def bundled(world: World) -> Step:
    """A bulk submission, atomic or not. Some parts were submitted before, or are in it twice."""
    parts: list[CommandSubmission] = []
    for _ in range(world.random.randint(1, TOGETHER_MAX)):
        earlier = [
            each for each in (*parts, *world.submissions[-TOGETHER_MAX:]) if not isinstance(each, BulkSubmission)
        ]
        if earlier and world.chance(6):
            parts.append(world.one_of(earlier))
        elif earlier and world.chance(2):
            parts.append(submission(world, any_command(world), world.one_of(earlier).key))
        else:
            parts.append(submission(world, any_command(world)))
    return _step(world, "bulk submission", [bulk_submission(world, parts, atomic=world.chance(50))])


def at_the_last_moment(world: World) -> Step:
    """A command on a payment just before, at, or just after it expires."""
    end = world.next_end()
    if end is None:
        return one(world)
    moment, payment_id = end
    world.clock.wait_until(moment - _MICROSECOND)
    world.clock.wait(world.one_of((0, 1, 2)))
    command = world.one_of(_ASKING)(world, world.model.payments[payment_id])
    return _step(world, "at the last moment", [submission(world, command)])


def at_the_end_of_a_quote(world: World) -> Step:
    """A payment with a quote just before, at, or just after the quote expires."""
    quote_id = world.quote()
    promised = world.model.quotes.get(quote_id)
    if promised is None or promised.payment is not None or promised.expires_at <= world.clock():
        return one(world)
    world.clock.wait_until(promised.expires_at - _MICROSECOND)
    world.clock.wait(world.one_of((0, 1, 2)))
    return _step(world, "at the end of a quote", [submission(world, paying(world, quote_id))])


def one_quote_for_all(world: World) -> Step:
    """Several payments with the same quote, concurrently or in a bulk submission."""
    quote_id = world.quote()
    parts = [submission(world, paying(world, quote_id)) for _ in range(world.random.randint(2, 3))]
    if world.chance(50):
        return _step(world, "one quote for all", [bulk_submission(world, parts, atomic=world.chance(50))])
    return _step(world, "one quote for all", parts)


def worker(world: World) -> Step:
    """The worker expires payments that are due."""
    world.next_end()
    due, world.overdue = world.overdue[:DUE_MAX], world.overdue[DUE_MAX:]
    if not due:
        return one(world)
    keys = [AnswerKey(SYSTEM, f"expire-{payment_id}") for payment_id in due]
    commands = [ExpirePayment(payment_id=payment_id) for payment_id in due]
    submissions = [submission(world, command, key) for command, key in zip(commands, keys, strict=True)]
    return _step(world, "worker", submissions)


def spree(world: World) -> Step:
    """A merchant captures or refunds single minor units until the limit."""
    payment = world.payment(*world.one_of((("authorized", "partially_captured"), ("captured",))))
    if payment is None:
        return one(world)
    command: Command[Any] = RefundPayment(
        payment_id=payment.id, merchant_id=payment.merchant, amount_minor=1, refund_fee=world.chance(50)
    )
    if payment.held:
        command = CapturePayment(payment_id=payment.id, merchant_id=payment.merchant, amount_minor=1, final=False)
    # In one transaction: a hundred of them, for one and the same thing, would cost as much as a hundred steps.
    return Step(name="spree", submissions=[submission(world, command) for _ in range(SPREE)], executor=Door.GROUPED)


def spree_of_keys(world: World) -> Step:
    """A merchant creates API keys until the limit. Earlier keys that ended long ago make room for some of them."""
    owner, soon = world.one_of(world.merchants), world.clock() + timedelta(minutes=1)
    commands = [
        replace(create_key(world), owner_id=owner, owner_role=Role.MERCHANT, expires_at=world.one_of((None, soon)))
        for _ in range(SPREE)
    ]
    submissions = [submission(world, command) for command in commands]
    return Step(name="spree of keys", submissions=submissions, executor=Door.GROUPED)


def submission(world: World, command: Command[Any], key: AnswerKey | None = None) -> CommandSubmission:
    """A command as the executor submits it."""
    return CommandSubmission(
        command=command,
        key=AnswerKey(SYSTEM, world.fresh_key()) if key is None else key,
        fingerprint=fingerprint(type(command).__qualname__.encode(), _request.encode(command)),
        codec=outcome_codec,
    )


def bulk_submission(world: World, parts: Sequence[CommandSubmission], *, atomic: bool) -> BulkSubmission:
    """Parts as one submission."""
    return BulkSubmission(
        key=parts[-1].key if world.chance(2) else AnswerKey(SYSTEM, world.fresh_key()),
        fingerprint=fingerprint(bytes([atomic]), *(part.fingerprint for part in parts)),
        codec=outcome_codec,
        parts=parts,
        atomic=atomic,
        encode_all=_encode_all,
    )


def _encode_all(answers: Sequence[Answer | Failed]) -> bytes:
    return b"[" + b",".join(answer.body if isinstance(answer, Answer) else b"null" for answer in answers) + b"]"


def _step(world: World, name: str, submissions: Sequence[Submission]) -> Step:
    return Step(name=name, submissions=submissions, executor=world.one_of(tuple(Door)))


DELIVERIES: Final[Sequence[tuple[int, Draw]]] = (
    (1400, one),
    (120, together),
    (80, twice),
    (120, again),
    (80, bundled),
    (120, at_the_last_moment),
    (40, at_the_end_of_a_quote),
    (40, one_quote_for_all),
    (60, worker),
    (4, spree),
    (1, spree_of_keys),
)
"""Each with its relative frequency."""

_DECK: Final = tuple(draw for weight, draw in DELIVERIES for _ in range(weight))


def next_step(world: World) -> Step:
    """Draw the next step."""
    return world.one_of(_DECK)(world)
