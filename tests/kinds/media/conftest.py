"""Converting without any job: a file in, what came out, and how the progress went."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.kinds.media import formats, pictures, recordings
from jobs.kinds.media.conversion import Converted, Limits, Output

LIMITS = Limits(pixels=40_000_000, seconds=600, memory=2 * 1024**3)


@dataclass
class Conversion:
    converted: Converted
    progress: list[float]

    @property
    def outputs(self) -> list[Output]:
        return self.converted.outputs

    def output(self, name: str) -> Output:
        return next(output for output in self.outputs if output.path.name == name)


Convert = Callable[..., Conversion]


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
        work = pictures.convert if found.is_picture else recordings.convert
        converted = work(path, found, folder, limits, lambda percent, text: progress.append(percent))
        assert {output.path for output in converted.outputs} == set(folder.iterdir())
        return Conversion(converted, progress)

    return convert
