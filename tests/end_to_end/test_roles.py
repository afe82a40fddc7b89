"""`gateway migrate --roles`: a server, a worker and an audit each work with the rights of their role alone."""

import signal
from dataclasses import replace
from pathlib import Path

import httpx

from gateway.adapters.sql.roles import READ, SERVE, WORKER
from support.load import PASSWORD, log_in
from support.postgres import PostgresServer, temporary_database
from support.running_command import running
from support.servers import Installation, until
from support.webhook_calls import a_customer, done, pay, registration

OPERATOR = ("--email", "op@example.com", "--password-stdin")


def of_role(gateway: Installation, role: str) -> Installation:
    """The same gateway, on sessions that have the rights of a role alone."""
    return replace(gateway, database_url=f"{gateway.database_url}?options=-c%20role%3D{role}")


async def a_session(http: httpx.AsyncClient, email: str) -> dict[str, str]:
    """The refresh token of a session that was renewed once."""
    tokens = (await http.post("/users/login", json={"email": email, "password": PASSWORD})).json()
    renewed = await http.post("/users/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert renewed.is_success, renewed.text
    return {"refresh_token": renewed.json()["refresh_token"]}


async def test_each_process_works_with_the_rights_of_its_role(postgres_server: PostgresServer, tmp_path: Path) -> None:
    environ = (("GATEWAY_WORKER_IN_SERVE", "false"), ("GATEWAY_WEBHOOK_POLL_SECONDS", "0.05"))
    async with temporary_database(postgres_server) as database:
        gateway = Installation(tmp_path, postgres_server.url(database), environ)
        granted = await gateway.run("migrate", "--roles")
        assert granted.exit_code == 0, granted.complained
        assert "gateway_read, gateway_serve, gateway_worker have their rights" in granted.said
        made = await of_role(gateway, SERVE).run("create-operator", *OPERATOR, stdin=f"{PASSWORD}\n")
        assert made.exit_code == 0, made.complained
        worker = running(of_role(gateway, WORKER), "worker", "--worker-health-port", "0")
        async with of_role(gateway, SERVE).serving() as server, server.client() as http, worker as working:
            assert (await http.get("/health/ready")).status_code == 200
            shop = (await http.post("/users/register", json=registration("merchant"))).json()
            merchant = await log_in(http, shop["email"])
            customer = await a_customer(http)
            endpoint = await done(http, merchant, "/webhook-endpoints", {"url": f"{server.url}/hook", "events": ["*"]})
            payment = await pay(http, customer, shop["id"])
            await done(http, merchant, f"/payments/{payment['id']}/refunds", {"amount": 50})
            hold = await pay(http, customer, shop["id"], capture="manual")
            await done(http, merchant, f"/payments/{hold['id']}/capture", {"amount": 1_000})
            await done(http, merchant, f"/webhook-endpoints/{endpoint['id']}/rotate-secret", {})
            await done(http, merchant, f"/webhook-endpoints/{endpoint['id']}/test", {})
            [event, *_] = (await http.get("/events", headers=merchant)).json()["data"]
            await done(http, merchant, f"/events/{event['id']}/redeliver", {"endpoint_id": endpoint["id"]})
            deliveries = f"/webhook-endpoints/{endpoint['id']}/deliveries"

            async def was_attempted() -> bool:
                listed = (await http.get(deliveries, headers=merchant)).json()["data"]
                return any(each["attempts"] for each in listed)

            await until(was_attempted, 30)
            operator = await log_in(http, "op@example.com")
            rate = {"rate": "1.10", "spread_basis_points": 50}
            assert (await http.put("/rates/EUR/USD", headers=operator, json=rate)).is_success
            account = shop["accounts"][0]["id"]
            await done(http, operator, f"/accounts/{account}/freeze", {})
            tokens = await a_session(http, shop["email"])
            assert (await http.delete(f"/webhook-endpoints/{endpoint['id']}", headers=merchant)).is_success
            assert (await http.post("/users/logout", headers=merchant, json=tokens)).is_success
            assert await working.end(signal.SIGTERM) == 0
            assert not [line for line in working.complaints if "lacks a right" in line or '"error"' in line]
        verified = await of_role(gateway, READ).run("verify")
        assert verified.exit_code == 0, verified.complained
        refused = await of_role(gateway, READ).run("create-operator", *OPERATOR, stdin=f"{PASSWORD}\n")
        assert (refused.exit_code, refused.said) == (1, "")
        assert "lacks a right in the database" in refused.complained


async def test_the_sql_can_be_printed_for_an_administrator(postgres_url: str, tmp_path: Path) -> None:
    printed = await Installation(tmp_path, postgres_url).run("migrate", "--roles", "--dry-run")
    assert printed.exit_code == 0, printed.complained
    assert "GRANT INSERT ON public.transfers TO gateway_serve;" in printed.said.splitlines()


async def test_sqlite_has_no_roles(tmp_path: Path) -> None:
    for arguments in (("migrate", "--roles"), ("migrate", "--roles", "--dry-run")):
        refused = await Installation(tmp_path).run(*arguments)
        assert (refused.exit_code, refused.said) == (2, "")
        assert "--roles needs Postgres" in refused.complained
    assert not (tmp_path / "data").exists()
