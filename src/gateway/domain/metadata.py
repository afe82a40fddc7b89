"""Metadata: what a merchant or a customer keeps with a payment, as texts by key."""

from collections.abc import Mapping
from typing import Any, Final, NoReturn, cast

from gateway.domain.checks import check_free_text, wrong_type
from gateway.domain.errors import invalid
from gateway.domain.limits import METADATA_KEY_LENGTH_MAX, METADATA_KEYS_MAX, METADATA_VALUE_LENGTH_MAX


def _refuse_change(*_: Any, **__: Any) -> NoReturn:
    raise TypeError("Metadata does not change. Copy it with dict(metadata).")


_changing: Any = _refuse_change


class Metadata(dict[str, str]):
    """A dictionary that refuses changes: payments share it, and it is checked once.

    Copies of it (`dict(metadata)`, `metadata | {…}`) are plain dictionaries.
    """

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _changing
    clear = pop = popitem = setdefault = update = _changing

    def __reduce__(self) -> tuple[type["Metadata"], tuple[dict[str, str]]]:
        """Pickled as its contents: a dictionary would be filled key by key."""
        return Metadata, (dict(self),)


NO_METADATA: Final = Metadata()


def checked_metadata(metadata: object) -> Metadata:
    """A copy of metadata, so that nobody changes it after it was checked.

    Raises:
        InvalidInput: It is no mapping of `METADATA_KEYS_MAX` texts to texts at most, or has a card number in it.
    """
    if type(metadata) is not dict and not isinstance(metadata, Mapping):
        raise wrong_type("metadata", "a mapping of text to text", metadata)
    copy = dict(cast("Mapping[str, str]", metadata))
    if not copy:
        return NO_METADATA
    if len(copy) > METADATA_KEYS_MAX:
        raise invalid("metadata", "value_invalid", f"Metadata has at most {METADATA_KEYS_MAX} keys.")
    for key, text in copy.items():
        check_free_text("metadata", key, METADATA_KEY_LENGTH_MAX, length_min=1)
        check_free_text(f"metadata.{key}", text, METADATA_VALUE_LENGTH_MAX)
    return Metadata(copy)
