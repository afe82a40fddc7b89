"""New identifiers, made by the application and never by a database."""

from typing import Protocol


class Identifiers(Protocol):
    """Makes identifiers which sort by the time they were made.

    Time-ordered keys fall on the same index pages as their neighbours, so inserting stays cheap as history grows.
    """

    def __call__(self, prefix: str) -> str:
        """Return a new identifier, for example `"pay_01h455vb4pex5vsknk084sn02q"`.

        Args:
            prefix: What the identifier is of, in lower-case ASCII letters: `"pay"`, `"acc"`.

        Returns:
            The prefix, an underscore and the 26 lower-case Crockford base32 characters of a UUIDv7 (RFC 9562), as
            TypeID writes them. Within a process each one sorts, as text, after every one made before it with the
            same prefix, in whichever thread.
        """
        ...
