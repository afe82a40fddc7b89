"""For tests of programs that embed the gateway: fixtures of pytest, and what they are made of.

Where the gateway is installed, pytest finds the plugin `gateway.testing.plugin` by itself. Without pytest, everything
here works too.
"""

from typing import TYPE_CHECKING

from gateway.lazy_names import lazy_names

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

__getattr__ = lazy_names(globals(), _MODULES)


def __dir__() -> list[str]:
    return __all__
