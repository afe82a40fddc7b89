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
        return _risk(rules, settings)
    if not (settings.risk_refuse or settings.risk_review):
        return None
    refuse, review = (list(map(risk_limit, texts)) for texts in (settings.risk_refuse, settings.risk_review))
    try:
        return _risk(RiskLimits(refuse=refuse, review=review), settings)
    except InvalidInput as refused:
        raise StartRefused(f"GATEWAY_RISK_REFUSE and GATEWAY_RISK_REVIEW: {refused.detail}") from refused


def _risk(rules: RiskRules, settings: Settings) -> Risk:
    return Risk(rules=rules, windows=check_windows(rules.windows), review_seconds=settings.risk_review_seconds)
