"""Events as lines for people."""

import re
from datetime import datetime
from typing import Final

from gateway.domain.errors import Refusal
from gateway.domain.money import Money, currency_code
from gateway.entrypoints.remote.gateway import Json

TYPE_WIDTH: Final = 27
ID_WIDTH: Final = 30
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


def event_line(event: Json) -> str:
    """What an event is about: its time, type and id, the id of its object, and the amount, if it has one.

    Only printable ASCII: a line of an event does not move the cursor of a terminal.
    """
    thing: Json = event["data"]["object"]
    time = datetime.fromisoformat(event["created_at"]).astimezone()
    line = (
        f"{time:%H:%M:%S}  {event['type']:<{TYPE_WIDTH}}  {event['id']:<{ID_WIDTH}}  "
        f"{thing.get('id', ''):<{ID_WIDTH}}  {amount_of(thing)}"
    )
    return _UNPRINTABLE.sub("?", line).rstrip()


def amount_of(thing: Json) -> str:
    """The amount of an object with one, in major units; empty for the others."""
    try:
        return str(Money(thing["amount"], currency_code(thing["currency"])))
    except (KeyError, Refusal):
        return ""
