"""The time of 404s: others' objects and missing ones are answered after the same time.

An object of somebody else is found, read and not shown; a missing one is not found. The difference is some ten
microseconds, which a client who asks a thousand times could tell from chance. So both are answered at the next whole
step since the request began. The delay costs the server a timer.
"""

import asyncio
import time
from typing import Final

from gateway.adapters.http.messages import AnyRequest

STEP_SECONDS: Final = 0.01
"""Many times what the two differ by, and longer than an idle server takes."""
NOT_FOUND: Final = 404


async def wait_for_step(request: AnyRequest, began: float) -> None:
    """Wait until a 404 may be sent, if it says that the caller has no such object.

    Args:
        request: What it answers.
        began: When the request began, by `time.perf_counter`.
    """
    if request.signed_in is not None and request.path_ids:
        taken = time.perf_counter() - began
        await asyncio.sleep(STEP_SECONDS - taken % STEP_SECONDS)
