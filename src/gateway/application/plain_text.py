"""Secrets, keys and rates come in files that people write: in UTF-8 without a byte-order mark, or not at all.

An editor's byte-order mark, or UTF-16, would become a part of a password that nobody can type.
"""

import codecs
from typing import Final

_MARKS: Final = {
    codecs.BOM_UTF8: "it begins with a byte-order mark",
    codecs.BOM_UTF16_LE: "it is UTF-16",
    codecs.BOM_UTF16_BE: "it is UTF-16",
}


class NotPlainText(Exception):  # noqa: N818 - names what is wrong, as every refusal of the gateway does.
    """The bytes are not plain text; the message says why, as the end of a sentence."""


def plain_text(content: bytes) -> str:
    """Decode UTF-8 without a byte-order mark and without NUL.

    Raises:
        NotPlainText: It is something else. The message never repeats it.
    """
    for mark, meaning in _MARKS.items():
        if content.startswith(mark):
            raise NotPlainText(f"{meaning}. Save it as UTF-8 without a byte-order mark")
    if b"\0" in content:
        raise NotPlainText("it has NUL characters, as UTF-16 has. Save it as UTF-8 without a byte-order mark")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise NotPlainText("it is not UTF-8") from error
