"""What many ask at once is asked once a moment."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.core import short_cache
from jobs.core.short_cache import for_a_moment
from tests.processes import wait_until


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def ask(asked):
    @for_a_moment
    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    return length


def test_within_a_moment_each_question_is_asked_once(ask, asked, monkeypatch):
    monkeypatch.setattr(short_cache, "MOMENT", 1000)
    assert [ask("one"), ask("three"), ask("one")] == [3, 5, 3]
    assert asked == ["one", "three"]


def test_after_a_moment_it_is_asked_again(ask, asked, monkeypatch):
    monkeypatch.setattr(short_cache, "MOMENT", 0.05)
    ask("one")
    wait_until(lambda: ask("one") and len(asked) > 1)


def test_many_threads_at_once_make_one_question(ask, asked, monkeypatch):
    monkeypatch.setattr(short_cache, "MOMENT", 1000)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, ["one"] * 200)) == [3] * 200
    assert asked == ["one"]


def test_an_error_is_not_kept(monkeypatch):
    monkeypatch.setattr(short_cache, "MOMENT", 1000)
    answers: Iterator[int | Exception] = iter([ZeroDivisionError(), 7])

    @for_a_moment
    def moody() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(ZeroDivisionError):
        moody()
    assert moody() == 7
