"""The settings of rules of risk."""

from typing import Annotated, Final

from msgspec import Meta

from gateway.domain.limits import EXPIRES_IN_SECONDS_MAX, EXPIRES_IN_SECONDS_MIN, REVIEW_SECONDS_DEFAULT
from gateway.settings.capacity import CapacitySettings
from gateway.settings.field import FORM
from gateway.settings.forms import RISK_LIMITS

_LIMITS_MAX: Final = 16


class RiskSettings(CapacitySettings, frozen=True, kw_only=True):
    """A part of `Settings`."""

    risk_refuse: Annotated[
        tuple[str, ...],
        Meta(
            max_length=_LIMITS_MAX,
            description="Limits, at most 16, separated by commas: a payment that exceeds one is refused. "
            "[What there is](risk.md#limits). When empty, none.",
            extra={FORM: RISK_LIMITS},
        ),
    ] = ()
    risk_review: Annotated[
        tuple[str, ...],
        Meta(
            max_length=_LIMITS_MAX,
            description="Limits, at most 16, separated by commas: a payment that exceeds one waits for an operator "
            "([reviews](risk.md#reviews)). When empty, none.",
            extra={FORM: RISK_LIMITS},
        ),
    ] = ()
    risk_review_seconds: Annotated[
        int,
        Meta(
            ge=EXPIRES_IN_SECONDS_MIN,
            le=EXPIRES_IN_SECONDS_MAX,
            description="How long a payment at once waits for its review; then it expires. A hold waits for as long as "
            "it lasts.",
        ),
    ] = REVIEW_SECONDS_DEFAULT
