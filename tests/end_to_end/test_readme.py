"""The README's first minutes, as pasted into a shell."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.servers import Installation, Server

README = Path(__file__).parents[2] / "README.md"


async def test_the_curl_lines_of_the_readme_work_as_pasted_and_the_last_one_replays(tmp_path: Path) -> None:
    [lines] = [block for block in _blocks("sh") if "curl" in block]
    deposit_and_payment = "".join(lines.splitlines(keepends=True)[-2:])
    gateway = Installation(tmp_path)
    async with gateway.serving() as server:
        said = await _paste(lines + deposit_and_payment, server)

    answers = [_values(line) for line in said.splitlines()]
    [deposit], [payment, listed], [deposit_again], [payment_again, listed_again] = answers
    assert deposit["object"] == "deposit"
    assert payment["object"] == "payment"
    assert payment["amount"] == 1050
    assert payment["description"] == "Two coffees"
    [transaction] = listed["data"]
    assert transaction["payment_id"] == payment["id"]
    assert deposit_again == deposit
    assert (payment_again, listed_again) == (payment, listed)
    await gateway.verify()


def test_the_example_of_embedding_runs_as_pasted(tmp_path: Path) -> None:
    [example] = _blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "captured\n"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


async def _paste(lines: str, server: Server) -> str:
    """What a shell says to these lines; only where the gateway listens is another."""
    pasted = lines.replace("G=http://127.0.0.1:8000", f"G={server.url}")
    assert server.url in pasted
    shell = await asyncio.create_subprocess_exec(
        "bash",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        said, complained = await shell.communicate(pasted.encode())
    assert complained == b""
    assert shell.returncode == 0
    return said.decode()


def _values(line: str) -> list[dict[str, Any]]:
    """The JSON values that stand in one line, one after the other."""
    values, position = [], 0
    while position < len(line):
        value, position = json.JSONDecoder().raw_decode(line, position)
        values.append(value)
    return values
