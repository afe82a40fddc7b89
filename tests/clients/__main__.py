"""`make clients`: read the served OpenAPI document with others' tools, and run the clients that they make of it.

Each step prints a line. The first one that fails ends the run with what its program printed.
"""

import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from clients.newer_gateway import newer_gateway
from clients.node import HERE, WHEEL, Failed, Packages, run
from gateway.adapters.http.docs_pages import STATIC
from support.servers import Installation, Server

PACKAGES = Path(".venv/clients")
PROGRAMS = HERE / "programs"
SERVER_ERRORS = 500
SPECTRAL_RULES = """
extends: [[spectral:oas, all]]
rules:
  contact-properties: off  # Each gateway is run by others: there is no address to write to for all of them.
"""
STEPS = ("lint", "python", "typescript", "postman", "examples")
OPERATOR = ("op@example.com", "a passphrase of operators")


class Work:
    """The folder in which clients are generated, and what they are generated from."""

    def __init__(self, folder: Path, server: Server, newer_url: str) -> None:
        self.folder = folder
        self.url = server.url
        self.newer_url = newer_url
        self.document = folder / "openapi.json"
        self.packages = Packages(PACKAGES.resolve())

    def lint(self) -> str:
        """Spectral and Redocly have no finding, of whatever severity."""
        rules = self.folder / ".spectral.yaml"
        rules.write_text(SPECTRAL_RULES)
        self.packages.run("spectral", ["lint", "--fail-severity", "hint", self.document], cwd=self.folder)
        findings = json.loads(
            self.packages.run("redocly", ["lint", "--format", "json", self.document], cwd=self.folder)
        )
        if findings["problems"]:
            raise Failed(json.dumps(findings["problems"], indent=2))
        return "Spectral and Redocly: no finding."

    def python(self) -> str:
        """openapi-python-client warns of nothing, and its client lives through a payment."""
        generated = self.folder / "python"
        generator = Path(sys.executable).with_name("openapi-python-client")
        arguments = ("--path", self.document, "--output-path", generated, "--meta", "none")
        run(generator, "generate", *arguments, "--fail-on-warning", cwd=self.folder)
        generated.rename(self.folder / "gateway_client")
        program = self.folder / "life_of_a_payment.py"
        program.write_text((PROGRAMS / program.name).read_text())
        return run(sys.executable, program, self.url, self.newer_url, cwd=self.folder).strip()

    def typescript(self) -> str:
        """openapi-typescript's types compile with tsc strict, and the client lives through a payment."""
        folder = self.folder / "typescript"
        folder.mkdir()
        (folder / "node_modules").symlink_to(self.packages.folder / "node_modules")
        for name in ("package.json", "programs/tsconfig.json", "programs/life_of_a_payment.ts"):
            (folder / Path(name).name).write_text((HERE / name).read_text())
        self.packages.run("openapi-typescript", [self.document, "--output", "schema.d.ts"], cwd=folder)
        self.packages.run("tsc", ["--project", "."], cwd=folder)
        return run(WHEEL / "bin" / "node", "life_of_a_payment.ts", self.url, self.newer_url, cwd=folder).strip()

    def postman(self) -> str:
        """The collection of openapi-to-postmanv2 runs as generated: every request arrives, and none breaks anything."""
        options = "folderStrategy=Tags,requestParametersResolution=Example,exampleParametersResolution=Example"
        arguments: list[str | Path] = ["-s", self.document, "-o", "collection.json", "-O", options]
        self.packages.run("openapi2postmanv2", arguments, cwd=self.folder)
        self.packages.run(
            "newman",
            ["run", "collection.json", "--reporters", "json", "--reporter-json-export", "newman.json"],
            cwd=self.folder,
        )
        runs = json.loads((self.folder / "newman.json").read_text())["run"]["executions"]
        answers = [execution.get("response", {}).get("code", SERVER_ERRORS) for execution in runs]
        if any(status >= SERVER_ERRORS for status in answers):
            raise Failed(f"The statuses of the collection's requests: {answers}")
        return f"Postman: {len(answers)} requests answered."

    def examples(self) -> str:
        """Every example of the document works as the page at /docs sends it, in an order that makes sense."""
        program = PROGRAMS / "try_it_out.mjs"
        script = STATIC / "examples.js"
        return run(WHEEL / "bin" / "node", program, self.url, script, *OPERATOR, cwd=self.folder).strip()


async def main(names: Sequence[str]) -> None:
    """Serve, fetch the document, and take the steps one after the other: those of `STEPS` unless named."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        installation = Installation(folder)
        email, password = OPERATOR
        await installation.run("create-operator", "--email", email, "--password-stdin", stdin=f"{password}\n")
        # Large payments wait for a review: its examples work, too.
        async with (
            installation.serving(GATEWAY_RISK_REVIEW="amount.customer.USD=30000") as server,
            newer_gateway(server.url) as newer_url,
        ):
            work = Work(folder, server, newer_url)
            async with server.client() as http:
                work.document.write_bytes((await fetched(http)).content)
            await take(work.packages.install)
            for name in names or STEPS:
                await take(getattr(work, name))


async def fetched(http: httpx.AsyncClient) -> httpx.Response:
    """The document as the server serves it."""
    return (await http.get("/openapi.json")).raise_for_status()


async def take(step: Callable[[], str | None]) -> None:
    """Take a step, in a thread: the newer gateway runs in this event loop."""
    began = time.monotonic()
    said = await asyncio.to_thread(step)
    if said is not None:
        sys.stdout.write(f"{said} ({time.monotonic() - began:.0f} s)\n")
        sys.stdout.flush()


logging.getLogger("httpx").setLevel(logging.WARNING)
try:
    asyncio.run(main(sys.argv[1:]))
except Failed as failure:
    sys.exit(str(failure))
