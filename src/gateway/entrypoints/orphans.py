"""Workers of a server whose parent process has died."""

import os
import signal
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """End this process, as SIGTERM does, when the process that started it dies. Otherwise it would hold the port.

    A process that `multiprocessing` has not started has nothing to watch.
    """
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
