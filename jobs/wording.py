"""The words of what was said about a job, in the language and time zone of whoever reads now.

A kind's sentences stand in its `sentences`, the core's own here.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext_lazy, ngettext

from .kind import kind_named
from .sentences import Text

logger = logging.getLogger(__name__)

_OWN: dict[str, Text] = {
    "no_words": gettext_lazy("This site has no words for what happened (%(code)s)."),
    "database": gettext_lazy("Our database could not be reached for a moment."),
    "internal_error": gettext_lazy(
        "Something broke on our side. The people who run this site can see what; you can try again."
    ),
    "result_too_large": gettext_lazy(
        "The work is done, but its result can't be kept: it has more than %(bytes)s bytes or is nested deeper than "
        "%(levels)s levels. What was done elsewhere stays so; if you try again, it may be done twice."
    ),
    "payload_unreadable": gettext_lazy(
        "What was asked for can't be read any more: this site's secret key has changed. Please submit it again."
    ),
    "time_limit": gettext_lazy("It was stopped because it took longer than %(limit)s."),
    "unknown_kind": gettext_lazy("This site can't do this kind of job any more."),
    "worker_lost": gettext_lazy("The worker that was doing this stopped before it was done."),
    "after_failed": gettext_lazy("It was cancelled because “%(title)s”, which had to be done first, failed."),
    "after_cancelled": gettext_lazy("It was cancelled because “%(title)s”, which had to be done first, was cancelled."),
}


def worded(said: object, kind: str = "") -> str:
    """The words of a sentence that was stored, for whoever reads now; "" if nothing was said.

    said: what `Sentence.as_data` gave. kind: the name of the kind whose job says it.
    """
    if not isinstance(said, Mapping) or "say" not in said:
        return ""
    code, by = str(said["say"]), str(said.get("by", kind))
    text = _text(code, by)
    if text is not None:
        try:
            return str(text % {name: _shown(value, by) for name, value in said.get("with", {}).items()})
        except Exception:
            # It was given other placeholders since it was stored, or is a stranger's data that looks like a sentence.
            logger.warning(
                "The sentence %r of %r does not fit the values %r", code, by, said.get("with"), exc_info=True
            )
    return str(_OWN["no_words"]) % {"code": code}


def all_worded(data: Any, kind: str) -> Any:
    """JSON data with every sentence in it in words. kind: whose job's data it is."""
    match data:
        case {"say": str()}:
            return worded(data, kind)
        case dict():
            return {name: all_worded(value, kind) for name, value in data.items()}
        case list():
            return [all_worded(value, kind) for value in data]
    return data


def _text(code: str, kind: str) -> Text | None:
    found = kind_named(kind)
    return (found.sentences.get(code) if found else None) or _OWN.get(code)


class _Number(int):
    """A whole number that is written with separators for thousands, and still counts for plural forms."""

    def __str__(self) -> str:
        return number_format(int(self), force_grouping=True)


def _shown(value: Any, kind: str) -> Any:
    match value:
        case {"say": _}:
            return worded(value, kind)
        case {"at": str(moment)}:
            return moment_in_words(datetime.fromisoformat(moment))
        case {"lasts": int() | float() as seconds}:
            return span_in_words(timedelta(seconds=seconds))
        case int():
            return _Number(value)
    return value


def moment_in_words(moment: datetime) -> str:
    """A moment in the current time zone: "18:30:05 CET", or "3 May, 18:30:05 CET" if that is not today."""
    local = timezone.localtime(moment)
    time = f"{date_format(local, 'H:i:s')} {local.tzname()}"
    return time if local.date() == timezone.localdate() else f"{date_format(local, 'j F')}, {time}"


def span_in_words(span: timedelta) -> str:
    """A time span as people say it: "4 hours", "2 minutes", "90 seconds"."""
    seconds = round(span.total_seconds())
    if seconds >= 3600 and seconds % 3600 == 0:
        return ngettext("%(number)d hour", "%(number)d hours", seconds // 3600) % {"number": seconds // 3600}
    if seconds >= 60 and seconds % 60 == 0:
        return ngettext("%(number)d minute", "%(number)d minutes", seconds // 60) % {"number": seconds // 60}
    return ngettext("%(number)d second", "%(number)d seconds", seconds) % {"number": seconds}
