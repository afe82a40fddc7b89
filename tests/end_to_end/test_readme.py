"""The README's first minutes, as pasted into a shell."""

import subprocess
import sys
from pathlib import Path

from support.pasting import blocks, paste, values
from support.servers import Installation


async def test_the_curl_lines_of_the_readme_work_as_pasted_and_the_last_one_replays(tmp_path: Path) -> None:
    [lines] = [block for block in blocks("README.md", "sh") if "curl" in block]
    deposit_and_payment = "".join(lines.splitlines(keepends=True)[-2:])
    gateway = Installation(tmp_path)
    async with gateway.serving() as server:
        said = await paste(lines + deposit_and_payment, gateway, server)

    answers = [values(line) for line in said.splitlines()]
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
    [example] = blocks("README.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "captured\n"
