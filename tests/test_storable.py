"""What is kept of whatever a kind hands over."""

import json
from typing import Any

import pytest
from django.utils.translation import gettext_lazy

from jobs.storable import CUT, DEEPEST, LARGEST, Unstorable, as_given, as_json, as_text
from tests import hostile

pytestmark = pytest.mark.apart


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("plain – “text”\n\t😀", "plain – “text”\n\t😀"),
        ("caf\udce9.txt", r"caf\udce9.txt"),
        ("a\x00b", r"a\x00b"),
        (b"caf\xe9", r"caf\xe9"),
        (gettext_lazy("said later " * 10), "said later " * 10),
        (None, "None"),
        (float("nan"), "nan"),
        (hostile.Unprintable(), "<Unprintable>"),
        pytest.param(16**4000, "0x1" + "0" * 4000, id="long number"),
    ],
)
def test_what_is_no_text_is_written_as_python_writes_it(given: object, kept: str) -> None:
    assert as_text(given) == kept


@pytest.mark.parametrize("given", ["x" * 100, "\x00" * 100, "x" * 5 + "\ud800" * 100])
def test_a_text_that_is_too_long_is_cut_with_a_mark(given: str) -> None:
    kept = as_text(given, 10)
    assert len(kept) == 10
    assert kept.endswith(CUT)


def test_a_text_of_just_the_length_is_kept_whole() -> None:
    assert as_text("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize("name", hostile.VALUES)
def test_whatever_is_given_as_data_is_kept_as_json_or_refused_with_a_sentence(name: str) -> None:
    given = {"value": hostile.VALUES[name]}
    if name in hostile.TOO_MUCH:
        with pytest.raises(Unstorable, match=r"^This .*\.$"):
            as_json(given)
    else:
        kept = as_json(given)
        assert json.loads(json.dumps(kept, allow_nan=False)) == kept
        written = json.dumps(kept, ensure_ascii=False)
        assert len(written.encode()) < LARGEST * 2
        assert "\\u0000" not in written


@pytest.mark.parametrize(
    "data", [{"a": [1, 2.5, None, True, "x", {"b": -1e308}], "é": ""}, {}, [], hostile.nested(DEEPEST)]
)
def test_data_that_json_can_hold_stays_as_it_is(data: Any) -> None:
    assert as_json(data) == data
    assert as_given(data, LARGEST) == json.dumps(data)


@pytest.mark.parametrize("given", [{"a": "\ud800"}, {"a\x00": 1}, {"a": float("nan")}, hostile.nested(DEEPEST + 1)])
def test_data_that_is_to_be_kept_as_it_is_and_can_not_be_is_refused(given: Any) -> None:
    with pytest.raises(Unstorable, match=r"^This can't be kept.*\.$"):
        as_given(given, LARGEST)


def test_data_may_be_as_large_as_is_said_and_no_larger() -> None:
    as_json(["x" * (LARGEST - 1)])
    with pytest.raises(Unstorable, match="256,000 bytes"):
        as_json(["x" * LARGEST])
