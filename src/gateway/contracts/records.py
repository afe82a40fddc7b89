"""Records to store: plausible ones, of which a test names the fields that it is about."""

import base64
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.application.ports.batch_records import AnswerKey, NewUser, StoredAnswer
from gateway.application.ports.identifiers import NewId
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, Records, Wanted
from gateway.application.ports.users import Credentials
from gateway.application.views.events import event_data
from gateway.domain.account import Account, AccountId, AccountKind, AccountStatus
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.customer import Customer
from gateway.domain.event import Event, EventId
from gateway.domain.event_type import EventType
from gateway.domain.member import Member, MemberId
from gateway.domain.member_role import MemberRole
from gateway.domain.money import CurrencyCode, Money, currency_code
from gateway.domain.payment import CaptureMethod, Payment, PaymentId, QuoteId
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.quote import Quote
from gateway.domain.rate import CurrencyPair, ExchangeRate, rate_of
from gateway.domain.scope import Scope
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.transfer import BalanceAfter, Transfer, TransferKind
from gateway.domain.user import Role, User, UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint

NOW: Final = datetime(2030, 1, 2, 12, 30, 15, 123_456, tzinfo=UTC)
USD: Final = currency_code("USD")
EUR: Final = currency_code("EUR")
JPY: Final = currency_code("JPY")


def identifier(prefix: str, number: int, moment: datetime | None = None) -> str:
    """An identifier in the form of a real one: of `moment` (`NOW`, as `created_at` is), then sorted by its number."""
    time = _TIME if moment is None else _time_of(moment)
    return f"{prefix}_{time}{number:016d}"


def _time_of(moment: datetime) -> str:
    """The first ten characters of a TypeID: 48 bits of milliseconds, in Crockford's base32."""
    milliseconds = int(moment.timestamp() * 1000)
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    return "".join(alphabet[milliseconds >> 5 * place & 31] for place in reversed(range(10)))


_TIME: Final = _time_of(NOW)


class SequentialIdentifiers:
    """The port `Identifiers` without chance: it makes 1, 2, 3 and so on of each prefix."""

    def __init__(self) -> None:
        self._made: defaultdict[str, int] = defaultdict(int)

    def __call__(self, prefix: str) -> str:
        """The next identifier of this prefix."""
        self._made[prefix] += 1
        return identifier(prefix, self._made[prefix])

    def of(self, _: datetime) -> NewId:
        """The same of any moment."""
        return self

    def made(self) -> Mapping[str, int]:
        """How many of each prefix there are."""
        return dict(self._made)

    def go_back(self, made: Mapping[str, int]) -> None:
        """Make once more the identifiers that came after `made`."""
        self._made = defaultdict(int, made)


def user_id(number: int) -> UserId:
    """The id of user `number`."""
    return UserId(identifier("usr", number))


def account_id(number: int) -> AccountId:
    """The id of account `number`."""
    return AccountId(identifier("acc", number))


def payment_id(number: int) -> PaymentId:
    """The id of payment `number`."""
    return PaymentId(identifier("pay", number))


def transaction_id(number: int) -> TransactionId:
    """The id of transaction `number`."""
    return TransactionId(identifier("txn", number))


def quote_id(number: int) -> QuoteId:
    """The id of quote `number`."""
    return QuoteId(identifier("quo", number))


def a_user(number: int = 1, *, password_hash: str = "$argon2id$one", **fields: Any) -> NewUser:  # noqa: S107 - no hash of anything.
    """A customer, unless `fields` say otherwise."""
    user = User(id=user_id(number), email=f"user{number}@example.com", role=Role.CUSTOMER, name=None, created_at=NOW)
    return NewUser(user=replace(user, **fields), password_hash=password_hash)


def an_account(number: int = 1, **fields: Any) -> Account:
    """The empty USD account of customer `number`, unless `fields` say otherwise."""
    account = Account(
        id=account_id(number),
        owner_id=user_id(number),
        kind=AccountKind.CUSTOMER,
        currency=USD,
        debits_pending=0,
        debits_posted=0,
        credits_pending=0,
        credits_posted=0,
        status=AccountStatus.OPEN,
        version=1,
        created_at=NOW,
    )
    return replace(account, **fields)


