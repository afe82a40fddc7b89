"""The life of a payment over HTTP, on memory and on Postgres: every row of the table, with its refusals and codes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.application.expiry import Expiry
from gateway.contracts.history import OpenStorage
from support.api_client import Json, Person, World, created, fresh_key, ok, open_world, refused


@pytest.fixture(params=["memory", "postgres"])
def open_storage(request: pytest.FixtureRequest) -> OpenStorage:
    """Opens an empty storage of each kind."""
    opener: OpenStorage = request.getfixturevalue(f"open_{request.param}")
    return opener


@pytest.fixture
async def world(open_storage: OpenStorage) -> AsyncIterator[World]:
    """An application of the test's own, in place of the one on memory that other tests have."""
    async with open_storage() as storage, open_world(storage=storage) as world:
        yield world


async def ask(person: Person, path: str, body: Json | None = None) -> Json:
    return ok(await person.api.post(path, body, key=fresh_key()))


async def refuse(person: Person, path: str, status: int, code: str, body: Json | None = None) -> Json:
    return refused(await person.api.post(path, body, key=fresh_key()), status, code)


async def hold(customer: Person, merchant: Person, amount: int = 1000, **more: object) -> Json:
    return await customer.pay(merchant, amount, "USD", capture="manual", **more)


async def request(merchant: Person, amount: int = 1000, **more: object) -> Json:
    body = {"amount": amount, "currency": "USD", **more}
    return created(await merchant.api.post("/payments", body, key=fresh_key()))


async def shown(person: Person, payment: Json) -> Json:
    return ok(await person.api.get(f"/payments/{payment['id']}"))


async def balance(person: Person) -> Json:
    found: Json = ok(await person.api.get(f"/accounts/{person.account_id}"))["balance"]
    return found


async def check_the_books(world: World) -> None:
    operator = await world.operator()
    assert ok(await operator.api.get("/ledger/invariants"))["ok"] is True


async def test_a_hold_promises_money_to_the_merchant(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant, expires_in_seconds=3600)
    assert (payment["status"], payment["capture"], payment["version"]) == ("authorized", "manual", 1)
    assert (payment["amount_capturable"], payment["amount_captured"], payment["net_amount"]) == (1000, 0, 0)
    assert payment["allowed_actions"] == ["capture", "cancel"]
    assert payment["expires_at"] > payment["created_at"]
    assert await balance(customer) == {"posted": 100_000, "held": 1000, "available": 99_000, "incoming": 0}
    assert await balance(merchant) == {"posted": 0, "held": 0, "available": 0, "incoming": 1000}


@pytest.mark.parametrize("capture", ["automatic", "manual"])
async def test_a_payment_beyond_the_balance_has_failed_and_stays_so(
    world: World, customer: Person, merchant: Person, capture: str
) -> None:
    body = {"merchant_id": merchant.id, "amount": 100_001, "currency": "USD", "capture": capture}
    first = await customer.api.post("/payments", body, key="too-much")
    refusal = refused(first, 402, "insufficient_funds")
    failed = ok(await customer.api.get(f"/payments/{refusal['payment_id']}"))
    assert (failed["status"], failed["failure_code"], failed["version"]) == ("failed", "insufficient_funds", 1)
    assert (failed["amount_capturable"], failed["allowed_actions"]) == (0, [])
    await customer.deposit(100_000)
    again = await customer.api.post("/payments", body, key="too-much")
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    assert (await customer.available(), await merchant.available()) == (200_000, 0)
    await check_the_books(world)


