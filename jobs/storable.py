r"""What is kept of the texts and data that a kind hands over: what both databases can store and every page can show.

No database stores half of a surrogate pair (an undecodable file name has some), PostgreSQL no NUL, and JSON has no
place for NaN, bytes or objects. They are not dropped but written as Python writes them (`\udcff`, `\x00`): staff can
tell from that what was said. A text that is too long is cut, with a mark. Data that is too large or too deep is
refused: a part of it would say something else.
"""

import json
import re
import reprlib
from collections.abc import Collection, Mapping
from typing import Any

from django.utils.functional import Promise

LONGEST = 100_000
"""Characters of a text that has no narrower limit, such as a traceback."""
LARGEST = 256_000
"""Bytes of data: of all its texts and numbers, as UTF-8, and one for each list or object."""
DEEPEST = 50
"""How deep data may be nested: far less than what runs out of stack where a page is made of it."""
CUT = "…"

_ENDLESS = 10**4000
"""No number: what is not smaller (infinity, say) is written as a text. Python reads integers of up to 4,300 digits."""
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


class Unstorable(ValueError):
    """Something can't be kept as it is. Its text is a sentence for whoever asked for it."""


def as_text(value: object, longest: int = LONGEST) -> str:
    """A text that can be kept; of something else, the text of it. At most `longest` characters, then CUT."""
    text = _NO_TEXT.sub(lambda found: ascii(found[0])[1:-1], _text_of(value)[: longest + 1])
    return text if len(text) <= longest else text[: longest - len(CUT)] + CUT


def _text_of(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    try:
        # What holds other things may hold one of them so often that its whole text fits into no memory.
        is_plain = isinstance(value, str | Promise) or not isinstance(value, Collection)
        return str(value) if is_plain else reprlib.repr(value)
    except Exception:  # noqa: BLE001 (an object can raise anything here, and a number be too long)
        return hex(value) if isinstance(value, int) else f"<{type(value).__name__}>"


def as_json(value: Any, largest: int = LARGEST) -> Any:
    """The same as JSON data that can be kept: all that JSON has no place for as its text.

    Raises Unstorable if it is larger than `largest` bytes, or deeper than DEEPEST.
    """
    left = largest

    def spend(size: int) -> None:
        nonlocal left
        left -= size
        if left < 0:
            raise Unstorable(f"This is too large to be kept: it has more than {largest:,} bytes.")

    def text(value: object) -> str:
        kept = as_text(value, largest + 1)
        spend(len(kept.encode()))
        return kept

    def fit(value: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise Unstorable(f"This can't be kept: it is nested deeper than {DEEPEST} levels.")
        match value:
            case str():
                return text(value)
            case Mapping():
                spend(1)
                return {text(name): fit(one, depth + 1) for name, one in value.items()}
            case list() | tuple() | set() | frozenset():
                spend(1)
                return [fit(one, depth + 1) for one in value]
            case None | bool():
                spend(1)
                return value
            case int() | float() if abs(value) < _ENDLESS:
                spend(len(str(value)))
                return value
        return text(value)

    return fit(value, 0)


def as_given(value: Any, largest: int) -> str:
    """Data written as JSON. Raises Unstorable if it could be kept only with changes, TypeError if it is no JSON."""
    kept, given = json.dumps(as_json(value, largest)), json.dumps(value)
    if kept != given:
        raise Unstorable("This can't be kept as it is: it holds characters that are no text, or numbers that are none.")
    return given
