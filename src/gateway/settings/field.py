"""One setting: its type, its bounds and its form, and how its value is parsed, checked and shown."""

import math
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from gateway.settings.database_url import without_password
from gateway.settings.forms import TEXT, Form, fits_all

PREFIX: Final = "GATEWAY_"
FORM: Final = "form"
"""The key of a setting's `Form` in its metadata. Without it, the form is `TEXT`."""

_NUMBERS: Final = {int: re.compile(r"-?[0-9]{1,18}"), float: re.compile(r"[0-9]{1,18}(\.[0-9]+)?")}
_NUMBER_MAX: Final = 10**18
_SECONDS_MAX: Final = 10**9
"""The largest time, 31 years: added to the present time, it is still in the calendar."""


class SettingsRefused(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """The settings cannot be used; the message says what to do, one line for each problem."""


@dataclass(frozen=True, slots=True)
class SettingField:
    """One field of `Settings`.

    Attributes:
        name: The name of the field: `"port"`.
        hint: Its annotation: `Annotated[type, Meta]`.
        default: Its value when it is not set.
    """

    name: str
    hint: Any
    default: Any

    @property
    def variable(self) -> str:
        """The name of its environment variable: `"GATEWAY_PORT"`."""
        return PREFIX + self.name.upper()

    @property
    def type(self) -> Any:
        """Its type without metadata."""
        return get_args(self.hint)[0]

    @property
    def meta(self) -> Meta:
        """Its bounds and its description."""
        meta: Meta = self.hint.__metadata__[0]
        return meta

    @property
    def form(self) -> Form:
        """The form of its text."""
        form: Form = (self.meta.extra or {}).get(FORM, TEXT)
        return form

    @property
    def description(self) -> str:
        """What it is for, as Markdown."""
        return self.meta.description or ""

    @property
    def choices(self) -> tuple[str, ...]:
        """Its possible values, if they are few; otherwise empty."""
        if self.type is bool:
            return ("true", "false")
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    @property
    def default_in_words(self) -> str:
        """Its default, as Markdown; empty if the default is empty."""
        if isinstance(self.default, bool):
            return f"`{str(self.default).lower()}`"
        return f"`{self.default}`" if self.default or self.default == 0 else ""

    @property
    def takes(self) -> str:
        """Its possible values in words, as Markdown: the end of the sentence "It takes …"."""
        if self.choices:
            return " or ".join(f"`{choice}`" for choice in self.choices)
        if self.type is float:
            return f"a number above {self.meta.gt}" + ("" if self.maximum is None else f", up to {self.maximum}")
        if self.type is int:
            return f"a whole number from {self.meta.ge}" + ("" if self.maximum is None else f" to {self.maximum}")
        return self.form.words

    @property
    def maximum(self) -> float | None:
        """The largest number that is permitted; `None` if there is no bound that anybody meets."""
        if self.meta.le is None and "_seconds" in self.name and self.type in _NUMBERS:
            return _SECONDS_MAX
        return self.meta.le

    def parse(self, text: str) -> Any:
        """The value that a text stands for.

        Raises:
            SettingsRefused: It has the wrong type, is out of bounds, or does not have the form.
        """
        try:
            value = self._converted(text)
        except (msgspec.ValidationError, UnicodeEncodeError):  # Bytes that are not UTF-8 arrive as lone surrogates.
            raise self._refusal(text) from None
        if not self._is_valid(value):
            raise self._refusal(text)
        return value

    def check(self, value: Any) -> None:
        """Check a value, wherever it comes from.

        Raises:
            SettingsRefused: It has the wrong type, is out of bounds, or does not have the form.
        """
        if not self._is_valid(value):
            raise self._refusal(value)

    def shown(self, value: Any) -> str:
        """A value as people may see it: no secrets."""
        if self.form.secret:
            return "(hidden)" if value else ""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple):
            return ", ".join(value)  # pyright: ignore[reportUnknownArgumentType]  # Every tuple of a setting is of texts.
        return without_password(str(value)) if self.form.password else str(value)

    def _converted(self, text: str) -> Any:
        if get_origin(self.type) is tuple:
            return msgspec.convert([part.strip() for part in text.split(",") if part.strip()], self.hint)
        # Alone, msgspec would read "0.99" followed by enough nines as 1, and "inf" as a time.
        if self.type in _NUMBERS and not _NUMBERS[self.type].fullmatch(text):
            raise msgspec.ValidationError
        return msgspec.convert(text, self.hint, strict=False)

    def _is_valid(self, value: Any) -> bool:
        try:
            # `1 == True` and `("a",) == ["a"]` are settled by the types: msgspec takes no number for a truth value, and
            # makes a tuple of a list.
            if msgspec.convert(value, self.hint) != value:
                return False
        except (msgspec.ValidationError, UnicodeEncodeError):
            return False
        if isinstance(value, str):
            return not value or self.form.fits(value)
        if isinstance(value, tuple):
            return fits_all(self.form, value)  # pyright: ignore[reportUnknownArgumentType]  # As `shown`.
        maximum = _NUMBER_MAX if self.maximum is None else self.maximum
        return isinstance(value, bool) or (math.isfinite(value) and value <= maximum)

    def _refusal(self, value: Any) -> SettingsRefused:
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # Of anything.
        given = "this" if self.form.secret or self.form.password else repr(shown)
        return SettingsRefused(f"{self.variable} cannot be {given}. It takes {self.takes}.")
