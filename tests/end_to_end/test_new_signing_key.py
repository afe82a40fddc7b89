"""A new signing key: tokens and cursors of before are good, on processes with the old key and with the new one."""

from pathlib import Path

import httpx

from gateway.adapters.jose.keys import generate_pem
from support.pem import public_pem
from support.servers import Installation


async def test_tokens_and_cursors_live_through_a_new_signing_key_while_processes_are_replaced(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    old, new = generate_pem(), generate_pem()
    person = {"email": "ada@example.com", "password": "correct horse battery"}

    async with (
        gateway.serving(GATEWAY_TOKEN_PRIVATE_KEY=old, GATEWAY_TOKEN_PREVIOUS_PUBLIC_KEYS=public_pem(new)) as first,
        gateway.serving(GATEWAY_TOKEN_PRIVATE_KEY=new, GATEWAY_TOKEN_PREVIOUS_PUBLIC_KEYS=public_pem(old)) as second,
        first.client() as on_first,
        second.client() as on_second,
    ):
        await on_first.post("/users/register", json={**person, "role": "customer"})
        for signing, verifying, currency in ((on_first, on_second, "EUR"), (on_second, on_first, "GBP")):
            login = await signing.post("/users/login", json=person)
            token = {"Authorization": f"Bearer {login.json()['access_token']}"}
            assert (await signing.post("/accounts", json={"currency": currency}, headers=token)).status_code == 201
            page = await signing.get("/accounts?limit=1", headers=token)
            rest = await _rest(verifying, page.json()["next_cursor"], token)

            assert [account["currency"] for account in page.json()["data"]] == [currency]
            assert rest[-1] == "USD"
            assert currency not in rest


async def _rest(client: httpx.AsyncClient, cursor: str, token: dict[str, str]) -> list[str]:
    """The currencies of the accounts on the next page."""
    answer = await client.get("/accounts", params={"cursor": cursor}, headers=token)
    assert answer.status_code == 200, answer.text
    return [account["currency"] for account in answer.json()["data"]]
