"""A receiver of webhooks that fails at random, in a process of its own: `python -m support.unreliable_receiver LOG`.

Writes its port to standard output. Appends a line of JSON to LOG for each request, before it answers: the headers that
Standard Webhooks defines, the body, and the answer.
"""

import asyncio
import json
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

SHARES: Final = {"500": 0.30, "hang": 0.10, "reset": 0.05, "429": 0.05}
"""The share of requests with each failure. All others are answered with 204."""
HANG_SECONDS: Final = 60.0
RESPONSES: Final = {
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "429": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
}
HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: TextIO) -> None:
    """Answer the requests of one connection."""
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await _answer(reader, writer, log):
                pass
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: TextIO) -> bool:
    """Read a request, log it and answer it. Returns whether the connection goes on."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = await reader.readexactly(int(headers["content-length"]))
    names = [*SHARES, "204"]
    [answer] = random.choices(names, weights=[*SHARES.values(), 1 - sum(SHARES.values())])  # noqa: S311 - no secret.
    line = {"headers": {name: headers[name] for name in HEADERS}, "body": body.decode(), "answer": answer}
    log.write(json.dumps(line) + "\n")
    log.flush()
    if answer == "hang":
        await asyncio.sleep(HANG_SECONDS)
    if answer not in RESPONSES:
        return False
    writer.write(RESPONSES[answer])
    await writer.drain()
    return True


async def main(path: Path) -> None:
    """Listen on a free port of loopback until the process is killed."""
    with path.open("a") as log:
        server = await asyncio.start_server(lambda reader, writer: serve(reader, writer, log), "127.0.0.1", 0)
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
