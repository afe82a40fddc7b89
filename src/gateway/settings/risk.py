"""The settings of rules of risk."""

from typing import Annotated, Final

from msgspec import Meta

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
            description="Limits, at most 16, separated by commas: a payment that passes one is refused. "
            "[What there is](risk.md#limits). When empty, none.",
            extra={FORM: RISK_LIMITS},
        ),
    ] = ()
