"""Who pays whom: users with money, payments between them, and tokens in their names."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from gateway import ApiKey, CreateApiKey, MakeDeposit, Pay, Register, Registered
from gateway.adapters.jose.access_tokens import JoseAccessTokens
from gateway.adapters.jose.keys import signing_key_from_pem
from gateway.adapters.system.clock import system_clock
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.access.api_key_format import ApiKeyFormat, hash_of_key_secret, new_key_secret
from gateway.application.engine import outcome_codec
from gateway.application.engine.batch import Batch
from gateway.application.engine.command import Command
from gateway.application.engine.submission import Answer, CommandSubmission
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.storage import Storage
from gateway.domain.api_key import LAST_CHARACTERS
from gateway.domain.money import Money, currency_code
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.scope import SCOPES_OF_ROLE
from gateway.domain.user import SYSTEM, Role, UserId

Load = Literal["uniform", "hot", "zipf"]
"""Which merchants are paid: any, one, or few much more often than many (Zipf's law, exponent 1)."""

USD: Final = currency_code("USD")
DEPOSIT_MINOR: Final = 10**9
PAYMENT_MINOR: Final = 5
AT_ONCE: Final = 1000
"""Commands in one transaction while preparing."""
PAYEES: Final = 50_000
TOKEN_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class People:
    """Everybody, by id."""

    customers: Sequence[UserId]
    merchants: Sequence[UserId]

    def payees(self, load: Load, count: int = PAYEES) -> list[UserId]:
        """Merchants in the order in which they are paid."""
        match load:
            case "uniform":
                return random.choices(self.merchants, k=count)
            case "hot":
                return [self.merchants[0]]
            case "zipf":
                weights = [1 / rank for rank in range(1, len(self.merchants) + 1)]
                return random.choices(self.merchants, weights, k=count)

    def save(self, path: Path) -> None:
        """Write to a file, for a server that makes its own ledger."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "People":
        """Read what `save` wrote."""
        return cls(**json.loads(path.read_text()))


def make_people(accounts: int) -> People:
    """Ids for as many users, half of them customers."""
    return People(
        [UserId(time_ordered_id("usr")) for _ in range(accounts // 2)],
        [UserId(time_ordered_id("usr")) for _ in range(accounts // 2)],
    )


def batch_on(storage: Storage) -> Batch:
    """The use-case itself: no HTTP, no queue."""
    return Batch(unit_of_work=storage.unit_of_work, clock=system_clock, identifiers=time_ordered_id)


async def populate(storage: Storage, people: People) -> None:
    """Register everybody and fund the customers, through the use-case: the ledger balances from the beginning."""
    batch = batch_on(storage)
    roles = {**dict.fromkeys(people.customers, Role.CUSTOMER), **dict.fromkeys(people.merchants, Role.MERCHANT)}
    registered = await _all(
        batch,
        [
            Register(
                user_id=user_id,
                email=f"{user_id}@example.com",
                password_hash="-",  # noqa: S106 - matches no password.
                role=role,
                name=None,
                currency=USD,
            )
            for user_id, role in roles.items()
        ],
    )
    outcomes: list[Registered] = [answer.outcome for answer in registered]
    await _all(
        batch,
        [
            MakeDeposit(account_id=outcome.accounts[0].id, amount=Money(DEPOSIT_MINOR, USD), owner_id=None)
            for outcome in outcomes
            if outcome.user.role is Role.CUSTOMER
        ],
    )


def payment(customer_id: UserId, merchant_id: UserId) -> Pay:
    """One payment."""
    order = PaymentOrder(
        customer_id=customer_id, merchant_id=merchant_id, amount=Money(PAYMENT_MINOR, USD), metadata={}
    )
    return Pay(order=order)


def payments(people: People, count: int) -> Iterator[Pay]:
    """Payments between anybody and anybody."""
    pairs = zip(random.choices(people.customers, k=count), random.choices(people.merchants, k=count), strict=True)
    return (payment(customer, merchant) for customer, merchant in pairs)


def submission(command: Command[Any]) -> CommandSubmission:
    """A command under a fresh key."""
    key = AnswerKey(SYSTEM, time_ordered_id("key"))
    return CommandSubmission(command=command, key=key, fingerprint=bytes(32), codec=outcome_codec)


def paid(answers: Sequence[object]) -> None:
    """Check that every answer is a success: a benchmark of refusals is void.

    Raises:
        RuntimeError: One is not.
    """
    for answer in answers:
        if not isinstance(answer, Answer) or isinstance(answer.outcome, Exception) or answer.replayed:
            raise RuntimeError(f"This run is void: {answer}")


def minter(signing_key_pem: str) -> Callable[[UserId, Role], str]:
    """Signs access tokens that are good for an hour."""
    issuer = JoseAccessTokens(
        issuer="gateway",
        audience="gateway",
        signing_key=signing_key_from_pem(signing_key_pem),
        lifetime_seconds=TOKEN_SECONDS,
    )

    def mint(user_id: UserId, role: Role) -> str:
        return issuer.issue(subject=user_id, role=role, token_id=f"{time_ordered_id('ses')}.1", now=system_clock())

    return mint


def tokens(people: People, signing_key_pem: str) -> list[str]:
    """A token for each customer, in no order."""
    mint = minter(signing_key_pem)
    return [mint(customer, Role.CUSTOMER) for customer in random.sample(people.customers, len(people.customers))]


async def api_keys(storage: Storage, people: People) -> list[str]:
    """An API key for each customer that may do all that a customer may, in no order."""
    form = ApiKeyFormat()
    secrets = [new_key_secret() for _ in people.customers]
    created = await _all(
        batch_on(storage),
        [
            CreateApiKey(
                owner_id=customer,
                owner_role=Role.CUSTOMER,
                name="Benchmark",
                scopes=tuple(SCOPES_OF_ROLE[Role.CUSTOMER]),
                expires_at=None,
                secret_hash=hash_of_key_secret(secret),
                last_four=secret[-LAST_CHARACTERS:],
            )
            for customer, secret in zip(people.customers, secrets, strict=True)
        ],
    )
    keys: list[ApiKey] = [answer.outcome for answer in created]
    texts = [form.write(key.id, secret) for key, secret in zip(keys, secrets, strict=True)]
    return random.sample(texts, len(texts))


async def _all(batch: Batch, commands: Sequence[Command[Any]]) -> list[Answer]:
    answers: list[Answer] = []
    for start in range(0, len(commands), AT_ONCE):
        done = await batch.run([submission(command) for command in commands[start : start + AT_ONCE]])
        paid(done)
        answers += [answer for answer in done if isinstance(answer, Answer)]
    return answers
