"""The settings of housekeeping: how long rows are stored, and how fast they are deleted."""

from typing import Annotated

from msgspec import Meta

from gateway.domain.limits import ANSWERS_DAYS_DEFAULT, ANSWERS_DAYS_MIN, AUDIT_DAYS_DEFAULT
from gateway.settings.events import EventSettings


class HousekeepingSettings(EventSettings, frozen=True, kw_only=True):
    """A part of `Settings`."""

    housekeeping_enabled: Annotated[
        bool,
        Meta(
            description="Whether workers delete old rows ([which](operations.md#housekeeping)). `false` keeps all of "
            "them; rows of the ledger are always kept."
        ),
    ] = True
    housekeeping_interval_seconds: Annotated[
        float, Meta(gt=0, description="How often a worker looks for old rows.")
    ] = 60.0
    housekeeping_rows_per_step: Annotated[
        int, Meta(ge=1, le=10_000, description="How many old rows one transaction deletes.")
    ] = 500
    housekeeping_pause_seconds: Annotated[
        float, Meta(gt=0, description="How long a worker waits between two such transactions.")
    ] = 0.1
    answers_days: Annotated[
        int,
        Meta(
            ge=ANSWERS_DAYS_MIN,
            le=36_500,
            description="How long the response of an `Idempotency-Key` is stored at least. Afterwards the key is free: "
            "a request with it is a new one.",
        ),
    ] = ANSWERS_DAYS_DEFAULT
    quotes_days: Annotated[
        int, Meta(ge=1, le=36_500, description="How long quotes that no payment has used are stored after they expire.")
    ] = 7
    sessions_days: Annotated[
        int,
        Meta(
            ge=1,
            le=36_500,
            description="How long a session and its refresh tokens are stored after it was revoked or its last token "
            "has expired.",
        ),
    ] = 7
    audit_days: Annotated[
        int,
        Meta(
            ge=1,
            le=36_500,
            description="How long records of the audit log ([what they are](audit.md#the-audit-log)) are stored.",
        ),
    ] = AUDIT_DAYS_DEFAULT
    login_failures_days: Annotated[int, Meta(ge=1, le=36_500, description="How long failed logins are stored.")] = 1
