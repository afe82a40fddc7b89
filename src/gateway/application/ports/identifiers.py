"""New identifiers, made by the application and never by a database."""

from datetime import datetime
from typing import Protocol


class NewId(Protocol):
    """Makes identifiers of one moment."""

    def __call__(self, prefix: str) -> str:
        """Return a new identifier, for example `"pay_01h455vb4pex5vsknk084sn02q"`.

        Args:
            prefix: What the identifier is of, in lower-case ASCII letters: `"pay"`, `"acc"`.
        """
        ...


class Identifiers(Protocol):
    """Makes identifiers which sort by the moments that they are of.

    Time-ordered keys fall on the same index pages as their neighbours, so inserting stays cheap as history grows. And
    what was created in some hour is found by its identifiers, without an index on times.
    """

    def __call__(self, prefix: str) -> str:
        """Return a new identifier of the present moment. `prefix` is as for `NewId`."""
        ...

    def of(self, moment: datetime, /) -> NewId:
        """Return what makes new identifiers of a moment.

        An identifier is the prefix, an underscore and the 26 lower-case Crockford base32 characters of a UUIDv7
        (RFC 9562), as TypeID writes them. Its milliseconds are exactly the moment's, whatever the clock of the
        machine says meanwhile. With one prefix, identifiers of a later moment sort, as text, after identifiers of an
        earlier moment. Identifiers that a process makes of one moment sort in the order in which they are made.

        Args:
            moment: Aware, not before 1970.
        """
        ...
