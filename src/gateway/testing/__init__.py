"""For tests of programs that embed the gateway: fixtures of pytest, and what they are made of.

Where the gateway is installed, pytest finds the plugin `gateway.testing.plugin` by itself. Without pytest, everything
here works too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.testing.clock import MovableClock
    from gateway.testing.emitted_events import EmittedEvents
    from gateway.testing.expiry import expire_due
    from gateway.testing.factory import Factory
    from gateway.testing.faults import StorageFaults
    from gateway.testing.passwords import FastPasswords
    from gateway.testing.soundness import assert_sound

__all__ = [
    "EmittedEvents",
    "Factory",
    "FastPasswords",
    "MovableClock",
    "StorageFaults",
    "assert_sound",
    "expire_due",
]

# A name is imported when it is first used: pytest loads the plugin in every run.
_MODULES = {
    "EmittedEvents": "gateway.testing.emitted_events",
    "Factory": "gateway.testing.factory",
    "FastPasswords": "gateway.testing.passwords",
    "MovableClock": "gateway.testing.clock",
    "StorageFaults": "gateway.testing.faults",
    "assert_sound": "gateway.testing.soundness",
    "expire_due": "gateway.testing.expiry",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
