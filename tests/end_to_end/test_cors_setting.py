"""CORS on a real server: the setting reaches every path."""

from pathlib import Path

from support.servers import Installation


async def test_an_allowed_origin_may_read_every_answer(tmp_path: Path) -> None:
    origin = "https://shop.example"
    async with (
        Installation(tmp_path).serving(GATEWAY_CORS_ALLOWED_ORIGINS=origin) as server,
        server.client() as http,
    ):
        for path in ("/payments", "/payments/pay_1", "/docs", "/nowhere"):
            answer = await http.get(path, headers={"origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
            quote_command = {"origin": origin, "access-control-request-method": "POST"}
            assert (await http.options(path, headers=quote_command)).status_code == 204
        answer = await http.get("/payments", headers={"origin": "https://elsewhere.example"})
        assert "access-control-allow-origin" not in answer.headers
