"""The settings of logins and of rate limits."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.settings.housekeeping import HousekeepingSettings


class AccessSettings(HousekeepingSettings, frozen=True, kw_only=True):
    """A part of `Settings`."""

    login_free_tries: Annotated[
        int,
        Meta(
            ge=1,
            description="Failed logins in a row at one account from one address (an IPv6 /64) before the next has to "
            "wait: 1 s, then 2, 4 …",
        ),
    ] = 5
    login_free_tries_of_an_account: Annotated[
        int,
        Meta(
            ge=1,
            description="The same at one account from all addresses together. Addresses from which its user has "
            "logged in before do not wait for it.",
        ),
    ] = 20
    login_free_tries_of_an_address: Annotated[
        int,
        Meta(
            ge=1,
            description="The same at all accounts from one address, which may be that of an office: users who have "
            "logged in from there before do not wait for it.",
        ),
    ] = 50
    login_backoff_seconds_max: Annotated[int, Meta(ge=1, description="The longest such wait.")] = 60
    login_account_backoff_seconds_max: Annotated[
        int, Meta(ge=1, description="The longest such wait for failures at one account from all addresses together.")
    ] = 5
    operators_second_factor: Annotated[
        Literal["auto", "required", "optional"],
        Meta(
            description="Whether operators log in with a second factor alone. `auto` is `required` in production and "
            "`optional` in the sandbox. Who has none enrols one with the password."
        ),
    ] = "auto"
    hashing_threads: Annotated[
        int, Meta(ge=1, le=64, description="Passwords that one process hashes at the same time.")
    ] = 2
    hashing_waiting_max: Annotated[
        int, Meta(ge=0, description="Passwords that may wait to be hashed; one more gets 503.")
    ] = 64

    rate_limit_requests: Annotated[
        int,
        Meta(
            ge=0,
            le=6_000_000,
            description="Requests that one user may make in a minute, over all processes. A request counts once for "
            "each started 4 KiB of its body, a batch at least for its items. More get 429. 0: no limit.",
        ),
    ] = 60_000
    rate_limit_registrations: Annotated[
        int,
        Meta(ge=0, le=6_000_000, description="Registrations from one address (an IPv6 /64) in a minute. 0: no limit."),
    ] = 1_200
    rate_limit_logins: Annotated[
        int, Meta(ge=0, le=6_000_000, description="Logins from one address in a minute, right or wrong. 0: no limit.")
    ] = 3_000
    rate_limit_refreshes: Annotated[
        int, Meta(ge=0, le=6_000_000, description="Refreshed sessions from one address in a minute. 0: no limit.")
    ] = 6_000
    rate_limit_processes_max: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="How many processes share these limits, at most: together they let at most 1.2 times a limit "
            "through.",
        ),
    ] = 16

    owner_deposits: Annotated[
        Literal["auto", "true", "false"],
        Meta(
            description="Whether owners may fund their own accounts in the sandbox. `auto` is `true` if "
            "`GATEWAY_HOST` is a loopback address, and `false` if other machines reach the server. In production "
            "only operators make deposits."
        ),
    ] = "auto"