async def test_a_capture_takes_all_that_is_held(world: World, customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    taken = await ask(merchant, f"/payments/{payment['id']}/capture", {})
    assert (taken["status"], taken["amount_captured"], taken["amount_capturable"]) == ("captured", 1000, 0)
    assert taken["allowed_actions"] == ["refund"]
    assert await shown(customer, payment) == taken
    assert (await customer.available(), await merchant.available()) == (99_000, 1000)
    refusal = await refuse(merchant, f"/payments/{payment['id']}/capture", 409, "payment_state_invalid", {})
    assert (refusal["current_status"], refusal["allowed_actions"]) == ("captured", ["refund"])
    await check_the_books(world)


async def test_a_final_capture_of_a_part_gives_the_rest_back(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    taken = await ask(merchant, f"/payments/{payment['id']}/capture", {"amount": 300})
    assert (taken["status"], taken["amount"], taken["amount_captured"]) == ("captured", 1000, 300)
    assert (await balance(customer))["held"] == 0
    assert (await customer.available(), await merchant.available()) == (99_700, 300)


async def test_a_hold_is_captured_in_parts(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    path = f"/payments/{payment['id']}/capture"
    part = await ask(merchant, path, {"amount": 300, "final": False})
    assert (part["status"], part["amount_capturable"]) == ("partially_captured", 700)
    assert part["allowed_actions"] == ["capture", "cancel", "refund"]
    refusal = await refuse(merchant, path, 422, "capture_amount_exceeds_authorized", {"amount": 701, "final": False})
    assert refusal["remaining"] == 700
    whole = await ask(merchant, path, {"amount": 700, "final": False})
    assert (whole["status"], whole["amount_captured"], whole["version"]) == ("captured", 1000, 3)


async def test_a_hold_has_at_most_fifty_captures(customer: Person, merchant: Person) -> None:
    path = f"/payments/{(await hold(customer, merchant))['id']}"
    for _ in range(50):
        await ask(merchant, f"{path}/capture", {"amount": 1, "final": False})
    await refuse(merchant, f"{path}/capture", 409, "capture_limit_reached", {})
    assert (await ask(merchant, f"{path}/cancel"))["amount_captured"] == 50


async def test_nobody_takes_or_cancels_what_is_held_for_another(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await hold(customer, merchant)
    stranger = await world.merchant()
    for action in ("capture", "cancel", "refunds"):
        await refuse(stranger, f"/payments/{payment['id']}/{action}", 404, "payment_not_found", {})


async def test_a_frozen_customers_money_is_released_but_not_captured(
    customer: Person, merchant: Person, operator: Person
) -> None:
    payment, other = await hold(customer, merchant), await hold(customer, merchant)
    requested = await request(merchant, customer_id=customer.id)
    ok(await operator.api.post(f"/accounts/{customer.account_id}/freeze"))
    await ask(merchant, f"/payments/{other['id']}/cancel")
    path = f"/payments/{payment['id']}/capture"
    refused(await merchant.api.post(path, {}, key="later"), 403, "account_frozen")
    await refuse(customer, f"/payments/{requested['id']}/confirm", 403, "account_frozen")
    assert await shown(merchant, requested) == requested
    ok(await operator.api.post(f"/accounts/{customer.account_id}/unfreeze"))
    assert ok(await merchant.api.post(path, {}, key="later"))["status"] == "captured"
    assert (await ask(customer, f"/payments/{requested['id']}/confirm"))["status"] == "captured"


async def test_a_merchant_cancels_a_hold(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    await refuse(customer, f"/payments/{payment['id']}/cancel", 403, "role_forbidden")
    canceled = await ask(merchant, f"/payments/{payment['id']}/cancel")
    assert (canceled["status"], canceled["allowed_actions"]) == ("canceled", [])
    assert await customer.available() == 100_000
    refusal = await refuse(merchant, f"/payments/{payment['id']}/cancel", 409, "payment_state_invalid")
    assert refusal["current_status"] == "canceled"


async def test_canceling_after_a_part_was_captured_keeps_the_part(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    await ask(merchant, f"/payments/{payment['id']}/capture", {"amount": 300, "final": False})
    canceled = await ask(merchant, f"/payments/{payment['id']}/cancel")
    assert (canceled["status"], canceled["amount_captured"]) == ("captured", 300)
    assert (await customer.available(), await merchant.available()) == (99_700, 300)


async def test_a_hold_expires_at_its_time_for_whoever_reads_or_acts(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await hold(customer, merchant, expires_in_seconds=60)
    partly = await hold(customer, merchant, expires_in_seconds=60)
    await ask(merchant, f"/payments/{partly['id']}/capture", {"amount": 300, "final": False})
    world.clock.advance(60)
    read = await shown(customer, payment)
    assert (read["status"], read["amount_capturable"], read["allowed_actions"]) == ("expired", 0, [])
    assert (await shown(customer, partly))["status"] == "captured"
    for action, body in (("capture", {}), ("cancel", None)):
        refusal = await refuse(merchant, f"/payments/{payment['id']}/{action}", 409, "payment_expired", body)
        assert (refusal["current_status"], refusal["allowed_actions"]) == ("expired", [])
        await refuse(merchant, f"/payments/{partly['id']}/{action}", 409, "payment_state_invalid", body)

    async def found(status: str) -> list[str]:
        return [each["id"] for each in ok(await merchant.api.get("/payments", status=status))["data"]]

    assert await found("expired") == [payment["id"]]
    assert await found("captured") == [partly["id"]]
    assert await found("authorized") == await found("partially_captured") == []


async def test_the_worker_writes_down_what_was_true_before(world: World, customer: Person, merchant: Person) -> None:
    whole, partly = await hold(customer, merchant), await hold(customer, merchant)
    requested = await request(merchant, customer_id=customer.id)
    await ask(merchant, f"/payments/{partly['id']}/capture", {"amount": 300, "final": False})
    world.clock.advance(7 * 24 * 3600)
    customer, merchant = await world.signed_in(customer.email), await world.signed_in(merchant.email)
    before = [await shown(merchant, payment) for payment in (whole, partly, requested)]
    assert [payment["status"] for payment in before] == ["expired", "captured", "expired"]
    expiry = Expiry(executor=world.gateway.executor, reader=world.gateway.storage.reader, clock=world.clock)
    assert [await expiry.run_once(), await expiry.run_once()] == [3, 0]
    for payment in before:
        written = {"version": payment["version"] + 1, "updated_at": payment["expires_at"]}
        assert await shown(merchant, payment) == {**payment, **written}
    assert await balance(customer) == {"posted": 99_700, "held": 0, "available": 99_700, "incoming": 0}
    await check_the_books(world)


@pytest.mark.parametrize("status", ["captured", "canceled", "expired", "failed"])
async def test_a_final_state_is_final(world: World, customer: Person, merchant: Person, status: str) -> None:
    if status == "failed":
        body = {"merchant_id": merchant.id, "amount": 100_001, "currency": "USD"}
        payment = {"id": (await refuse(customer, "/payments", 402, "insufficient_funds", body))["payment_id"]}
    else:
        payment = await request(merchant, customer_id=customer.id, expires_in_seconds=60)
    path = f"/payments/{payment['id']}"
    if status == "expired":
        world.clock.advance(60)
    elif status == "canceled":
        await ask(customer, f"{path}/cancel")
    elif status == "captured":
        await ask(customer, f"{path}/confirm")
    final = await shown(customer, payment)
    assert final["status"] == status
    code = "payment_expired" if status == "expired" else "payment_state_invalid"
    for person, action in ((customer, "confirm"), (merchant, "capture"), (merchant, "cancel"), (customer, "cancel")):
        refusal = await refuse(person, f"{path}/{action}", 409, code, {})
        assert (refusal["current_status"], refusal["allowed_actions"]) == (status, final["allowed_actions"])
    if status != "captured":
        refusal = await refuse(merchant, f"{path}/refunds", 409, "payment_not_refundable", {})
        assert (refusal["current_status"], refusal["allowed_actions"]) == (status, [])
    assert await shown(customer, payment) == final
    await check_the_books(world)


@pytest.mark.parametrize(("capture", "status"), [("automatic", "captured"), ("manual", "authorized")])
async def test_a_customer_confirms_what_a_merchant_asks_for(
    world: World, customer: Person, merchant: Person, capture: str, status: str
) -> None:
    payment = await request(merchant, customer_id=customer.id, capture=capture)
    assert (payment["status"], payment["allowed_actions"]) == ("requires_confirmation", ["confirm", "cancel"])
    assert await customer.available() == 100_000
    stranger = await world.customer(balance=5000)
    await refuse(stranger, f"/payments/{payment['id']}/confirm", 404, "payment_not_found")
    confirmed = await ask(customer, f"/payments/{payment['id']}/confirm")
    assert (confirmed["status"], confirmed["version"]) == (status, 2)
    assert await customer.available() == 99_000
    await refuse(customer, f"/payments/{payment['id']}/confirm", 409, "payment_state_invalid")


async def test_a_request_that_names_nobody_is_for_whoever_has_its_id(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await request(merchant)
    assert payment["customer_id"] is None
    assert await shown(customer, payment) == payment
    assert ok(await customer.api.get("/payments"))["data"] == []
    confirmed = await ask(customer, f"/payments/{payment['id']}/confirm")
    assert confirmed["customer_id"] == customer.id
    stranger = await world.customer()
    refused(await stranger.api.get(f"/payments/{payment['id']}"), 404, "payment_not_found")


async def test_a_request_survives_a_confirmation_that_lacks_funds_and_is_then_confirmed(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await request(merchant, 100_001, customer_id=customer.id)
    path = f"/payments/{payment['id']}/confirm"
    world.clock.advance(1)
    first = await customer.api.post(path, key="first")
    assert refused(first, 402, "insufficient_funds")["payment_id"] == payment["id"]
    tried = await shown(merchant, payment)
    assert tried["updated_at"] > payment["updated_at"]
    changes = {"failure_code": "insufficient_funds", "version": 2, "updated_at": tried["updated_at"]}
    assert tried == {**payment, **changes}
    await customer.deposit(1)
    again = await customer.api.post(path, key="first")
    assert (again.status_code, again.content) == (402, first.content)
    confirmed = ok(await customer.api.post(path, key="second"))
    assert (confirmed["status"], confirmed["failure_code"], confirmed["version"]) == ("captured", None, 3)
    await check_the_books(world)


async def test_a_stranger_without_money_neither_binds_a_request_nor_is_shown_to_its_merchant(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await request(merchant)
    stranger = await world.customer()
    await refuse(stranger, f"/payments/{payment['id']}/confirm", 402, "insufficient_funds")
    tried = await shown(merchant, payment)
    assert (tried["customer_id"], tried["failure_code"], tried["version"]) == (None, "insufficient_funds", 2)
    assert tried["allowed_actions"] == ["confirm", "cancel"]
    assert ok(await stranger.api.get("/payments"))["data"] == []
    confirmed = await ask(customer, f"/payments/{payment['id']}/confirm")
    assert (confirmed["customer_id"], confirmed["failure_code"], confirmed["version"]) == (customer.id, None, 3)
    refused(await stranger.api.get(f"/payments/{payment['id']}"), 404, "payment_not_found")
    await check_the_books(world)


async def test_either_party_cancels_a_request(customer: Person, merchant: Person) -> None:
    for person in (customer, merchant):
        payment = await request(merchant, customer_id=customer.id)
        assert (await ask(person, f"/payments/{payment['id']}/cancel"))["status"] == "canceled"


async def test_a_request_expires(world: World, customer: Person, merchant: Person) -> None:
    payment = await request(merchant, customer_id=customer.id, expires_in_seconds=60)
    world.clock.advance(60)
    assert (await shown(merchant, payment))["status"] == "expired"
    await refuse(customer, f"/payments/{payment['id']}/confirm", 409, "payment_expired")


@pytest.mark.parametrize(
    ("who", "change", "pointer"),
    [
        ("customer", {"customer_id": "usr_x"}, "/customer_id"),
        ("customer", {"merchant_id": None}, "/merchant_id"),
        ("customer", {"expires_in_seconds": 60}, "/expires_in_seconds"),
        ("customer", {"capture": "manual", "expires_in_seconds": 59}, "/expires_in_seconds"),
        ("customer", {"capture": "manual", "expires_in_seconds": 2_678_401}, "/expires_in_seconds"),
        ("merchant", {}, "/merchant_id"),
    ],
)
async def test_each_role_has_its_form_of_a_payment(
    customer: Person, merchant: Person, who: str, change: Json, pointer: str
) -> None:
    body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD", **change}
    person = {"customer": customer, "merchant": merchant}[who]
    problem = await refuse(person, "/payments", 400, "validation_error", body)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_captured_money_goes_back_in_parts_and_whole(world: World, customer: Person, merchant: Person) -> None:
    payment = await customer.pay(merchant, 1000)
    path = f"/payments/{payment['id']}/refunds"
    part = created(await merchant.api.post(path, {"amount": 400, "reason": "One was cold"}, key=fresh_key()))
    assert part == {
        "id": part["id"],
        "object": "refund",
        "payment_id": payment["id"],
        "transaction_id": part["transaction_id"],
        "amount": 400,
        "currency": "USD",
        "fee_refunded": 0,
        "status": "succeeded",
        "reason": "One was cold",
        "created_at": part["created_at"],
    }
    refusal = await refuse(merchant, path, 422, "refund_amount_exceeds_remaining", {"amount": 601})
    assert refusal["remaining"] == 600
    rest = created(await merchant.api.post(path, {}, key=fresh_key()))
    assert rest["amount"] == 600
    for person in (customer, merchant):
        assert ok(await person.api.get(path))["data"] == [rest, part]
        assert ok(await person.api.get(f"/refunds/{part['id']}")) == part
        after = await shown(person, payment)
        assert (after["amount_refunded"], after["net_amount"], after["allowed_actions"]) == (1000, 0, [])
    stranger = await world.customer()
    refused(await stranger.api.get(path), 404, "payment_not_found")
    refused(await stranger.api.get(f"/refunds/{part['id']}"), 404, "refund_not_found")
    assert await customer.available() == 100_000


async def test_a_payment_has_at_most_a_hundred_refunds(customer: Person, merchant: Person) -> None:
    path = f"/payments/{(await customer.pay(merchant, 1000))['id']}/refunds"
    for _ in range(100):
        created(await merchant.api.post(path, {"amount": 1}, key=fresh_key()))
    await refuse(merchant, path, 409, "refund_limit_reached", {"amount": 1})


async def test_a_frozen_merchant_receives_but_does_not_refund(
    customer: Person, merchant: Person, operator: Person
) -> None:
    ok(await operator.api.post(f"/accounts/{merchant.account_id}/freeze"))
    payment = await customer.pay(merchant, 1000)
    await refuse(merchant, f"/payments/{payment['id']}/refunds", 403, "account_frozen", {})
    ok(await operator.api.post(f"/accounts/{merchant.account_id}/unfreeze"))
    created(await merchant.api.post(f"/payments/{payment['id']}/refunds", {}, key=fresh_key()))
    assert await customer.available() == 100_000


async def test_a_merchant_who_has_paid_out_cannot_refund(customer: Person, merchant: Person) -> None:
    payment = await customer.pay(merchant, 1000)
    body = {"account_id": merchant.account_id, "amount": 1, "currency": "USD", "reference": "rent"}
    payout = created(await merchant.api.post("/payouts", body, key=fresh_key()))
    assert (payout["object"], payout["amount"], payout["reference"]) == ("payout", 1, "rent")
    await refuse(merchant, f"/payments/{payment['id']}/refunds", 402, "merchant_insufficient_funds", {})
    await refuse(merchant, "/payouts", 402, "insufficient_funds", {**body, "amount": 1000})
    await refuse(customer, "/payouts", 404, "account_not_found", body)


async def test_a_hold_is_not_refunded(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    refusal = await refuse(merchant, f"/payments/{payment['id']}/refunds", 409, "payment_not_refundable", {})
    assert refusal["allowed_actions"] == ["capture", "cancel"]


async def test_fees_are_set_by_operators_and_shown_on_payments(
    customer: Person, merchant: Person, operator: Person
) -> None:
    path = f"/merchants/{merchant.id}/fees"
    body = {"currency": "USD", "basis_points": 290, "fixed_amount": 30}
    fees = ok(await operator.api.send("PUT", path, body))
    assert fees == {"object": "fee_schedule", "merchant_id": merchant.id, **body}
    assert ok(await merchant.api.get(path))["data"] == [fees]
    payment = await customer.pay(merchant, 1000)
    assert (payment["fee_amount"], payment["net_amount"]) == (59, 941)
    assert await merchant.available() == 941
    refund = {"refund_fee": True}
    made = created(await merchant.api.post(f"/payments/{payment['id']}/refunds", refund, key=fresh_key()))
    assert made["fee_refunded"] == 59
    assert (await customer.available(), await merchant.available()) == (100_000, 0)
    [newest, oldest] = ok(await merchant.api.get("/transactions"))["data"]
    assert [(entry["direction"], entry["amount"]) for entry in newest["entries"]] == [("credit", 59), ("debit", 1000)]
    assert (newest["type"], newest["amount"]) == ("refund", 1000)
    assert [(entry["direction"], entry["amount"]) for entry in oldest["entries"]] == [("credit", 1000), ("debit", 59)]


async def test_a_refund_gives_no_more_of_the_fee_back_than_itself(
    world: World, customer: Person, merchant: Person, operator: Person
) -> None:
    payment = await hold(customer, merchant, 20)
    path = f"/payments/{payment['id']}"
    await ask(merchant, f"{path}/capture", {"amount": 10, "final": False})
    created(await merchant.api.post(f"{path}/refunds", {"amount": 9, "refund_fee": True}, key=fresh_key()))
    fees = {"currency": "USD", "basis_points": 10_000}
    ok(await operator.api.send("PUT", f"/merchants/{merchant.id}/fees", fees))
    assert (await ask(merchant, f"{path}/capture", {}))["fee_amount"] == 10
    shares = []
    for amount in (1, 10):
        body = {"amount": amount, "refund_fee": True}
        shares.append(created(await merchant.api.post(f"{path}/refunds", body, key=fresh_key()))["fee_refunded"])
    assert shares == [1, 9]
    assert (await shown(merchant, payment))["fee_amount"] == 0
    assert (await customer.available(), await merchant.available()) == (100_000, 0)
    await check_the_books(world)


async def test_nobody_sees_the_fees_of_others(world: World, merchant: Person, operator: Person) -> None:
    other = await world.merchant()
    refused(await other.api.get(f"/merchants/{merchant.id}/fees"), 404, "merchant_not_found")
    refused(await operator.api.get("/merchants/usr_x/fees"), 404, "merchant_not_found")


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


async def test_the_same_key_captures_and_refunds_once(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    for path, body in (("capture", {"amount": 300}), ("refunds", {"amount": 100})):
        first = await merchant.api.post(f"/payments/{payment['id']}/{path}", body, key=f"once-{path}")
        again = await merchant.api.post(f"/payments/{payment['id']}/{path}", body, key=f"once-{path}")
        assert first.content == again.content
        assert again.headers["idempotency-replayed"] == "true"
    assert await merchant.available() == 200


async def test_parallel_refunds_never_give_back_more_than_was_captured(customer: Person, merchant: Person) -> None:
    payment = await customer.pay(merchant, 1000)
    path = f"/payments/{payment['id']}/refunds"
    answers = await asyncio.gather(*(merchant.api.post(path, {"amount": 101}, key=fresh_key()) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] * 9 + [422] * 11
    assert await customer.available() == 99_000 + 909
