"""The parts that an embedding program hands to a gateway, checked before the gateway opens."""

from typing import Any, Final, get_type_hints

from typing_extensions import get_protocol_members, is_protocol

from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.passwords import PasswordHasher
from gateway.application.ports.rates import Rates
from gateway.application.ports.risk import RiskRules
from gateway.application.ports.second_factors import TimeCodes
from gateway.application.ports.storage import Storage
from gateway.application.ports.tokens import AccessTokens
from gateway.application.ports.webhook_sender import WebhookSender
from gateway.domain.checks import check_type, wrong_type
from gateway.domain.errors import invalid
from gateway.domain.immutable import immutable

_OPTIONAL: Final = frozenset({"time", "unit_of_work_in"})


@immutable
class GivenParts:
    """What a program has in place of the gateway's own parts; `None` where it has nothing.

    Raises:
        InvalidInput: A part lacks a method of its port. The message names the method.
    """

    storage: Storage | None = None
    tokens: AccessTokens | None = None
    passwords: PasswordHasher | None = None
    rates: Rates | None = None
    clock: Clock | None = None
    identifiers: Identifiers | None = None
    webhook_sender: WebhookSender | None = None
    risk: RiskRules | None = None
    time_codes: TimeCodes | None = None

    def __post_init__(self) -> None:
        if self.storage is not None:
            check_storage(self.storage)
        check_port("tokens", self.tokens, AccessTokens)
        check_port("passwords", self.passwords, PasswordHasher)
        check_port("rates", self.rates, Rates)
        check_port("clock", self.clock, Clock)
        check_port("identifiers", self.identifiers, Identifiers)
        check_port("webhook_sender", self.webhook_sender, WebhookSender)
        check_port("risk", self.risk, RiskRules)
        check_port("time_codes", self.time_codes, TimeCodes)


def check_storage(storage: object) -> None:
    """Refuse what is not a `Storage` whose parts have all methods of their ports.

    Raises:
        InvalidInput: As `GivenParts`.
    """
    check_type("storage", storage, Storage)
    for name, port in get_type_hints(Storage).items():
        part = getattr(storage, name)
        if is_protocol(port):
            if part is None:
                raise wrong_type(f"storage.{name}", f"the port {port.__name__}", part)
            check_port(f"storage.{name}", part, port)
        elif not callable(part) and not (name in _OPTIONAL and part is None):
            raise wrong_type(f"storage.{name}", "a function", part)


def check_port(field: str, part: object, port: type[Any]) -> None:
    """Refuse what lacks a method or property of a port. `None` is no part, and passes.

    Raises:
        InvalidInput: As `GivenParts`.
    """
    if part is None:
        return
    missing = sorted(name for name in get_protocol_members(port) if not hasattr(part, name))
    if missing:
        detail = f"The port {port.__name__} has {', '.join(missing)}, which {type(part).__name__} lacks."
        raise invalid(field, "type_mismatch", detail)
