"""A root path on a real server: behind a proxy that strips it, and behind one that does not."""

from pathlib import Path

from support.servers import Installation


async def test_a_server_with_a_root_path_answers_with_and_without_it(tmp_path: Path) -> None:
    async with Installation(tmp_path).serving("--root-path", "/gateway") as server, server.client() as http:
        for prefix in ("", "/gateway"):
            assert (await http.get(f"{prefix}/health/live")).json()["status"] == "ok"
            assert (await http.get(f"{prefix}/accounts/acc_1")).status_code == 401
            assert (await http.get(f"{prefix}/openapi.json")).json()["servers"] == [{"url": f"{server.url}/gateway"}]
            assert (await http.get(f"{prefix}/docs/static/docs.js")).status_code == 200
        assert (await http.get("/elsewhere/health/live")).status_code == 404
