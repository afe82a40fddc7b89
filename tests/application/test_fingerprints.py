"""Fingerprints of commands stay the same from version to version, also when a command gets a field with a default."""

from dataclasses import field
from typing import Any, ClassVar

import pytest

from gateway.adapters.memory import memory_storage
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.batch import Batch
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.fingerprints import encoded, fingerprint_of
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.engine.submission import fingerprint
from gateway.application.ports.unit_of_work import Needs
from gateway.contracts.records import SequentialIdentifiers
from gateway.domain.errors import IdempotencyKeyReused
from gateway.domain.immutable import ADDED_LATER, immutable
from gateway.domain.money import Money
from support.builders import StandingClock, usd
from support.hostile import a_shop

RELEASED = {
    "CancelPayment": "a8041bd6ad1d8674",
    "CapturePayment": "9c1096ef381cb2f3",
    "ConfirmPayment": "124d8b1d817366a1",
    "ExpirePayment": "5a3df72a9838b621",
    "FreezeAccount": "d68f109e0716e582",
    "UnfreezeAccount": "bf7ab5a4da601bf7",
    "MakeDeposit": "94a3ef6d1d9cf7b6",
    "MakePayout": "8aebe312ed55d5a6",
    "MakeQuote": "71b44bd2325ed275",
    "OpenAccount": "ac508f76268dd4c3",
    "Pay": "377694643a19614e",
    "RefundPayment": "ef97c551d95d6d46",
    "Register": "cfa9468e10e7138b",
    "RequestPayment": "bd220dc5e008aac9",
    "ReverseTransaction": "ec06762118f0931e",
    "SetFees": "3c9024b325eedee7",
    "CreateWebhookEndpoint": "b5a2ff7147f28198",
    "ChangeWebhookEndpoint": "a7b171a0294fbd34",
    "DeleteWebhookEndpoint": "5ca1b076392fcf91",
    "DisableWebhookEndpoint": "6af5642c1eaf4190",
    "RotateWebhookSecret": "c18ba0b6efa20756",
    "SendTestEvent": "aa83a74448e616e5",
    "CloseAccount": "e73483252e2b2f22",
    "DisableUser": "bdf31ce746834f81",
    "EnableUser": "2bf3087456be2bec",
    "EndSessions": "284bdcd69836df1d",
    "CreateApiKey": "c3d156656749b4b6",
    "RevokeApiKey": "398ba4a4edf5fa6e",
    "RotateApiKey": "867c2a3b0d4f6bf7",
    "ApprovePayment": "33a23e2c5a145f9e",
    "DeclinePayment": "d3e1c914a2dd41cd",
    "InviteMember": "00c87c78c432a6a6",
    "AcceptInvitation": "e917ef6c44bdf982",
    "ChangeMember": "191bb7a43302e3d6",
    "RemoveMember": "7ff0d566cb0786e9",
    "CreateCustomer": "bc3ff5f2951e7f53",
    "ChangeCustomer": "158785a8cd61f3ab",
    "ChargeCustomer": "ea9af334d754c3b7",
    "InviteCustomer": "cda0c4515968b85d",
    "AcceptCustomerInvitation": "e3c41c878ddac61a",
}
"""The first bytes of the fingerprint of a command of each kind: keys of before an update are compared by them."""


@immutable
class Terms:
    """A value in a command."""

    amount: Money


@immutable
class Before(Command[str]):
    """A command of a release."""

    result_type: ClassVar = str

    name: str
    terms: Terms

    def needs(self) -> Needs:
        return Needs()

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[str]:  # noqa: ARG002 - it decides alike.
        return Decision(outcome=self.name)


@immutable
class TermsAfter(Terms):
    """The value in the next release."""

    note: str | None = field(default=None, metadata=ADDED_LATER)


@immutable
class After(Before):
    """The command in the next release."""

    terms: TermsAfter
    tags: tuple[str, ...] = field(default=(), metadata=ADDED_LATER)
    unmarked: int = 0


async def test_a_release_changes_no_fingerprint_of_a_command() -> None:
    commands = (await a_shop(memory_storage())).commands
    found = {kind.__name__: fingerprint_of(command).hex()[:16] for kind, command in commands.items()}
    changed = sorted(name for name in RELEASED if found[name] != RELEASED[name])
    assert changed == [], "Give new fields a default and `metadata=ADDED_LATER`; a new kind of command joins RELEASED."
    assert found.keys() == RELEASED.keys()


async def test_without_added_fields_a_command_is_encoded_as_before() -> None:
    commands = (await a_shop(memory_storage())).commands
    for command in commands.values():
        assert fingerprint_of(command) == fingerprint(type(command).__qualname__.encode(), encoded(command))


def test_a_field_that_was_added_counts_when_it_is_given() -> None:
    before = encoded(Before(name="ada", terms=Terms(amount=usd(10))))
    after = After(name="ada", terms=TermsAfter(amount=usd(10)))
    assert encoded(after) == before[:-1] + b',"unmarked":0}'
    changed: list[After] = [
        After(name="ada", terms=TermsAfter(amount=usd(10), note="")),
        After(name="ada", terms=TermsAfter(amount=usd(10)), tags=("a",)),
    ]
    assert len({fingerprint_of(command) for command in [after, *changed]}) == 3


async def test_a_key_of_before_gets_its_answer_after_the_update() -> None:
    storage = memory_storage()
    batch = Batch(unit_of_work=storage.unit_of_work, clock=StandingClock(), identifiers=SequentialIdentifiers())
    executor = CommandExecutor(OneByOne(batch.run), time_ordered_id)
    terms = Terms(amount=usd(10))
    assert await executor.execute(Before(name="ada", terms=terms), idempotency_key="key-1") == "ada"

    @immutable
    class Updated(Before):
        tags: tuple[str, ...] = field(default=(), metadata=ADDED_LATER)

    Updated.__qualname__ = Before.__qualname__
    assert await executor.execute(Updated(name="ada", terms=terms), idempotency_key="key-1") == "ada"
    other: Any = Updated(name="ada", terms=terms, tags=("new",))
    with pytest.raises(IdempotencyKeyReused):
        await executor.execute(other, idempotency_key="key-1")