def a_payment(number: int = 1, **fields: Any) -> Payment:
    """A captured payment of 40 cents from user 1 to user 2, which user 1 named, unless `fields` say otherwise."""
    payment = Payment(
        id=payment_id(number),
        status=PaymentStatus.CAPTURED,
        amount=Money(40, USD),
        capture=CaptureMethod.AUTOMATIC,
        customer_id=user_id(1),
        merchant_id=user_id(2),
        amount_captured_minor=0,
        amount_refunded_minor=0,
        fee_amount_minor=0,
        reference=None,
        description=None,
        metadata={},
        expires_at=None,
        failure_code=None,
        version=1,
        created_at=NOW,
        updated_at=NOW,
        reference_held_by=user_id(1) if fields.get("reference") is not None else None,
    )
    return replace(payment, **fields)


def a_quote(number: int = 1, **fields: Any) -> Quote:
    """Customer 1 pays 50 euro cents, 1 of which is spread, for 53 US cents; unless `fields` say otherwise."""
    quote = Quote(
        id=quote_id(number),
        customer_id=user_id(1),
        source=Money(50, EUR),
        target=Money(53, USD),
        spread_minor=1,
        rate=rate_of("1.0842"),
        spread_basis_points=100,
        expires_at=NOW + timedelta(seconds=60),
        created_at=NOW,
    )
    return replace(quote, **fields)


def a_rate(source: CurrencyCode = EUR, target: CurrencyCode = USD, **fields: Any) -> ExchangeRate:
    """1.0842 with a spread of 1 %, unless `fields` say otherwise."""
    rate = ExchangeRate(
        pair=CurrencyPair(source, target), rate=rate_of("1.0842"), spread_basis_points=100, updated_at=NOW
    )
    return replace(rate, **fields)


def a_transfer(debit: AccountId, credit: AccountId, **fields: Any) -> Transfer:
    """A transfer of 40 cents, unless `fields` say otherwise."""
    transfer = Transfer(
        kind=TransferKind.POST,
        amount_minor=40,
        currency=USD,
        debit_account_id=debit,
        debit_after=BalanceAfter(60, 0, 2),
        credit_account_id=credit,
        credit_after=BalanceAfter(40, 0, 2),
    )
    return replace(transfer, **fields)


def a_transaction(number: int = 1, *transfers: Transfer, **fields: Any) -> Transaction:
    """A transaction with one transfer from account 1 to account 2, unless told otherwise."""
    transaction = Transaction(
        id=transaction_id(number),
        type=TransactionType.PAYMENT,
        # Each brings its accounts to versions of their own, as if it were the only thing that had happened to them.
        transfers=transfers
        or (
            a_transfer(
                account_id(1),
                account_id(2),
                debit_after=BalanceAfter(60, 0, number + 1),
                credit_after=BalanceAfter(40, 0, number + 1),
            ),
        ),
        payment_id=None,
        customer_id=user_id(1),
        merchant_id=user_id(2),
        description=None,
        reverses=None,
        created_at=NOW,
    )
    return replace(transaction, **fields)


def an_event(number: int, of: Account | Payment, kind: EventType, *, created_at: datetime = NOW) -> Event:
    """The event that brought `of` to its version."""
    return Event(
        id=EventId(identifier("evt", number)),
        type=kind,
        object=of,
        sequence=of.version,
        customer_id=user_id(1),
        merchant_id=None,
        created_at=created_at,
        data=event_data(of),
    )


def endpoint_id(number: int) -> EndpointId:
    """The id of webhook endpoint `number`."""
    return EndpointId(identifier("whe", number))


