"""What was said is worded for whoever reads."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone, translation
from django.utils.functional import lazystr
from django.utils.translation import get_language, gettext_lazy, ngettext_lazy

from jobs import kind
from jobs.sentences import Sentence, Text
from jobs.wording import all_worded, worded
from tests.kind_app.kind import Echo


class ByLanguage(str):
    """Stands for a text with a translation: it says itself in the language of whoever reads."""

    def __mod__(self, values: Any) -> str:
        text: str = {"de": "%(who)s antwortet nicht."}.get(get_language() or "", str(self))
        return str(text.__mod__(values))


TEXTS: dict[str, Text] = {
    "quiet": ByLanguage("%(who)s does not answer."),
    "until": gettext_lazy("Until %(moment)s."),
    "lasted": gettext_lazy("It took %(span)s."),
    "files": ngettext_lazy("%(number)s file", "%(number)s files", "number"),
    "both": gettext_lazy("First: %(first)s Then: %(then)s"),
    "share": lazystr("100 % done"),
    "exact": gettext_lazy("%(width)d × %(height)d"),
}


@pytest.fixture(autouse=True)
def a_kind_with_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, texts in {"talker": TEXTS, "other": {"quiet": "The other kind's %(who)s is silent."}}.items():
        monkeypatch.setitem(kind._kinds, name, type("Talker", (Echo,), {"name": name, "sentences": texts})())


def said(code: str, **values: Any) -> str:
    """The sentence, kept as JSON and worded for the talker."""
    return worded(json.loads(json.dumps(Sentence(code, **values).as_data())), "talker")


def test_a_sentence_is_worded_in_the_language_of_whoever_reads() -> None:
    kept = Sentence("quiet", who="Mastodon").as_data()
    assert worded(kept, "talker") == "Mastodon does not answer."
    with translation.override("de"):
        assert worded(kept, "talker") == "Mastodon antwortet nicht."


def test_a_moment_is_told_in_the_time_zone_of_whoever_reads() -> None:
    moment = timezone.now().replace(hour=12, minute=30, second=5, microsecond=0, tzinfo=UTC)
    assert said("until", moment=moment) == "Until 12:30:05 UTC."
    with timezone.override("Asia/Kolkata"):
        assert said("until", moment=moment) == "Until 18:00:05 IST."


def test_a_moment_on_another_day_has_its_day() -> None:
    assert said("until", moment=datetime(2020, 5, 3, 18, 30, 5, tzinfo=UTC)) == "Until 3 May, 18:30:05 UTC."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (60, "1 minute"),
        (5400, "90 minutes"),
        (7200, "2 hours"),
        (0.4, "0 seconds"),
    ],
)
def test_a_span_of_time_is_told_as_people_say_it(seconds: float, words: str) -> None:
    assert said("lasted", span=timedelta(seconds=seconds)) == f"It took {words}."


@pytest.mark.parametrize(("number", "words"), [(1, "1 file"), (2, "2 files"), (12345, "12,345 files")])
def test_a_number_chooses_the_plural_and_has_separators(number: int, words: str) -> None:
    assert said("files", number=number) == words


def test_a_number_has_no_separators_where_the_sentence_wants_digits() -> None:
    assert said("exact", width=4032, height=3024) == "4032 × 3024"


def test_sentences_stand_in_each_other() -> None:
    inner = Sentence("quiet", kind="other", who="Ann")
    words = said("both", first=inner, then=Sentence("files", number=2).as_data())
    assert words == "First: The other kind's Ann is silent. Then: 2 files"


def test_values_can_hold_percent_signs() -> None:
    assert said("quiet", who="100 %(who)s") == "100 %(who)s does not answer."


def test_the_core_has_words_of_its_own_for_every_kind() -> None:
    words = "It was stopped because it took longer than 2 minutes."
    assert said("time_limit", limit=timedelta(minutes=2)) == words


@pytest.mark.parametrize("kept", [{"say": "gone"}, {"say": "quiet", "with": {}}, {"say": "share"}])
def test_a_sentence_that_this_site_can_not_word_says_so(kept: Mapping[str, Any]) -> None:
    assert worded(kept, "talker") == f"This site has no words for what happened ({kept['say']})."


@pytest.mark.parametrize("kept", [{}, None, "text", [], {"with": {}}])
def test_nothing_said_is_no_words(kept: object) -> None:
    assert worded(kept, "talker") == ""


def test_data_is_shown_with_its_sentences_in_words() -> None:
    data = {"notes": [Sentence("files", number=1).as_data()], "bytes": 5, "more": {"note": Sentence("gone").as_data()}}
    assert all_worded(data, "talker") == {
        "notes": ["1 file"],
        "bytes": 5,
        "more": {"note": "This site has no words for what happened (gone)."},
    }
