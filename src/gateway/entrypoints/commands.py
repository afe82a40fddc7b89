"""Every command with its flags. What a command needs is loaded when it runs, so that `--help` answers at once."""

from typing import Final, Literal

import click

from gateway.entrypoints.audit_commands import audit
from gateway.entrypoints.flags import settings_flags
from gateway.entrypoints.user_commands import users

SIMULATED_OPERATIONS: Final = 90_000


@click.command
@click.option(
    "--first-key",
    is_flag=True,
    help="In a new sandbox, make a customer and a merchant, and print an API key of the customer.",
)
@settings_flags(
    "host", "port", "workers", "environment", "data_dir", "database_url", "root_path", "log_level", "access_log"
)
def serve(*, first_key: bool, **flags: str | None) -> None:
    """Serve the HTTP API.

    Ends at SIGTERM or Ctrl-C with exit code 0, when it has answered what was asked before.
    """
    from gateway.entrypoints.serve import serve as run

    run(flags, first_key=first_key)


@click.command
@settings_flags("environment", "data_dir", "database_url", "host", "worker_health_port", "log_level")
def worker(**flags: str | None) -> None:
    """End payments whose time is over, deliver webhooks, and publish events.

    Several may run at once. Ends at SIGTERM or Ctrl-C with exit code 0, when it has finished what it began.
    """
    from gateway.entrypoints.worker import worker as run

    run(flags)


@click.command
@click.option("--server", "asked", flag_value="server", help="Ask the server, and do not look for a worker.")
@click.option("--worker", "asked", flag_value="worker", help="Look for the worker's sign of life alone.")
@settings_flags("host", "port", "worker_health_port", "root_path", "data_dir")
def health(*, asked: Literal["server", "worker"] | None, **flags: str | None) -> None:
    """Ask whether the server or the worker of this host lives. Exit code 1 if not.

    Asks the server where the settings say that it listens. If nothing answers there, and a worker of this host has
    left its sign of life in the data folder, the worker counts.
    """
    from gateway.entrypoints.health import health as run

    run(asked, flags)


@click.command
@click.option("--dry-run", is_flag=True, help="Say what would run, and change nothing.")
@click.option("--roles", is_flag=True, help="Make roles of Postgres with the fewest rights, to serve and to work with.")
@settings_flags("data_dir", "database_url")
def migrate(*, dry_run: bool, roles: bool, **flags: str | None) -> None:
    """Bring the database to this version's schema.

    Safe to run again, and from several machines at once. With --roles, run it after each update: a migration may add
    tables.
    """
    from gateway.entrypoints.migrate import dry_run as plan
    from gateway.entrypoints.migrate import migrate as run

    (plan if dry_run else run)(flags, roles=roles)


@click.command
@click.option("--email", required=True, help="The address that the operator logs in with.")
@click.option("--name", help="What the operator is called.  [default: none]")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@settings_flags("environment", "data_dir", "database_url")
def create_operator(*, email: str, name: str | None, password_stdin: bool, **flags: str | None) -> None:
    """Make an operator, who funds and freezes accounts."""
    from gateway.entrypoints.create_operator import create_operator as run

    run(flags, email=email, name=name, password_stdin=password_stdin)


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document in place of sentences and tables.")
@click.option(
    "--audit-head",
    metavar="POSITION:HASH",
    help="The end of the audit log that an earlier run has told: it must still be there.  [default: none]",
)
@settings_flags("data_dir", "database_url")
def verify(*, as_json: bool, audit_head: str | None, **flags: str | None) -> None:
    """Check that the ledger is what its history says.

    Works out every account again from its transfers, and compares. Nothing is made, migrated or changed. Exit code 1
    if anything differs, with the rows, or if there is no ledger of this version that can be read.
    """
    from gateway.entrypoints.verify import verify as run

    run(flags, as_json=as_json, audit_head=audit_head)


@click.command
@click.option("--seed", type=click.IntRange(min=0), help="Decides everything.  [default: a random one]")
@click.option(
    "--operations",
    type=click.IntRange(min=1),
    default=SIMULATED_OPERATIONS,
    show_default=True,
    help="How many.",
)
@click.option("--faults", is_flag=True, help="Let the storage lose commits, be slow and go away.")
def simulate(*, seed: int | None, operations: int, faults: bool) -> None:
    """Let random users do everything that money can do, deliver webhooks, and check all of it after every step.

    In memory and in virtual time. Exit code 1 if anything is not as it must be; the same seed then shows it again.
    """
    from gateway.entrypoints.simulate import simulate as run

    run(seed=seed, operations=operations, faults=faults)


@click.command
@click.option(
    "--url", help="A running sandbox, for example http://127.0.0.1:8000.  [default: a sandbox in this process]"
)
def demo(*, url: str | None) -> None:
    """Show the whole life of payments over HTTP.

    Hold, capture, cancel, request, confirm, refund, pay out, a batch, and what is refused. In this process also what
    takes an operator: fees, a reversal, a frozen account.
    """
    from gateway.entrypoints.demo import demo as run

    run(url)


@click.command
@click.option("--markdown", is_flag=True, help="Print the page that explains all settings instead.")
@settings_flags("environment", "data_dir", "database_url", "host", "port", "workers", "log_level")
def settings(*, markdown: bool, **flags: str | None) -> None:
    """Show every setting and where its value comes from. Secrets stay hidden."""
    from gateway.entrypoints.show_settings import show as run

    run(flags, markdown=markdown)


ALL_COMMANDS: Final = (serve, worker, health, migrate, create_operator, users, audit, verify, simulate, demo, settings)
