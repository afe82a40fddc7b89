"""The rules of risk: those of the embedding program, or those of the settings."""

from gateway.application.engine.risk import Risk
from gateway.application.ports.risk import RiskRules
from gateway.bootstrap.refusal import StartRefused
from gateway.domain.errors import InvalidInput
from gateway.domain.payment_counters import check_windows
from gateway.domain.risk_limits import RiskLimits, risk_limit
from gateway.settings.values import Settings


def risk_of(rules: RiskRules | None, settings: Settings) -> Risk | None:
    """What payments are asked for; `None` if nothing is.

    Raises:
        InvalidInput: The windows of the rules are not of whole minutes, or too many.
        StartRefused: The limits of the settings have too many windows.
    """
    if rules is not None:
        return Risk(rules=rules, windows=check_windows(rules.windows))
    if not settings.risk_refuse:
        return None
    try:
        limits = RiskLimits(refuse=[risk_limit(text) for text in settings.risk_refuse])
        return Risk(rules=limits, windows=check_windows(limits.windows))
    except InvalidInput as refused:
        raise StartRefused(f"GATEWAY_RISK_REFUSE: {refused.detail}") from refused
