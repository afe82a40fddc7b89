"""The commands on API keys, with their flags."""

import click

from gateway.domain.limits import API_KEY_DAYS_MAX, API_KEY_OLD_SECONDS_MAX, API_KEY_REQUESTS_MAX
from gateway.domain.scope import Scope
from gateway.entrypoints.flags import settings_flags


@click.group
def keys() -> None:
    """Create, list, rotate and revoke API keys of any user."""


@keys.command
@click.option("--owner", required=True, metavar="EMAIL-OR-ID", help="The user for whom the key acts.")
@click.option("--name", required=True, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What the key may be used for. May be given several times.",
)
@click.option(
    "--expires-in-days", type=click.IntRange(1, API_KEY_DAYS_MAX), help="When the key ends.  [default: never]"
)
@click.option(
    "--requests-per-minute",
    type=click.IntRange(1, API_KEY_REQUESTS_MAX),
    help="How many requests the key may make.  [default: as many as its owner]",
)
@settings_flags("environment", "data_dir", "database_url")
def create(
    *,
    owner: str,
    name: str,
    scopes: tuple[str, ...],
    expires_in_days: int | None,
    requests_per_minute: int | None,
    **flags: str | None,
) -> None:
    """Create a key, and print it: it is stored as a hash, and never shown again."""
    from gateway.entrypoints.keys import create as run

    run(
        flags,
        owner=owner,
        name=name,
        scopes=scopes,
        expires_in_days=expires_in_days,
        requests_per_minute=requests_per_minute,
    )


@keys.command(name="list")
@click.option("--owner", metavar="EMAIL-OR-ID", help="The user whose keys are listed.  [default: all users]")
@settings_flags("environment", "data_dir", "database_url")
def list_keys(*, owner: str | None, **flags: str | None) -> None:
    """List keys, the newest first, also those that have ended."""
    from gateway.entrypoints.keys import list_keys as run

    run(flags, owner=owner)


@keys.command
@click.argument("key_id", metavar="KEY-ID")
@settings_flags("environment", "data_dir", "database_url")
def revoke(*, key_id: str, **flags: str | None) -> None:
    """Revoke a key: running servers refuse it within two seconds."""
    from gateway.entrypoints.keys import revoke as run

    run(flags, key_id=key_id)


@keys.command
@click.argument("key_id", metavar="KEY-ID")
@click.option(
    "--old-key-seconds",
    type=click.IntRange(0, API_KEY_OLD_SECONDS_MAX),
    default=0,
    show_default=True,
    help="How long the old key is still accepted.",
)
@click.option(
    "--requests-per-minute",
    type=click.IntRange(0, API_KEY_REQUESTS_MAX),
    help="How many requests the new key may make; 0 for as many as its owner.  [default: as the old key]",
)
@settings_flags("environment", "data_dir", "database_url")
def rotate(*, key_id: str, old_key_seconds: int, requests_per_minute: int | None, **flags: str | None) -> None:
    """Put a new key in the place of another, and print it."""
    from gateway.entrypoints.keys import rotate as run

    run(flags, key_id=key_id, old_key_seconds=old_key_seconds, requests_per_minute=requests_per_minute)


@keys.command
@click.option("--markdown", is_flag=True, help="Print the table of docs/access.md instead.")
def scopes(*, markdown: bool) -> None:
    """Show which operation needs which scope, and which roles may call it."""
    from gateway.entrypoints.access_table import show as run

    run(markdown=markdown)
