"""The parameters of a connection string, each of which is taken once; what is left is known to nobody."""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote

_NAME: Final = re.compile(r"[A-Za-z_]+")
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,9}")


class ConnectionStringRefused(ValueError):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """A connection string cannot be used. The message is a sentence on what is wrong and what to do.

    It repeats names of parameters and their permitted values only: the rest of the string may hold a password.
    """


class Parameters:
    """The part of a connection string after the question mark: `name=value&name=value`."""

    def __init__(self, query: str) -> None:
        """Read it. As in libpq, a plus sign is no blank.

        Raises:
            ConnectionStringRefused: It does not look like this.
        """
        self._given: dict[str, list[str]] = {}
        for part in filter(None, query.split("&")):
            name, equals, text = part.partition("=")
            name = decoded(name)
            if not equals or not _NAME.fullmatch(name):
                raise ConnectionStringRefused(
                    "Parameters after the question mark are name=value; a name is letters and underscores."
                )
            self._given.setdefault(name, []).append(decoded(text))

    def __iter__(self) -> Iterator[str]:
        """The names of the parameters that were not taken."""
        return iter(self._given)

    def each(self, name: str) -> list[str]:
        """Take all values of a parameter; each may be several, separated by commas."""
        return [part for text in self._given.pop(name, []) for part in text.split(",")]

    def last(self, *names: str) -> str | None:
        """Take a parameter by each of its names. Given twice, the last one counts, as in libpq."""
        texts = [self._given.pop(name, [""])[-1] for name in names]
        return next(filter(None, texts), None)

    def all_of(self, names: Sequence[str]) -> dict[str, str]:
        """Take several parameters. Returns the ones that were given."""
        return {name: text for name in names if (text := self.last(name)) is not None}

    def one_of(self, permitted: Sequence[str], name: str) -> str | None:
        """Take a parameter that has few values.

        Raises:
            ConnectionStringRefused: It has another one.
        """
        text = self.last(name)
        if text is None or text.lower() in permitted:
            return text and text.lower()
        if not permitted:
            raise ConnectionStringRefused(f"The gateway cannot honour the parameter {name}. Leave it out.")
        raise ConnectionStringRefused(f"{name} can be {' or '.join(permitted)}.")

    def whole_number(self, name: str) -> int | None:
        """Take a parameter that is a whole number.

        Raises:
            ConnectionStringRefused: It is none.
        """
        text = self.last(name)
        if text is None:
            return None
        if not _WHOLE_NUMBER.fullmatch(text):
            raise ConnectionStringRefused(f"{name} is a whole number, zero or more.")
        return int(text)


def decoded(text: str) -> str:
    """A part of a connection string without its percent-encoding.

    Raises:
        ConnectionStringRefused: It holds control characters, or is not UTF-8.
    """
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise ConnectionStringRefused("What is percent-encoded has to be UTF-8.") from error
    if not plain.isprintable():
        raise ConnectionStringRefused("There are no control characters in a connection string, percent-encoded or not.")
    return plain
