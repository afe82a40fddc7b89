"""Parties of payments across currencies, and what they do often over HTTP."""

from dataclasses import dataclass

from support.api_client import Json, Person, World, created, fresh_key, ok, refused


@dataclass(frozen=True)
class Bureau:
    """A customer with 1,000 euros, a merchant who is paid in dollars, and a rate between them."""

    world: World
    customer: Person
    merchant: Person
    operator: Person

    async def quote(self, **wish: object) -> Json:
        """A quote of the customer's, for $10.50 unless told otherwise."""
        return created(await self.customer.api.post("/quotes", a_wish(**wish)))

    async def pay(self, quote: Json, **more: object) -> Json:
        return created(await self.customer.api.post("/payments", self.order(quote, **more), key=fresh_key()))

    async def refuse(self, status: int, code: str, order: Json) -> Json:
        return refused(await self.customer.api.post("/payments", order, key=fresh_key()), status, code)

    def order(self, quote: Json, **more: object) -> Json:
        return {
            "merchant_id": self.merchant.id,
            "amount": quote["target_amount"],
            "currency": quote["to_currency"],
            "quote_id": quote["id"],
            **more,
        }


def a_wish(**changes: object) -> Json:
    wish = {"from_currency": "EUR", "to_currency": "USD", "target_amount": 1_050, **changes}
    return {name: value for name, value in wish.items() if value is not None}


async def set_rate(operator: Person, pair: str, rate: str, spread: int = 0) -> Json:
    body = {"rate": rate, "spread_basis_points": spread}
    return ok(await operator.api.send("PUT", f"/rates/{pair}", body))
