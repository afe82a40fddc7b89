"""The closed loop: so many connections, each sending as soon as it is answered. wrk drives it."""

import resource
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench.ledger import VoidRun
from bench.servers import HOST, Server

SCRIPT: Final = Path(__file__).with_name("pay.lua")


class _Summary(msgspec.Struct):
    """What the script prints at the end; latencies are in microseconds."""

    requests: int
    microseconds: int
    bad_statuses: int
    broken: int
    p50: float
    p99: float
    p999: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back: requests, whether of one payment or of a batch.

    Latencies are in milliseconds; `generator_cpu_seconds` is what wrk itself took.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    generator_cpu_seconds: float


def require_wrk() -> None:
    """See that wrk is there.

    Raises:
        RuntimeError: It is not.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError(
            "wrk drives the load: install it (Debian, Ubuntu: apt install wrk; macOS: brew install wrk)."
        )


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    """A file that the script reads."""
    path.write_text("\n".join(lines) + "\n")
    return path


def drive(
    server: Server, *, credentials: Path, payees: Path, connections: int, seconds: float, batch_size: int = 1
) -> Answered:
    """Pay for so many seconds, each payment alone or so many in a batch.

    Raises:
        VoidRun: A request was refused, or got no answer.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{round(seconds)}s"),
            *("--timeout", "10s", "--script", str(SCRIPT), f"http://{HOST}:{server.port}", "--"),
            *(str(credentials), str(payees), secrets.token_hex(3), str(batch_size)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    summary = msgspec.json.decode(done.stdout.splitlines()[-1], type=_Summary)
    if summary.bad_statuses or summary.broken or not summary.requests:
        raise VoidRun(f"{summary.bad_statuses} refusals and {summary.broken} broken requests of {summary.requests}.")
    return Answered(
        requests=summary.requests,
        seconds=summary.microseconds / 1e6,
        p50_ms=summary.p50 / 1000,
        p99_ms=summary.p99 / 1000,
        p999_ms=summary.p999 / 1000,
        generator_cpu_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )
