"""Converting without any job: a file in, what came out, and what was told of it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs.contract import Failed, Sentence, worded
from jobs.kinds.media import formats, pictures, recordings
from jobs.kinds.media.conversion import Converted, Limits, Output
from jobs.kinds.media.sentences import in_words

LIMITS = Limits(pixels=40_000_000, seconds=600, memory=2 * 1024**3)


@dataclass
class Conversion:
    converted: Converted
    progress: list[float]
    said: list[str]

    @property
    def outputs(self) -> list[Output]:
        return self.converted.outputs

    @property
    def notes(self) -> list[str]:
        return [worded(note, "media") for note in self.converted.notes]

    def output(self, name: str) -> Output:
        return next(output for output in self.outputs if output.path.name == name)


Convert = Callable[..., Conversion]


@contextmanager
def refused(words: str) -> "Iterator[pytest.ExceptionInfo[Failed]]":
    """What is done here fails, and its owner reads words that match this pattern."""
    with pytest.raises(Failed) as failure:
        yield failure
    assert re.search(words, in_words(failure.value.sentence))


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    def convert(source: bytes | Path, limits: Limits = LIMITS) -> Conversion:
        path = tmp_path / "source"
        path.write_bytes(source if isinstance(source, bytes) else source.read_bytes())
        with path.open("rb") as file:
            found = formats.recognise(file.read(formats.HEAD_BYTES))
        assert found is not None
        folder = tmp_path / "outputs"
        folder.mkdir()
        progress: list[float] = []
        said: list[str] = []

        def follow(percent: float, say: str = "", /, **values: Any) -> None:
            progress.append(percent)
            said.append(in_words(Sentence(say, **values)))

        work = pictures.convert if found.is_picture else recordings.convert
        converted = work(path, found, folder, limits, follow)
        assert {output.path for output in converted.outputs} == set(folder.iterdir())
        return Conversion(converted, progress, said)

    return convert
