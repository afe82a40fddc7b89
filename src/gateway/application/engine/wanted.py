"""What a batch loads: the needs of its commands, and the answers under its keys."""

from collections.abc import Sequence

from gateway.application.engine.risk import Risk
from gateway.application.engine.submission import BulkSubmission, Failed, Submission
from gateway.application.ports.unit_of_work import Needs, Wanted


def wanted_by(
    submissions: Sequence[Submission],
    needs: Sequence[Needs | Failed],
    risk: Risk | None = None,
    *,
    may_be_cached: bool = True,
    lock_seconds_max: float | None = None,
) -> Wanted:
    """What all submissions need, each record once, the answers under their keys, and what the rules of risk count."""
    counts_payments = risk is not None and bool(risk.windows)
    keys = {submission.key for submission in submissions}
    keys.update(part.key for each in submissions if isinstance(each, BulkSubmission) for part in each.parts)
    known = [need for need in needs if isinstance(need, Needs)]
    return Wanted.union(
        known,
        answers=keys,
        may_be_cached=may_be_cached,
        counts_payments=counts_payments,
        lock_seconds_max=lock_seconds_max,
    )


def needs_of(submissions: Sequence[Submission]) -> list[Needs | Failed]:
    """What each submission needs; `Failed` if its command has a bug there."""
    needs: list[Needs | Failed] = []
    for submission in submissions:
        try:
            needs.append(submission.needs())
        except Exception as bug:  # noqa: BLE001 - a bug in one command must not fail the whole batch.
            needs.append(Failed(bug))
    return needs
