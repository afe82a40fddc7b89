"""Who runs a command, for the audit log."""

import getpass
import os
import socket

from gateway.domain.audit import CLI, Actor, ActorKind, Origin
from gateway.domain.limits import ADDRESS_LENGTH_MAX


def cli_origin() -> Origin:
    """The command line, with the user and the host that the command runs as and on."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        user = str(os.getuid())
    address = f"{user}@{socket.gethostname()}"[:ADDRESS_LENGTH_MAX]
    return Origin(actor=Actor(kind=ActorKind.CLI, id=CLI), address=address)
