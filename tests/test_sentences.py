"""Sentences as data; and each kind says only what stands in its sentences."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest

from jobs import wording
from jobs.kind import installed_kinds
from jobs.sentences import LONGEST_VALUE, Sentence, Text
from jobs.storable import CUT, as_json
from jobs.wording import worded
from tests import hostile
from tests.test_architecture import modules


def test_a_sentence_is_data_that_json_can_hold() -> None:
    inner = Sentence("gone", kind="media")
    assert Sentence("told", who="Ann", why=inner).as_data() == {
        "say": "told",
        "with": {"who": "Ann", "why": {"say": "gone", "by": "media"}},
    }


def test_a_long_text_inside_a_sentence_is_cut() -> None:
    assert Sentence("told", who="x" * 5000).as_data()["with"] == {"who": "x" * (LONGEST_VALUE - 1) + CUT}


@pytest.mark.parametrize("value", [None, True, b"None", {"a": 1}])
def test_of_what_a_sentence_has_no_place_for_it_has_the_text(value: object) -> None:
    kept = value.decode() if isinstance(value, bytes) else str(value)
    assert Sentence("told", who=value).as_data()["with"] == {"who": kept}


@pytest.mark.parametrize("value", hostile.VALUES.values(), ids=list(hostile.VALUES))
def test_whatever_stands_in_a_sentence_it_can_be_kept_and_worded(value: object) -> None:
    data = Sentence(
        "internal_error", kind="\x00", who=value, why=Sentence("database", a=value, **{"\ud800": "x"})
    ).as_data()
    assert as_json(data) == data
    assert worded(data) == worded(Sentence("internal_error").as_data())


def test_of_a_sentence_that_is_too_large_the_code_is_kept() -> None:
    said = Sentence("told", kind="media", **{f"value{number}": "x" * 1000 for number in range(100)})
    assert said.as_data() == {"say": "told", "by": "media"}


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
        known = {**wording._OWN, **texts}
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
