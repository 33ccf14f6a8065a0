"""Sentences are kept as data and worded for whoever reads; and each kind says only what stands in its sentences."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone, translation
from django.utils.functional import lazystr
from django.utils.translation import get_language, gettext_lazy, ngettext_lazy

from jobs import sentences
from jobs.kind import installed_kinds
from jobs.sentences import Sentence, Text, all_worded, worded
from tests.test_architecture import modules


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
    monkeypatch.setitem(sentences._kinds, "talker", TEXTS)
    monkeypatch.setitem(sentences._kinds, "other", {"quiet": "The other kind's %(who)s is silent."})


def said(code: str, **values: Any) -> str:
    """The sentence, kept as JSON and worded for the talker."""
    return worded(json.loads(json.dumps(Sentence(code, **values).kept())), "talker")


def test_a_sentence_is_worded_in_the_language_of_whoever_reads() -> None:
    kept = Sentence("quiet", who="Mastodon").kept()
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
    [(1, "1 second"), (90, "90 seconds"), (60, "1 minute"), (7200, "120 minutes"), (0.4, "0 seconds")],
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
    words = said("both", first=inner, then=Sentence("files", number=2).kept())
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


@pytest.mark.parametrize("value", [None, True, object(), b"bytes", {"a": 1}])
def test_what_no_sentence_has_a_place_for_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no place for"):
        Sentence("quiet", who=value).kept()


def test_data_is_shown_with_its_sentences_in_words() -> None:
    data = {"notes": [Sentence("files", number=1).kept()], "bytes": 5, "more": {"note": Sentence("gone").kept()}}
    assert all_worded(data, "talker") == {
        "notes": ["1 file"],
        "bytes": 5,
        "more": {"note": "This site has no words for what happened (gone)."},
    }


# --- What kinds say -------------------------------------------------------------------------------------------------

SAYING = {"Failed", "TryAgain", "OnHold", "Sentence"}
PARAMETERS = {"can_retry", "not_before", "say", "kind"}
"""Keywords of these calls that are no values of the sentence."""


class Probe(dict[str, Any]):
    """Values for any sentence, which remembers those that were asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> int:
        self.asked.add(name)
        return 2


def placeholders(text: Text) -> set[str]:
    """The values that a sentence has places for."""
    probe = Probe()
    str(text % probe)
    return probe.asked


def apps() -> dict[str, dict[str, Text]]:
    """The sentences of the kinds of each app, by the app's package."""
    found: dict[str, dict[str, Text]] = {}
    for kind in installed_kinds():
        package = type(kind).__module__.partition(".kinds.")
        if package[0] == "jobs":
            app = f"jobs.kinds.{package[2].split('.')[0]}"
            found[app] = {**found.get(app, {}), **kind.sentences}
    return found


def literals(node: ast.expr | None) -> list[str]:
    """The codes that an expression may be; [] if that can't be read from it."""
    match node:
        case ast.Constant(value=str(code)):
            return [code]
        case ast.IfExp(body=body, orelse=orelse):
            return [*literals(body), *literals(orelse)]
    return []


def said_in(source: str) -> Iterator[tuple[list[str], set[str] | None]]:
    """Each thing that a module says: the codes it may be, and the names of its values (None: can't be read)."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        keywords = {word.arg: word.value for word in node.keywords}
        if name in SAYING:
            codes = literals(keywords.get("say")) or literals(node.args[0] if node.args else None)
        elif name in {"progress", "_progress"} and len(node.args) > 1:
            codes = literals(node.args[1])
        else:
            continue
        if isinstance(keywords.get("kind"), ast.Constant):
            continue  # another kind's sentence
        yield codes, None if None in keywords else {word for word in keywords if word} - PARAMETERS


def test_each_kind_says_only_what_stands_in_its_sentences_with_the_values_that_they_need() -> None:
    wrong = []
    for app, texts in apps().items():
        known = {**sentences._OWN, **texts}
        for module, source in modules():
            if module.startswith(f"{app}."):
                for codes, values in said_in(source):
                    for code in codes:
                        if code not in known:
                            wrong.append(f"{module}: no sentence {code!r}")
                        elif values is not None and values != placeholders(known[code]):
                            wrong.append(f"{module}: {code!r} needs {placeholders(known[code])}, not {values}")
    assert wrong == []


def test_no_sentence_stands_there_for_nothing() -> None:
    unused = []
    for app, texts in apps().items():
        words: set[str] = set()
        beginnings: set[str] = set()
        for module, source in modules():
            if module.startswith(f"{app}.") and not module.endswith(".sentences"):
                for node in ast.walk(ast.parse(source)):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        words.add(node.value)
                    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                        beginnings.add(str(node.values[0].value))
        unused += [
            f"{app}: {code}" for code in texts if code not in words and not any(map(code.startswith, beginnings - {""}))
        ]
    assert unused == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("raise Failed('gone', can_retry=False)", (["gone"], set())),
        ("raise TryAgain('no_answer', say='late', who=who)", (["late"], {"who"})),
        ("run.progress(5, 'first' if one else 'next', number=1)", (["first", "next"], {"number"})),
        ("Sentence(code, **values)", ([], None)),
    ],
)
def test_what_a_module_says_is_read_from_it(source: str, found: tuple[list[str], set[str] | None]) -> None:
    assert list(said_in(source)) == [found]


def test_no_sentence_is_written_where_it_is_said() -> None:
    """A text with spaces as a code would be a sentence outside the kind's own place."""
    spaced = [
        (module, code)
        for module, source in modules()
        for codes, _ in said_in(source)
        for code in codes
        if not re.fullmatch(r"[a-z0-9_]+", code)
    ]
    assert spaced == []
