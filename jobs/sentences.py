"""What is said to people about a job, as data: a code and its values. `jobs.wording` makes words of it for readers.

So the same outcome can be read in another language or time zone than the one it was written in, and be searched for.
"""

from datetime import datetime, timedelta
from typing import Any

from django.utils.functional import Promise

from .storable import Unstorable, as_json, as_text

Text = str | Promise
"""Words for people, translated at once or when they are shown."""

LONGEST_VALUE = 1000
"""Characters of a text inside a sentence; the rest is cut, so that rows and pages stay small whatever a server says."""
LARGEST = 20_000
"""Bytes of a sentence with all that stands in it. Of one that is larger nothing but its code is kept."""


class Sentence:
    """Something said to a person: which of its kind's sentences, and the values in it.

    code: its key in `Kind.sentences`, or among those of `jobs.wording`.
    kind: whose sentence it is, if not that of the job which says it.
    values: for the placeholders: text (see LONGEST_VALUE), numbers (int: with separators for thousands), a moment
    (shown in the reader's time zone), a span of time, or another sentence, as data or not. Of anything else its text.
    """

    def __init__(self, code: str, /, *, kind: str = "", **values: Any) -> None:
        self.code = code
        self.kind = kind
        self.values = values

    def as_data(self) -> dict[str, Any]:
        """As JSON data that can be kept, for `jobs.wording.worded`."""
        said = {
            "say": as_text(self.code, LONGEST_VALUE),
            **({"by": as_text(self.kind, LONGEST_VALUE)} if self.kind else {}),
        }
        try:
            values = {name: _as_data(value) for name, value in self.values.items()}
            kept: dict[str, Any] = as_json({**said, "with": values} if values else said, LARGEST)
        except (Unstorable, RecursionError):
            return said
        return kept


def _as_data(value: Any) -> Any:
    match value:
        case Sentence():
            return value.as_data()
        case {"say": str()}:
            return value
        case datetime():
            return {"at": value.isoformat()}
        case timedelta():
            return {"lasts": value.total_seconds()}
        case int() | float() if not isinstance(value, bool):
            return value
    return as_text(value, LONGEST_VALUE)
