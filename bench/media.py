"""What a media job takes beside the work itself: our jobs against plain Pillow and the ffmpeg command line.

    python bench/media.py

Makes a photo of 24 megapixels, a film in 1080p and a sound. Each is converted by a whole job (claimed, fetched from the
storage, converted, stored, its outcome kept; in a forked child, as the media worker does it) and, with the same options
and to the same files, by plain Pillow in a forked child or by the ffmpeg command line; at last by two jobs at once. All
ways take turns, round by round, forwards and backwards, so that whatever else the machine does falls on all alike.
Prints the medians; the raw times go into bench/results/media.json. About three minutes.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FILM_SECONDS, SOUND_SECONDS = 6, 120
JOB, PLAIN, TWO = "job", "plain", "two jobs at once"
Work = Callable[[], None]
Way = Callable[[], Work]
"""Gets everything ready, and returns what is timed."""
Times = dict[str, dict[str, dict[str, list[float]]]]
"""Sample, way, and the wall time and CPU time of each round in seconds."""


def main() -> None:
    """Parse the command line, make the samples, measure, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds over everything (%(default)s)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="offload-bench-") as name:
        os.environ.update(DJANGO_SETTINGS_MODULE="config.settings", VAR_DIR=name, SANDBOX="0", LOG_LEVEL="CRITICAL")
        for variable in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL"):
            os.environ.pop(variable, None)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
        import django

        django.setup()
        times = measure(ways(Path(name)), asked.rounds)
    report(times)


def ways(folder: Path) -> dict[str, dict[str, Way]]:
    """For each sample, made in `folder`, the ways to convert it."""
    photo, film, sound = (folder / name for name in ("photo.jpg", "film.mp4", "sound.wav"))
    print("Making the samples", flush=True)
    make_photo(photo)
    pattern = f"testsrc2=size=1920x1080:rate=25:duration={FILM_SECONDS},noise=alls=12:allf=t,format=yuv420p"
    tone = ("-f", "lavfi", "-i", f"sine=duration={FILM_SECONDS}")
    ffmpeg("-f", "lavfi", "-i", pattern, *tone, "-preset", "ultrafast", str(film))
    ffmpeg("-f", "lavfi", "-i", f"sine=duration={SOUND_SECONDS}:sample_rate=44100", str(sound))

    on_film = (
        *(
            "-vf",
            "scale=1280:-2",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            "23",
            "-c:a",
            "aac",
            "-b:a",
            "160k",
        ),
        *("-movflags", "+faststart", str(folder / "out.mp4")),
        *("-ss", str(FILM_SECONDS / 10), "-frames:v", "1", "-vf", "scale=1280:-2", str(folder / "out.jpg")),
    )
    on_sound = (
        *("-filter_complex", "[0:a]asplit[a][b];[a]anull[c];[b]aresample=8000,showwavespic=s=1200x240[w]"),
        *("-map", "[c]", "-c:a", "aac", "-b:a", "160k", "-movflags", "+faststart", str(folder / "out.m4a")),
        *("-map", "0:a", "-c:a", "libopus", "-b:a", "96k", str(folder / "out.opus")),
        *("-map", "[w]", "-frames:v", "1", "-update", "1", str(folder / "out.png")),
    )
    return {
        "photo": {
            JOB: jobs(photo),
            PLAIN: lambda: lambda: join(fork(lambda: plain_pillow(photo, folder))),
            TWO: jobs(photo, 2),
        },
        "film": {JOB: jobs(film), PLAIN: lambda: lambda: ffmpeg("-i", str(film), *on_film), TWO: jobs(film, 2)},
        "sound": {JOB: jobs(sound), PLAIN: lambda: lambda: ffmpeg("-i", str(sound), *on_sound), TWO: jobs(sound, 2)},
    }


def make_photo(path: Path) -> None:
    """A JPEG as large as phones make them: 6000 × 4000 pixels with grain, lying on its side."""
    from PIL import Image

    from jobs.sandbox.samples import sample_photo

    small = path.with_suffix(".small")
    small.write_bytes(sample_photo())
    with Image.open(small) as image:
        exif = image.getexif()
        whole = image.resize((6000, 4000))
    grain = Image.effect_noise((3000, 2000), 60).resize(whole.size).convert("RGB")
    Image.blend(whole, grain, 0.25).save(path, "JPEG", quality=90, exif=exif)


# --- The ways --------------------------------------------------------------------------------------------------------