def a_webhook_endpoint(number: int = 1, *, owner: int = 2, **fields: Any) -> WebhookEndpoint:
    """An enabled endpoint of user `owner` for all events of payments, unless `fields` say otherwise."""
    endpoint = WebhookEndpoint(
        id=endpoint_id(number),
        owner_id=user_id(owner),
        all_merchants=False,
        url=f"https://shop.example/webhooks/{number}",
        events=("payment.*",),
        description=None,
        disabled_reason=None,
        secret=a_webhook_secret(number),
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(endpoint, **fields)


def a_webhook_secret(number: int = 1) -> str:
    """A secret, which nobody else has to guess."""
    return "whsec_" + base64.b64encode(number.to_bytes(32, "big")).decode()


def api_key_id(number: int) -> ApiKeyId:
    """The id of API key `number`."""
    return ApiKeyId(identifier("key", number))


def an_api_key(number: int = 1, *, owner: int = 2, **fields: Any) -> ApiKey:
    """A key of merchant `owner` that reads payments and does not expire, unless `fields` say otherwise."""
    key = ApiKey(
        id=api_key_id(number),
        owner_id=user_id(owner),
        owner_role=Role.MERCHANT,
        name="Shop",
        scopes=(Scope.PAYMENTS_READ,),
        secret_hash=number.to_bytes(32, "big"),
        last_four=f"{number:04}",
        created_at=NOW,
        expires_at=None,
    )
    return replace(key, **fields)


def a_customer(number: int = 1, *, merchant: int = 2, **fields: Any) -> Customer:
    """Customer `number`, of whom merchant `merchant` knows nothing but what `fields` say."""
    customer = Customer(
        id=user_id(number), merchant_id=user_id(merchant), name=None, email=None, external_id=None, created_at=NOW
    )
    return replace(customer, **fields)


def payment_counters(number: int = 1, *, version: int = 1, **fields: Any) -> PaymentCounters:
    """The counters of customer `number`: one payment of 40 cents at `NOW`, unless `fields` say otherwise."""
    first = PaymentCounters(customer_id=user_id(number), windows={})
    return replace(first.counted(Money(40, USD), [timedelta(hours=1)], NOW), version=version, **fields)


def member_id(number: int) -> MemberId:
    """The id of member `number`."""
    return MemberId(identifier("mem", number))


def a_member(number: int = 1, *, merchant: int = 2, **fields: Any) -> Member:
    """An active member of `merchant`, a viewer, user 100 + `number`, unless `fields` say otherwise."""
    member = Member(
        id=member_id(number),
        merchant_id=user_id(merchant),
        email=f"member{number}@example.com",
        role=MemberRole.VIEWER,
        user_id=user_id(100 + number),
        invited_by=user_id(merchant),
        token_hash=None,
        created_at=NOW,
        expires_at=None,
        joined_at=NOW,
        changed_at=NOW,
        sequence=2,
    )
    return replace(member, **fields)


def an_invitation(number: int = 1, *, merchant: int = 2, **fields: Any) -> Member:
    """An invitation of `merchant`, for a week, unless `fields` say otherwise."""
    return a_member(
        number,
        merchant=merchant,
        **{
            "user_id": None,
            "token_hash": number.to_bytes(32, "big"),
            "expires_at": NOW + timedelta(days=7),
            "joined_at": None,
            "sequence": 1,
            **fields,
        },
    )


def an_answer(key: str = "key-1", *, owner: int = 1, body: bytes = b'{"ok":true}', **fields: Any) -> StoredAnswer:
    """An answer to `key` of user `owner`."""
    answer = StoredAnswer(key=AnswerKey(user_id(owner), key), fingerprint=b"\x01" * 32, body=body, created_at=NOW)
    return replace(answer, **fields)


async def load(storage: Storage, wanted: Wanted) -> Records:
    """What is wanted, in a unit of work of its own; tuples, so that records can be compared."""
    async with storage.unit_of_work() as work:
        found = await work.load(wanted)
    return Records(
        answers=tuple(found.answers),
        accounts=tuple(found.accounts),
        payments=tuple(found.payments),
        account_holders=tuple(found.account_holders),
        references_taken=tuple(found.references_taken),
        emails_taken=tuple(found.emails_taken),
        users=tuple(found.users),
        user_ids_taken=tuple(found.user_ids_taken),
        transactions=tuple(found.transactions),
        quotes=tuple(found.quotes),
        webhook_endpoints=tuple(found.webhook_endpoints),
        api_keys=tuple(found.api_keys),
        customers=tuple(found.customers),
        external_ids_taken=tuple(found.external_ids_taken),
        payment_counters=tuple(found.payment_counters),
        members=tuple(found.members),
        latest_at=found.latest_at,
    )


async def by_email(storage: Storage, email: str) -> Credentials | None:
    """The user whose address is kept in exactly this spelling, or `None`."""
    found = (await storage.users.at_login([(email, "192.0.2.1")])).get((email, "192.0.2.1"))
    return None if found is None else found.credentials


async def commit(storage: Storage, changes: Changes, wanted: Wanted | None = None) -> None:
    """Commit changes in a unit of work of their own, which has loaded `wanted` (nothing, unless given)."""
    async with storage.unit_of_work() as work:
        await work.load(Wanted() if wanted is None else wanted)
        await work.commit(changes)
