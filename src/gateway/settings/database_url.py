"""Database URLs, as they may be shown."""

import re
from typing import Final

_PASSWORD: Final = re.compile(r"(?<=://)([^:@/?]*):.*@")
_SECRET_PARAMETER: Final = re.compile(r"(?<=[?&])([^=&]*(?:password|secret|token|key)[^=&]*)=[^&]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """The URL with `***` in place of passwords and other secrets."""
    return _SECRET_PARAMETER.sub(r"\1=***", _PASSWORD.sub(r"\1:***@", url))
