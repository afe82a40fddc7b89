"""The access log: one entry for each request. Of what a client wrote, only the id of the request is in it."""

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from gateway.adapters.http.messages import AnyRequest, Response
from gateway.adapters.http.operations import AnyOperation
from gateway.adapters.http.problems import PROBLEM_JSON

METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER: Final = "*"
"""Stands for unknown methods, unknown paths, unknown fields, and keys of mappings."""
ERRORS_LOGGED_MAX: Final = 10

_INDEX: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class EntryError(msgspec.Struct, frozen=True):
    """A refused field: its pointer (`/metadata/*`) and the code of its error (`value_invalid`)."""

    pointer: str
    code: str


class Entry(NamedTuple):
    """One request.

    Attributes:
        route: The template of its path, such as `/payments/{payment_id}`; `*` for a path without an operation.
        seconds: From receiving the headers to sending the last byte.
        user_id: Of the owner of the token or key; empty without one.
        api_key_id: Of the API key; empty without one.
        code: Of the refusal; empty without one.
        errors: The first `ERRORS_LOGGED_MAX` errors of a `validation_error`.
    """

    method: str
    route: str
    status: int
    seconds: float
    request_id: str
    user_id: str
    api_key_id: str
    code: str
    errors: list[EntryError]


AccessLog = Callable[[Entry], None]
"""Writes one entry. It must not raise and must not block."""


class _Problem(msgspec.Struct):
    code: str
    errors: list[EntryError] = []


class RequestLog:
    """Makes an entry for each request and passes it to the log."""

    def __init__(self, operations: Iterable[AnyOperation], log: AccessLog) -> None:
        self._log = log
        forms = [form for each in operations for form in (each.body, each.query) if form is not None]
        _, components = msgspec.json.schema_components(forms)
        self._names = {name for schema in components.values() for name in schema.get("properties", ())}
        self._problem = msgspec.json.Decoder(_Problem)

    def add(self, request: AnyRequest, response: Response, *, seconds: float) -> None:
        """Log one request and its response."""
        code, errors = "", list[EntryError]()
        if response.content_type == PROBLEM_JSON:
            problem = self._problem.decode(response.body)
            code = problem.code
            errors = [EntryError(self._known(each.pointer), each.code) for each in problem.errors[:ERRORS_LOGGED_MAX]]
        caller = request.signed_in
        entry = Entry(
            method=request.method if request.method in METHODS else OTHER,
            route=request.route or OTHER,
            status=response.status,
            seconds=seconds,
            request_id=request.request_id,
            user_id=caller.actor_id if caller else "",
            api_key_id=(caller.api_key_id or "") if caller else "",
            code=code,
            errors=errors,
        )
        self._log(entry)

    def _known(self, pointer: str) -> str:
        """A pointer with `*` for each unknown name: clients put secrets into wrong fields."""
        steps: list[str] = pointer.split("/")
        return "/".join(step if not step or step in self._names or _INDEX.fullmatch(step) else OTHER for step in steps)
