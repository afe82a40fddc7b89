"""Routes: the operations at a path, and the ids in it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from gateway.adapters.http.operations import AnyOperation
from gateway.domain.checks import FORBIDDEN_TEXT
from gateway.domain.limits import ID_LENGTH_MAX

NO_IDS: Final[Mapping[str, str]] = MappingProxyType({})

_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")
"""`{payment_id}` in a template, as `re.escape` spells it."""


class Match(NamedTuple):
    """What was found at a path.

    Attributes:
        route: The template of the path.
        operations: By method.
        ids: The segments of the path that stand for placeholders of the template, by name.
    """

    route: str
    operations: Mapping[str, AnyOperation]
    ids: Mapping[str, str] = NO_IDS


class _Pattern(NamedTuple):
    regex: re.Pattern[str]
    route: str
    operations: Mapping[str, AnyOperation]


class Routes:
    """Finds operations. A path without placeholders is looked up; the others are matched, fewest placeholders first."""

    def __init__(self, operations: Iterable[AnyOperation]) -> None:
        by_template: defaultdict[str, dict[str, AnyOperation]] = defaultdict(dict)
        for operation in operations:
            by_template[operation.path][operation.method] = operation
        self._literal: dict[str, Match] = {}
        self._patterns: defaultdict[str, list[_Pattern]] = defaultdict(list)
        for template, methods in sorted(by_template.items(), key=lambda item: item[0].count("{")):
            if "{" in template:
                self._patterns[template[1:].partition("/")[0]].append(_Pattern(_regex(template), template, methods))
            else:
                self._literal[template] = Match(template, methods)

    @property
    def literal_paths(self) -> frozenset[str]:
        """The paths without placeholders."""
        return frozenset(self._literal)

    def find(self, path: str) -> Match | None:
        """What is at a path that begins with a slash and does not end with one."""
        if (literal := self._literal.get(path)) is not None:
            return literal
        for pattern, route, operations in self._patterns.get(path[1:].partition("/")[0], ()):
            if (found := pattern.fullmatch(path)) is not None and not FORBIDDEN_TEXT.search(path):
                return Match(route, operations, found.groupdict())
        return None


def _regex(template: str) -> re.Pattern[str]:
    return re.compile(_PLACEHOLDER.sub(rf"(?P<\1>[^/]{{1,{ID_LENGTH_MAX}}})", re.escape(template)))
