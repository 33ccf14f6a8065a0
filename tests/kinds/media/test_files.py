"""The folder in which an attempt works."""

import os

from jobs.kinds.media import files


def test_the_folder_in_which_an_attempt_worked_is_deleted_and_so_are_those_of_killed_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, running, other = (tmp_path / name for name in ("offload-media-old", "offload-media-running", "other"))
    for folder in (old, running, other):
        folder.mkdir()
        (folder / "source").write_bytes(b"x")
    for folder in (old, other):
        os.utime(folder, (0, 0))

    with files.working_folder() as folder:
        (folder / "source").write_bytes(b"x")
        assert folder.stat().st_mode & 0o077 == 0

    assert set(tmp_path.iterdir()) == {running, other}
