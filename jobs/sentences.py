"""What is said to people about a job, as data: a code and its values. `jobs.wording` makes words of it for readers.

So the same outcome can be read in another language or time zone than the one it was written in, and be searched for.
"""

from datetime import datetime, timedelta
from typing import Any

from django.utils.functional import Promise

Text = str | Promise
"""Words for people, translated at once or when they are shown."""

LONGEST_VALUE = 1000
"""Characters of a text inside a sentence; the rest is cut, so that rows and pages stay small whatever a server says."""


class Sentence:
    """Something said to a person: which of its kind's sentences, and the values in it.

    code: its key in `Kind.sentences`, or among those of `jobs.wording`.
    kind: whose sentence it is, if not that of the job which says it.
    values: for the placeholders: text (see LONGEST_VALUE), numbers (int: with separators for thousands), a moment
    (shown in the reader's time zone), a span of time, or another sentence, as data or not.
    """

    def __init__(self, code: str, /, *, kind: str = "", **values: Any) -> None:
        self.code = code
        self.kind = kind
        self.values = values

    def as_data(self) -> dict[str, Any]:
        """As JSON data, for `jobs.wording.worded`. Raises TypeError if a value is none that can be stored."""
        return {
            "say": self.code,
            **({"with": {name: _as_data(value) for name, value in self.values.items()}} if self.values else {}),
            **({"by": self.kind} if self.kind else {}),
        }


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
        case Promise():
            return str(value)
        case bool() | None:
            raise TypeError(f"A sentence has no place for {value!r}.")
        case str():
            return value[:LONGEST_VALUE]
        case int() | float():
            return value
    raise TypeError(f"A sentence has no place for a {type(value).__name__}.")
