"""The examples of the documents, as pasted into a shell."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from support.processes import run_to_end
from support.servers import Installation, Server, free_port

ROOT = Path(__file__).parents[2]
PASTING_SECONDS_MAX = 60


def blocks(document: str, language: str) -> list[str]:
    """What stands in a document's fences of this language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [content for found, content in fences if found == language]


async def paste(
    lines: str, gateway: Installation, server: Server, *, shell: str = "bash", listener_port: int = 0
) -> str:
    """What a shell in which `gateway` is installed says to these lines; only the ports are others.

    `listener_port` is where `gateway webhooks listen` listens; nothing does unless it is given.
    """
    pasted = lines.replace("G=http://127.0.0.1:8000", f"G={server.url}")
    pasted = pasted.replace("127.0.0.1:9000", f"127.0.0.1:{listener_port or free_port()}")
    assert server.url in pasted
    path = f"{Path(sys.executable).parent}:{gateway.environment['PATH']}"
    done = await run_to_end(
        [shell],
        cwd=gateway.folder,
        env=gateway.environment | {"PATH": path},
        stdin=pasted,
        seconds_max=PASTING_SECONDS_MAX,
    )
    assert (done.exit_code, done.complained) == (0, "")
    return done.said


def values(line: str) -> list[dict[str, Any]]:
    """The JSON values that stand in one line, one after the other."""
    found, position = [], 0
    while position < len(line):
        value, position = json.JSONDecoder().raw_decode(line, position)
        found.append(value)
    return found
