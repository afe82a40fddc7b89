"""Root paths: the gateway below a path of a reverse proxy or of an enclosing application.

Some proxies strip the root path and some do not; servers and frameworks put it into `scope["root_path"]`, and may leave
it in `scope["path"]`. All cases work: a root path is removed from the path if it is there.
"""

from collections.abc import Callable
from typing import Any

from gateway.adapters.http.messages import Request


def below_root_paths(scope: dict[str, Any], root_path: str, knows: Callable[[str], bool]) -> dict[str, Any]:
    """The scope with `root_path` and ASGI's root path removed from its path; `raw_path` stays as the client sent it.

    `knows` tells whether the gateway has a path: the root path may be equal to one ("/payments").
    """
    path = scope["path"]
    above = scope.get("root_path", "").rstrip("/")
    mounted = below(path, above)
    candidates = (below(mounted, root_path), mounted, path)
    known = next((each for each in candidates if each != "/" and knows(each)), candidates[0])
    raw_path = scope.get("raw_path") or scope["path"].encode()
    if raw_path == known.encode():
        raw_path = above.encode() + raw_path  # The server has removed the root path from both.
    return {**scope, "path": known, "raw_path": raw_path, "root_path": ""}


def below(path: str, root_path: str) -> str:
    """`path` without a leading `root_path`: "/gateway/docs" below "/gateway" is "/docs"."""
    rest = path.removeprefix(root_path.rstrip("/"))
    return (rest or "/") if rest[:1] in {"", "/"} else path


def root_path_of(request: Request) -> str:
    """The root path of the client's URL, as far as the server knows it: "/gateway", or empty."""
    raw = request.raw_path.decode("ascii", "replace").rstrip("/")
    above = raw.removesuffix(request.path).strip("/") if raw.endswith(request.path) else ""
    return f"/{above}" if above else ""
