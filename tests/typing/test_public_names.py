"""Whatever the signature of a public name names is public too, in `gateway` or one of its public modules."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, NewType, cast, get_args, get_type_hints

import pytest

import gateway
from gateway import events, ports, refusals, testing, threads
from gateway.application.engine.command import Command
from gateway.application.engine.outcome_codec import refusals as refusals_by_code
from gateway.domain.errors import Refusal
from gateway.domain.refusal_codes import RefusalCode

MODULES = (gateway, events, ports, refusals, testing, threads)
INTERNAL = {
    (gateway.SyncGateway, "executor"): "its methods use it",
    (gateway.SyncGateway, "calls"): "its methods use it",
    (gateway.Gateway, "executor"): "the HTTP adapter submits what is encoded already",
    (gateway.Gateway, "rate_limits"): "the HTTP adapter counts requests",
    (gateway.Gateway, "opened_with"): "gateway.asgi reads it",
    (gateway.MemoryDatabase, "delivery_queues"): "the adapter in memory keeps deliveries that wait",
    (gateway.MemoryDatabase, "sessions"): "the adapter in memory keeps sessions with their tokens",
    (gateway.MemoryDatabase, "refresh_tokens"): "as above",
    (Command, "needs"): "the engine asks what to load",
    (Command, "decide"): "the engine decides",
    (Command, "result_type"): "the codec of stored answers",
}
"""What no program outside calls."""


def public() -> dict[str, Any]:
    return {f"{module.__name__}.{name}": getattr(module, name) for module in MODULES for name in module.__all__}


def named_in(hint: Any) -> Iterator[Any]:
    """Our classes and new types in an annotation, however deep."""
    for part in get_args(hint):
        for each in cast("list[Any]", part) if isinstance(part, list) else [part]:  # type: ignore[redundant-cast]  # not to pyright.
            yield from named_in(each)
    is_ours = getattr(hint, "__module__", "").startswith("gateway.")
    if is_ours and (inspect.isclass(hint) or isinstance(hint, NewType)):
        yield hint


def hints(thing: Any) -> dict[str, Any]:
    # Postponed names of a module are resolved there.
    return get_type_hints(inspect.unwrap(thing) if callable(thing) and not inspect.isclass(thing) else thing)


def is_internal(kind: type[Any], name: str) -> bool:
    return any(issubclass(kind, owner) and name == member for owner, member in INTERNAL)


def signatures(kind: type[Any]) -> Iterator[tuple[str, Any]]:
    """The annotations of a class that a program outside may use: its fields, methods and properties."""
    fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set[str]()
    if "loop" not in fields:  # Parts of a gateway are made by its wiring, and used by their methods.
        yield from ((name, hint) for name, hint in hints(kind).items() if not name.startswith("_"))
    for name, member in inspect.getmembers_static(kind):
        method = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(method) and method.__module__.startswith("gateway."):
            yield from ((name, hint) for hint in hints(method).values())


def named_by(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, NewType) or (inspect.isclass(thing) and issubclass(thing, Enum)):
        return
    if inspect.isclass(thing):
        for name, hint in signatures(thing):
            if not is_internal(thing, name):
                yield from ((name, each) for each in named_in(hint))
    elif callable(thing) and not get_args(thing):
        yield from (("", each) for hint in hints(thing).values() for each in named_in(hint))


def texts(thing: Any) -> Iterator[str]:
    """What `help` shows of a name and its members."""
    yield inspect.getdoc(thing) or ""
    for name, member in inspect.getmembers_static(thing) if inspect.isclass(thing) else ():
        method = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if not name.startswith("_") and not is_internal(thing, name) and inspect.isfunction(method):
            yield method.__doc__ or ""


@pytest.mark.parametrize("name", sorted(public()))
def test_help_refers_to_public_names_alone(name: str) -> None:
    names = {each.rpartition(".")[2] for each in public()}
    referred = {kind for text in texts(public()[name]) for kind in re.findall(r"\b[Aa]s `([A-Z][a-z]\w+)[.`]", text)}
    assert referred <= names


@pytest.mark.parametrize("name", sorted(public()))
def test_whatever_a_public_signature_names_is_public(name: str) -> None:
    known = [value for value in public().values() if inspect.isclass(value) or isinstance(value, NewType)]
    missing = {
        f"{member}: {each.__module__}.{each.__name__}" for member, each in named_by(public()[name]) if each not in known
    }
    assert missing == set()


def test_every_refusal_is_public_and_its_code_is_in_the_literal() -> None:
    public_refusals = [getattr(refusals, name) for name in refusals.__all__]
    assert [kind for kind in refusals_by_code().values() if kind not in public_refusals] == []
    assert set(get_args(RefusalCode)) == refusals_by_code().keys()
    assert issubclass(refusals.InsufficientFunds, Refusal)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_name_exists(module: Any) -> None:
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert len(set(module.__all__)) == len(module.__all__)
