"""docs/where.md names the place of each behaviour: every file and name exists, and has the value that the page says."""

import re
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gateway"
PAGE = ROOT / "docs" / "where.md"
ROW = re.compile(r"^\| (?P<behaviour>[^|]+) \| (?P<places>`.+`) \|$")
CODE = re.compile(r"`([^`]+)`")
BEHAVIOURS_MIN = 45


class Place(NamedTuple):
    """A name in a file, with the value that the page says, if it says one."""

    behaviour: str
    file: str
    name: str
    value: str | None


def rows() -> list[tuple[str, str]]:
    found = (ROW.match(line) for line in PAGE.read_text(encoding="utf-8").splitlines())
    return [(row["behaviour"], row["places"]) for row in found if row]


def places() -> Iterator[Place]:
    for behaviour, text in rows():
        for of_a_file in text.split("; "):
            file, *names = CODE.findall(of_a_file)
            for name in names:
                plain, _, value = name.partition(" = ")
                yield Place(behaviour, file, plain, value or None)


def value_of(file: str, name: str) -> object:
    """What a name of a file stands for; of a field of a record its default."""
    module = import_module(".".join(["gateway", *Path(file).with_suffix("").parts]).removesuffix(".__init__"))
    owner_name, _, attribute = name.partition(".")
    owner: object = getattr(module, owner_name)
    if not attribute:
        return owner
    if isinstance(owner, type) and is_dataclass(owner):
        defaults = {field.name: field.default for field in fields(owner)}
        return defaults.get(attribute, getattr(owner, attribute))
    if isinstance(owner, type) and issubclass(owner, msgspec.Struct):
        return {field.name: field.default for field in msgspec.structs.fields(owner)}[attribute]
    return getattr(owner, attribute)


@pytest.mark.parametrize("place", list(places()), ids=lambda place: f"{place.file} {place.name}")
def test_a_named_place_exists_with_its_value(place: Place) -> None:
    assert (SOURCE / place.file).is_file()
    value = value_of(place.file, place.name)
    if place.value is not None:
        assert value == literal_eval(place.value)


def test_each_row_names_a_file_and_a_name_in_it() -> None:
    for behaviour, text in rows():
        for of_a_file in text.split("; "):
            file, *names = CODE.findall(of_a_file)
            assert file.endswith(".py"), behaviour
            assert names, behaviour


def test_the_page_answers_many_questions_each_once() -> None:
    behaviours = [behaviour for behaviour, _ in rows()]
    assert len(behaviours) == len(set(behaviours)) >= BEHAVIOURS_MIN
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    tables = [line for line in lines if line.startswith("| ") and not line.startswith("| behaviour")]
    assert len(behaviours) == len(tables), "a row has another form"


def test_a_name_that_is_gone_and_a_value_that_changed_are_found() -> None:
    with pytest.raises(AttributeError):
        value_of("domain/limits.py", "NOTHING_MAX")
    with pytest.raises(AttributeError):
        value_of("application/expiry.py", "ExpiryLimits.nothing")
    assert value_of("application/expiry.py", "ExpiryLimits.batch_size") != 255
