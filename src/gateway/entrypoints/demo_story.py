"""The story that `gateway demo` tells: the whole life of payments, chapter by chapter, over HTTP."""

import re
import secrets
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import click
import httpx
from rich.table import Table

from gateway.domain.money import Money, currency_code
from gateway.domain.user import Role
from gateway.settings.database_url import without_password

CURRENCY: Final = "USD"
DEPOSIT_MINOR: Final = 20_000
TOO_MUCH_MINOR: Final = 1_000_000

Json = dict[str, Any]

_IDS: Final = re.compile(r"_[0-9a-z]{20,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has logged in; operators have no account."""

    name: str
    id: str
    account_id: str
    token: str = field(repr=False)


@dataclass(slots=True)
class Stage:
    """Where everybody asks for things, and what has come of it so far."""

    client: httpx.AsyncClient
    seen: Table = field(
        default_factory=lambda: Table("", "who", "asked", "answer", "which is", "ms", title="What was asked")
    )
    _title: str = ""

    def chapter(self, title: str) -> None:
        """Begin another one."""
        self.seen.add_section()
        self._title = title

    async def ask(
        self, who: Person | str, method: str, path: str, body: Json | None = None, *, expect: int, key: str = ""
    ) -> Json:
        """Send a request, and write down what came of it. A POST has a key of its own unless one is given.

        Raises:
            ClickException: The gateway cannot be reached, or answered with another status than `expect`.
        """
        name, headers = (who, {}) if isinstance(who, str) else (who.name, {"Authorization": f"Bearer {who.token}"})
        if method == "POST":
            headers["Idempotency-Key"] = key or new_key()
        began = perf_counter()
        try:
            response = await self.client.request(method, path, json=body, headers=headers)
            answer: Json = response.json() if response.content else {}
        except httpx.HTTPError as error:
            raise click.ClickException(
                f"{without_password(str(self.client.base_url))} does not answer: {error}."
            ) from error
        except ValueError as error:
            raise click.ClickException(
                f"{without_password(str(self.client.base_url))} does not answer like a gateway."
            ) from error
        milliseconds = (perf_counter() - began) * 1000
        if response.status_code != expect:
            detail = answer.get("detail", "no reason is given")
            raise click.ClickException(f"{method} {path} was answered {response.status_code}: {detail}")
        replayed = " (the same answer again)" if "Idempotency-Replayed" in response.headers else ""
        self.seen.add_row(
            self._title,
            name,
            f"{method} {_IDS.sub('_…', path)}",
            str(response.status_code),
            gist(answer) + replayed,
            f"{milliseconds:.1f}",
        )
        self._title = ""
        return answer

    async def sign_up(self, name: str, role: Role) -> Person:
        """Register, and log in."""
        email, password = f"{name.lower()}-{secrets.token_hex(4)}@example.com", secrets.token_urlsafe(16)
        body = {"email": email, "password": password, "role": role.value, "name": name, "currency": CURRENCY}
        await self.ask(name, "POST", "/users/register", body, expect=201)
        return await self.log_in(name, email, password)

    async def log_in(self, name: str, email: str, password: str) -> Person:
        """Begin a session."""
        tokens = await self.ask(name, "POST", "/users/login", {"email": email, "password": password}, expect=200)
        user = tokens["user"]
        account_id = user["accounts"][0]["id"] if user["accounts"] else ""
        return Person(name=name, id=user["id"], account_id=account_id, token=tokens["access_token"])


async def play(stage: Stage, ada: Person, shop: Person) -> None:
    """What a customer and a merchant can do by themselves."""
    stage.chapter("Pay at once")
    order = payment_to(shop, 1_050, description="Two coffees")
    key = new_key()
    for _ in range(2):  # The second time as after a lost answer: nothing moves twice.
        await stage.ask(ada, "POST", "/payments", order, expect=201, key=key)
    short = payment_to(shop, 1_050, description="The short form")
    await stage.ask(ada, "POST", "/transactions", short, expect=201)
    await stage.ask(ada, "POST", "/payments", payment_to(shop, TOO_MUCH_MINOR), expect=402)

    stage.chapter("Hold, capture in parts")
    held = payment_to(shop, 3_000, description="A room", capture="manual")
    path = f"/payments/{(await stage.ask(ada, 'POST', '/payments', held, expect=201))['id']}"
    await stage.ask(shop, "POST", f"{path}/capture", {"amount": 1_200, "final": False}, expect=200)
    await stage.ask(shop, "POST", f"{path}/capture", {"amount": 800}, expect=200)

    stage.chapter("Hold, cancel")
    held = payment_to(shop, 500, description="A table", capture="manual")
    path = f"/payments/{(await stage.ask(ada, 'POST', '/payments', held, expect=201))['id']}"
    await stage.ask(shop, "POST", f"{path}/cancel", expect=200)
    await stage.ask(shop, "POST", f"{path}/capture", {}, expect=409)

    stage.chapter("Request, confirm, refund")
    request = {"customer_id": ada.id, "amount": 1_500, "currency": CURRENCY, "description": "An invoice"}
    path = f"/payments/{(await stage.ask(shop, 'POST', '/payments', request, expect=201))['id']}"
    await stage.ask(ada, "POST", f"{path}/confirm", expect=200)
    await stage.ask(shop, "POST", f"{path}/refunds", {"amount": 400, "reason": "One was cold"}, expect=201)
    await stage.ask(shop, "POST", f"{path}/refunds", {}, expect=201)

    stage.chapter("Many at once")
    items = [payment_to(shop, amount) | {"idempotency_key": new_key()} for amount in (300, TOO_MUCH_MINOR)]
    await stage.ask(ada, "POST", "/payments/batch", {"mode": "independent", "items": items}, expect=207)
    items = [item | {"idempotency_key": new_key()} for item in items]
    await stage.ask(ada, "POST", "/payments/batch", {"mode": "atomic", "items": items}, expect=422)

    stage.chapter("Pay out")
    await stage.ask(shop, "POST", "/payouts", money_of(shop, 2_000), expect=201)


async def operate(stage: Stage, ada: Person, shop: Person, operator: Person) -> None:
    """What takes an operator."""
    stage.chapter("Fees")
    fees = {"currency": CURRENCY, "basis_points": 290, "fixed_amount": 30}
    await stage.ask(operator, "PUT", f"/merchants/{shop.id}/fees", fees, expect=200)
    paid = payment_to(shop, 1_000, description="With a fee")
    path = f"/payments/{(await stage.ask(ada, 'POST', '/payments', paid, expect=201))['id']}"
    await stage.ask(shop, "POST", f"{path}/refunds", {"amount": 500, "refund_fee": True}, expect=201)

    stage.chapter("Reverse")
    deposit = await stage.ask(operator, "POST", "/deposits", money_of(ada, 700), expect=201)
    reverse = f"/transactions/{deposit['transaction_id']}/reverse"
    await stage.ask(operator, "POST", reverse, {"reason": "Deposited twice"}, expect=201)
    await stage.ask(operator, "POST", reverse, {"reason": "Deposited twice"}, expect=409)

    stage.chapter("Freeze")
    await stage.ask(operator, "POST", f"/accounts/{ada.account_id}/freeze", expect=200)
    await stage.ask(ada, "POST", "/payments", payment_to(shop, 100), expect=403)
    await stage.ask(operator, "POST", f"/accounts/{ada.account_id}/unfreeze", expect=200)

    stage.chapter("Check the books")
    await stage.ask(operator, "GET", "/ledger/invariants", expect=200)


def payment_to(merchant: Person, amount_minor: int, **more: str) -> Json:
    """What a customer sends to pay."""
    return {"merchant_id": merchant.id, "amount": amount_minor, "currency": CURRENCY, **more}


def money_of(owner: Person, amount_minor: int) -> Json:
    """What comes into somebody's account, or leaves it."""
    return {"account_id": owner.account_id, "amount": amount_minor, "currency": CURRENCY}


def new_key() -> str:
    """An idempotency key that nobody has used."""
    return secrets.token_hex(16)


def gist(answer: Json) -> str:
    """An answer in a few words."""
    match answer:
        case {"code": code, "failed_item": item}:
            words = f"{code}: item {item['index']}, {item['code']}"
        case {"code": code}:
            words = code
        case {"object": "payment", "amount": amount, "amount_captured": captured, "status": status}:
            words = f"payment of {shown(amount)}, {status}" + (f" {shown(captured)}" if 0 < captured < amount else "")
        case {"object": "batch", "results": results}:
            words = f"batch: {', '.join(str(result['status']) for result in results)}"
        case {"object": "account", "balance": balance, "status": status}:
            words = f"account, {status}, with {shown(balance['available'])}"
        case {"object": "ledger_invariants", "ok": ok}:
            words = "every minor unit is where it belongs" if ok else "a ledger that is not sound"
        case {"object": kind, "amount": amount}:
            words = f"{answer.get('type', kind)} of {shown(amount)}"
        case {"object": kind}:
            words = kind.replace("_", " ")
        case _:
            words = answer.get("token_type", "")
    return words


def shown(amount_minor: int) -> str:
    """An amount for people; nothing, which is no amount, too."""
    return str(Money(amount_minor, currency_code(CURRENCY))) if amount_minor else "nothing"
