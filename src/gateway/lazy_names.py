"""Names of a package whose modules are imported when a name is first used."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: dict[str, Any], modules: Mapping[str, str], extras: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """The `__getattr__` of a package.

    Args:
        package: The package's `globals()`, which get each name that is imported.
        modules: The module of each name.
        extras: The extra that a module needs, for those that need one.
    """

    def imported(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
        try:
            module = import_module(modules[name])
        except ModuleNotFoundError as missing:
            extra = (extras or {}).get(modules[name])
            if extra is None or (missing.name or "").partition(".")[0] == __name__.partition(".")[0]:
                raise
            needs = f"{package['__name__']}.{name} needs {missing.name}, which is not installed."
            sentence = f"{needs} Run: pip install 'gateway[{extra}]'"
            raise ModuleNotFoundError(sentence, name=missing.name, path=missing.path) from missing
        value = package[name] = getattr(module, name)
        return value

    return imported