def jobs(source: Path, count: int = 1) -> Way:
    """Whole jobs, side by side."""

    def ready() -> Work:
        from django.contrib.auth.models import User
        from django.core.files.uploadedfile import SimpleUploadedFile
        from django.db import connections

        from jobs.core import lifecycle
        from jobs.kinds.media.forms import MediaForm
        from jobs.kinds.media.kind import MediaKind
        from jobs.models import Job
        from jobs.worker import execution

        owner, _ = User.objects.get_or_create(username="bench")
        form = MediaForm({}, {"file": SimpleUploadedFile(source.name, source.read_bytes())}, owner=owner)
        assert form.is_valid(), form.errors
        (submission,) = form.submissions()
        accepted = lifecycle.submit(MediaKind(), [submission] * count, owner=owner).jobs
        connections.close_all()

        def work() -> None:
            children = [fork(partial(execution.perform, str(job.pk))) for job in accepted]
            for child in children:
                join(child)

        def checked() -> None:
            work()
            unfinished = Job.objects.filter(pk__in=[job.pk for job in accepted]).exclude(status="succeeded")
            assert not unfinished, [job.error_text for job in unfinished]
            connections.close_all()

        return checked

    return ready


def plain_pillow(source: Path, folder: Path) -> None:
    """The photo in three formats at three widths, as a script of a few lines makes them."""
    from PIL import Image, ImageOps

    from jobs.kinds.media.pictures import ENCODERS

    with Image.open(source) as image:
        image.draft("RGB", (1920 * image.width // image.height, 1920))
        image.thumbnail((1920 * image.width // image.height, 1920), Image.Resampling.LANCZOS, reducing_gap=2)
        picture = ImageOps.exif_transpose(image)
    for width in (1920, 960, 480):
        picture = picture.resize((width, width * picture.height // picture.width), Image.Resampling.LANCZOS)
        for encoder, (suffix, _, options) in ENCODERS.items():
            picture.save(folder / f"out-{width}.{suffix}", encoder, **options)


def ffmpeg(*arguments: str) -> None:
    """The command line."""
    from imageio_ffmpeg import get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *arguments]
    subprocess.run(command, check=True)


def fork(work: Work) -> int:
    """Do the work in a forked child. Returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def join(pid: int) -> None:
    """Wait for the child. Raises AssertionError if it failed."""
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"A child ended with {status}."


# --- Measuring -------------------------------------------------------------------------------------------------------


def measure(contests: dict[str, dict[str, Way]], rounds: int) -> Times:
    """All ways in turn."""
    times: Times = {sample: {way: {"wall": [], "cpu": []} for way in by_way} for sample, by_way in contests.items()}
    for number in range(rounds):
        print(f"Round {number + 1} of {rounds}", flush=True)
        for sample, by_way in contests.items():
            for way in list(by_way)[:: 1 if number % 2 else -1]:
                work = by_way[way]()
                cpu, wall = cpu_of_children(), time.perf_counter()
                work()
                times[sample][way]["wall"].append(time.perf_counter() - wall)
                times[sample][way]["cpu"].append(cpu_of_children() - cpu)
    return times


def cpu_of_children() -> float:
    """Seconds that all children which have ended, and theirs, have computed."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(times: Times) -> None:
    """Print the table and write the raw times."""
    cores = len(os.sched_getaffinity(0))
    print(f"\n{cores} cores, load {os.getloadavg()[0]:.1f}. Seconds: median (lowest–highest).\n")
    print("| sample | job | plain Pillow, ffmpeg | job ÷ plain | CPU: job ÷ plain | two jobs at once | cores busy |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for sample, by_way in times.items():
        pairs = [
            statistics.median(ours / plain for ours, plain in zip(by_way[JOB][what], by_way[PLAIN][what], strict=True))
            for what in ("wall", "cpu")
        ]
        busy = statistics.median(cpu / wall for cpu, wall in zip(by_way[TWO]["cpu"], by_way[TWO]["wall"], strict=True))
        cells = [*(spread(by_way[way]["wall"]) for way in (JOB, PLAIN)), *(f"{pair:.2f}" for pair in pairs)]
        print(f"| {sample} | {' | '.join(cells)} | {spread(by_way[TWO]['wall'])} | {busy:.2f} |")
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": cores,
        "load": os.getloadavg(),
        "seconds": times,
    }
    (ROOT / "bench" / "results" / "media.json").write_text(json.dumps(facts, indent=1) + "\n")


def spread(seconds: list[float]) -> str:
    """Median, lowest and highest."""
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f}–{max(seconds):.2f})"


if __name__ == "__main__":
    main()
