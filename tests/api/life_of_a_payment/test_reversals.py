"""Reversals of deposits and payouts, with all refusals and codes."""

from support.api_client import Person, created, fresh_key, ok
from support.payment_calls import refuse


async def test_a_deposit_is_reversed_once(customer: Person, operator: Person) -> None:
    deposit = await operator.deposit(500, account_id=customer.account_id)
    path = f"/transactions/{deposit['transaction_id']}/reverse"
    reversal = created(await operator.api.post(path, {"reason": "Deposited twice"}, key=fresh_key()))
    assert (reversal["type"], reversal["reverses"]) == ("reversal", deposit["transaction_id"])
    assert len(reversal["entries"]) == 2
    refusal = await refuse(operator, path, 409, "already_reversed", {"reason": "Again"})
    assert refusal["reversed_by"] == reversal["id"]
    original = ok(await customer.api.get(f"/transactions/{deposit['transaction_id']}"))
    assert original["reversed_by"] == reversal["id"]
    again = f"/transactions/{reversal['id']}/reverse"
    await refuse(operator, again, 409, "transaction_not_reversible", {"reason": "Again"})
    assert await customer.available() == 100_000


async def test_a_payout_is_reversed_and_a_deposit_that_was_spent_is_not(
    customer: Person, merchant: Person, operator: Person
) -> None:
    deposit = await operator.deposit(500, account_id=merchant.account_id)
    body = {"account_id": merchant.account_id, "amount": 500, "currency": "USD"}
    payout = created(await merchant.api.post("/payouts", body, key=fresh_key()))
    undo_deposit, undo_payout = (f"/transactions/{made['transaction_id']}/reverse" for made in (deposit, payout))
    await refuse(operator, undo_deposit, 402, "insufficient_funds", {"reason": "A mistake"})
    created(await operator.api.post(undo_payout, {"reason": "It came back"}, key=fresh_key()))
    assert await merchant.available() == 500
    ok(await operator.api.post(f"/accounts/{merchant.account_id}/freeze"))
    await refuse(operator, undo_deposit, 403, "account_frozen", {"reason": "A mistake"})
    await refuse(merchant, "/payouts", 403, "account_frozen", body)
    await refuse(customer, undo_deposit, 403, "role_forbidden", {"reason": "A mistake"})


async def test_a_payments_transaction_is_not_reversed(customer: Person, merchant: Person, operator: Person) -> None:
    payment = await customer.pay(merchant, 10)
    [transaction, _] = ok(await customer.api.get("/transactions"))["data"]
    refusal = await refuse(operator, f"/transactions/{transaction['id']}/reverse", 409, "use_refund", {"reason": "x"})
    assert refusal["payment_id"] == payment["id"]
