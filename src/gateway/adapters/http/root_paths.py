"""Root paths: the gateway below a path of a reverse proxy, or of the application that it is mounted in.

Some proxies strip that path and some do not; servers and frameworks put it into `scope["root_path"]`, with or without
leaving it in `scope["path"]`. All of them are served alike: what is in front of a path is taken off if it is there.
"""

from collections.abc import Callable
from typing import Any

from gateway.adapters.http.messages import Request


def below_root_paths(scope: dict[str, Any], root_path: str, knows: Callable[[str], bool]) -> dict[str, Any]:
    """The scope with its path below `root_path` and ASGI's own root path. `raw_path` is what the client asked for.

    Where the root path is called like a path of the gateway's own ("/payments"), `knows` tells the two apart.
    """
    path = scope["path"]
    above = scope.get("root_path", "").rstrip("/")
    mounted = below(path, above)
    candidates = (below(mounted, root_path), mounted, path)
    known = next((each for each in candidates if each != "/" and knows(each)), candidates[0])
    raw_path = scope.get("raw_path") or scope["path"].encode()
    if raw_path == known.encode():
        raw_path = above.encode() + raw_path  # The server has taken the root path off the path, and only names it.
    return {**scope, "path": known, "raw_path": raw_path, "root_path": ""}


def below(path: str, root_path: str) -> str:
    """`path` without `root_path` in front, if it is there: "/gateway/docs" below "/gateway" is "/docs"."""
    rest = path.removeprefix(root_path.rstrip("/"))
    return (rest or "/") if rest[:1] in {"", "/"} else path


def root_path_of(request: Request) -> str:
    """What stood in front of the operation's path, as far as the server knows: "/gateway", or nothing."""
    raw = request.raw_path.decode("ascii", "replace").rstrip("/")
    above = raw.removesuffix(request.path).strip("/") if raw.endswith(request.path) else ""
    return f"/{above}" if above else ""
