"""The commands that ask a running gateway over HTTP, with their flags."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from gateway.entrypoints.remote import DEFAULT_URL

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

DEFAULT_PORT: Final = 9000
EMAIL_HELP: Final = (
    "The address that you log in with; GATEWAY_TOKEN may be an access token or an API key instead.  [default: none]"
)


def of_a_gateway(command: Decorated) -> Decorated:
    """Flags of each of these commands: which gateway, and who asks."""
    options = (
        click.option("--url", default=DEFAULT_URL, show_default=True, help="The URL of the gateway."),
        click.option("--email", help=EMAIL_HELP),
        click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group
def webhooks() -> None:
    """Try out webhooks."""


@webhooks.command
@click.option(
    "--port",
    "receive_port",
    type=click.IntRange(1, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Where it listens.",
)
@click.option(
    "--events",
    multiple=True,
    default=("*",),
    show_default=True,
    help="Which: a type, or payment.* for all types of a kind. May be given several times.",
)
@click.option("--forward-to", metavar="URL", help="Where each webhook goes on to, unchanged.  [default: nowhere]")
@of_a_gateway
def listen(
    *,
    receive_port: int,
    events: tuple[str, ...],
    forward_to: str | None,
    url: str,
    email: str | None,
    password_stdin: bool,
) -> None:
    """Receive the webhooks of a running sandbox on this machine.

    Registers an endpoint, prints each webhook and whether its signature is right, and deletes the endpoint at
    SIGTERM or Ctrl-C, with exit code 0. Without a sign-in it registers a new merchant. Who signs in as an operator
    gets the events of all merchants.
    """
    from gateway.entrypoints.remote.listen import listen as run
    from gateway.entrypoints.remote.sign_in import given_sign_in

    sign_in = given_sign_in(email, password_stdin=password_stdin)
    run(url, port=receive_port, events=events, forward_to=forward_to, sign_in=sign_in)


@click.group
def events() -> None:
    """Follow events, and show their types."""


@events.command
@click.option("--type", "kind", metavar="TYPE", help="A type, or payment.* for all types of a kind.  [default: all]")
@click.option(
    "--after", type=click.IntRange(min=0), help="Begin after this position; 0 is the oldest.  [default: the newest]"
)
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
@of_a_gateway
def tail(
    *, kind: str | None, after: int | None, as_json: bool, url: str, email: str | None, password_stdin: bool
) -> None:
    """Print the events of a running gateway as they happen: your own, or those of everybody for operators.

    A lost connection is opened again after the last event that was printed. Ends at SIGTERM or Ctrl-C with exit code 0.
    """
    from gateway.entrypoints.remote.sign_in import given_sign_in
    from gateway.entrypoints.remote.tail import tail as run

    sign_in = given_sign_in(email, password_stdin=password_stdin)
    if sign_in is None:
        raise click.UsageError(
            "Whose events? Sign in with --email, or set GATEWAY_TOKEN to an access token or an API key."
        )
    run(url, kind=kind, after=after, as_json=as_json, sign_in=sign_in)


@events.command
@click.option("--markdown", is_flag=True, help="Print the page that shows an example of each.")
def types(*, markdown: bool) -> None:
    """Show all types of events."""
    from gateway.entrypoints.event_types import show_types as run

    run(markdown=markdown)


@click.command
@click.argument("event_type", metavar="TYPE", required=False)
@click.option("--list", "listed", is_flag=True, help="List all types with what happens, and do nothing.")
@click.option("--merchant-id", metavar="ID", help="A merchant who is paid, and does nothing.  [default: a new one]")
@click.option("--currency", default="USD", show_default=True, help="Of all amounts.")
@of_a_gateway
def trigger(
    *,
    event_type: str | None,
    listed: bool,
    merchant_id: str | None,
    currency: str,
    url: str,
    email: str | None,
    password_stdin: bool,
) -> None:
    """Make an event of a type happen in a running sandbox, for example payment.captured.

    Sends the requests that cause it: registers a customer, makes a deposit, pays. The merchant is a new one, the one
    who signs in, or one who is only paid (--merchant-id).
    """
    from gateway.entrypoints.remote.sign_in import given_sign_in
    from gateway.entrypoints.remote.trigger import show_types
    from gateway.entrypoints.remote.trigger import trigger as run

    if listed:
        show_types()
        return
    if event_type is None:
        raise click.UsageError("Which type? `gateway trigger --list` lists all.")
    sign_in = given_sign_in(email, password_stdin=password_stdin)
    run(event_type, url, merchant_id=merchant_id, currency=currency, sign_in=sign_in)


REMOTE_COMMANDS: Final = (webhooks, events, trigger)
