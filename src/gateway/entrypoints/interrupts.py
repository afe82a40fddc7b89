"""Ctrl-C that Python ignored is delivered again.

Python calls finalizers and callbacks of weak references at any moment, for example while it imports a module, and
ignores their exceptions. If Ctrl-C arrives in such a call, Python prints the `KeyboardInterrupt`, and the command would
run on.
"""

import _thread
import signal
import sys
from types import FrameType
from typing import Final

AGAIN_SECONDS: Final = 0.01
"""How long after an ignored `KeyboardInterrupt` SIGINT is handled again: the ignored call has ended by then."""


def repeat_ignored_interrupts() -> None:
    """Have SIGINT handled again after each `KeyboardInterrupt` that Python ignored, and do not print that.

    The handler of SIGINT at that later moment is called. Other ignored exceptions are reported as before. This
    occupies SIGALRM and the real-time timer of the process. On Windows, which has neither, it does nothing.
    """
    if sys.platform == "win32":
        return
    report = sys.unraisablehook

    def hook(ignored: "sys.UnraisableHookArgs", /) -> None:
        try:
            if issubclass(ignored.exc_type, KeyboardInterrupt):
                _interrupt_soon()
            else:
                report(ignored)
        except KeyboardInterrupt:  # Python ignores the exceptions of this hook too.
            _interrupt_soon()

    signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = hook


def stop_interrupts() -> None:
    """Let further SIGINTs end this process at once, without Python, and cancel a repetition that is due.

    While the interpreter ends, Python would print a `KeyboardInterrupt` that no code can catch.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, 0)


def is_interrupt(error: BaseException | None) -> bool:
    """Whether this is a `KeyboardInterrupt`, or was raised from one: Python 3.11 does that while it makes a class."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def _interrupt_soon() -> None:
    # A signal that is raised now would be handled in the ignored call, and be ignored too.
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # As if SIGINT arrived. A real one could wait: this thread may block it (`gateway serve` with several workers).
    _thread.interrupt_main()
