"""Video into MP4 (H.264, AAC) with a poster, sound into AAC and Opus with a waveform; no metadata in any of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition
from PIL import Image

from ...contract import Failed, Sentence
from . import bounds, ffmpeg
from .conversion import Converted, Limits, Output, Progress, Quality, Recipe, output_of
from .decoding import bounds_of, confined
from .formats import WAV, Format

WAVEFORM = (1200, 240)
"""Width and height of the picture of a sound, in pixels."""

FILM = "video.mp4"


@dataclass(frozen=True)
class _Sound:
    """A file of sound. encoder, reader: FFmpeg's names."""

    name: str
    mime: str
    encoder: str
    reader: str


_AAC_SOUND = _Sound("sound.m4a", "audio/mp4", "aac", "mov")
_OPUS_SOUND = _Sound("sound.opus", "audio/ogg", "libopus", "ogg")
_MP3_SOUND = _Sound("sound.mp3", "audio/mpeg", "libmp3lame", "mp3")


def _other(recipe: Recipe) -> _Sound:
    """The sound beside AAC."""
    return _MP3_SOUND if recipe.podcast else _OPUS_SOUND


_CRF = {Quality.SMALL: 28, Quality.BALANCED: 23, Quality.BEST: 19}
"""Constant rate factor of H.264: six more is about half the size. https://trac.ffmpeg.org/wiki/Encode/H.264#crf"""
_AAC = {Quality.SMALL: 96_000, Quality.BALANCED: 160_000, Quality.BEST: 256_000}
_OPUS = {Quality.SMALL: 48_000, Quality.BALANCED: 96_000, Quality.BEST: 160_000}
_MP3 = {Quality.SMALL: 96_000, Quality.BALANCED: 128_000, Quality.BEST: 192_000}
"""Bits a second of sound."""

_BUFFER_SECONDS = 2
"""A film may exceed its most bits so long. https://trac.ffmpeg.org/wiki/Limiting%20the%20output%20bitrate"""
_AIM = 0.85
"""How much of the bytes that are allowed a second run aims at: encoders do not hit it, and containers take some."""
_WHILE_WRITTEN = 2
"""The last line: a file is written to its bound, and then a little more for its index."""

# Films in high dynamic range (many phones make them) look washed out unless their tones are mapped to the usual range.
# https://ffmpeg.org/ffmpeg-filters.html#tonemap-1
_TONEMAP = (
    "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p,"
)
_HDR_TRANSFERS = {16, 18}  # PQ and HLG in ITU-T H.273
_SOUND = "aformat=sample_rates=44100|48000:channel_layouts=mono|stereo"
# As loud as podcasts are (EBU R 128); the filter works at 192 kHz. https://podcasters.apple.com/support/893-audio-requirements
_LOUD = "loudnorm=I=-16:TP=-1.5:LRA=11,aresample=44100,"
# bitexact keeps the name of the program out of the container. Encoders told the same leave it out of their streams too,
# but AAC then takes a third longer.
_BARE = ("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact")


@dataclass(frozen=True)
class Recording:
    """What a file of video or sound says about itself.

    has_video: a cover picture does not count. width, height: pixels of a frame as stored. seconds: 0 if unknown.
    """

    has_video: bool
    has_sound: bool
    width: int
    height: int
    seconds: float
    high_dynamic_range: bool


@dataclass(frozen=True)
class Rates:
    """How many bits a second of each stream takes.

    film: of pictures, at most. crf: the quality up to there; None: as many as there may be. aac, other: of both sounds.
    """

    film: int
    crf: int | None
    aac: int
    other: int

    def total(self, has_video: bool) -> int:
        """Of all that is made, together."""
        return self.film + self.aac if has_video else self.aac + self.other

    def lowered(self, total: int, has_video: bool) -> "Rates":
        """As many bits as `total` in a second; of a film the most for its pictures."""
        if has_video:
            aac = min(self.aac, total // 4)
            return Rates(total - aac, None, aac, 0)
        share = min(1, total / (self.aac + self.other))
        return Rates(0, None, int(self.aac * share), int(self.other * share))


def rates_of(recipe: Recipe) -> Rates:
    """Those of the first run."""
    quality = recipe.quality
    other = _MP3 if recipe.podcast else _OPUS
    return Rates(bounds.film_bits(recipe), _CRF[quality], _AAC[quality], other[quality])


def probe(path: Path, demuxer: str, folder: Path, limits: Limits) -> Recording:
    """Read what the file says about itself. Raises Failed if it can't be read or there is nothing to play in it."""
    return Recording(**confined(partial(_probe, path, demuxer, limits), path, folder, limits))


def _probe(path: Path, demuxer: str, limits: Limits, progress: Progress) -> dict[str, Any]:
    options = {**ffmpeg.input_options(demuxer), "max_pixels": str(limits.pixels)}
    with _reading(), av.open(str(path), format=demuxer, options=options, metadata_errors="replace") as container:
        films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        context = films[0].codec_context if films else None
        recording = Recording(
            has_video=bool(films),
            has_sound=bool(container.streams.audio),
            width=context.width if context else 0,
            height=context.height if context else 0,
            seconds=(container.duration or 0) / av.time_base,
            high_dynamic_range=context is not None and context.color_trc in _HDR_TRANSFERS,
        )
    if not recording.has_video and not recording.has_sound:
        raise Failed("nothing_to_play", can_retry=False)
    return asdict(recording)


def convert(
    source: Path,
    format: Format,
    folder: Path,
    limits: Limits,
    progress: Progress,
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
    part: tuple[float, float] | None = None,
) -> Converted:
    """Write the versions of the recording at `source` into `folder`.

    part: only from the first to the second moment, in seconds.
    What would take more bytes than `bounds` allows is converted once more, whole, into fewer.
    Raises Failed if it is too long, has too many pixels, is damaged or cut off, lacks the sound that is asked for, or
    takes too many bytes the second time too.
    """
    progress(0, "looking")
    if format is WAV and _is_cut_wav(source):
        raise Failed("cut_off", say="sound_cut_off", can_retry=False)
    recording = probe(source, format.reader, folder, limits)
    if recipe.podcast or recipe.sound_only:
        if not recording.has_sound:
            raise Failed("no_sound", can_retry=False)
        recording = replace(recording, has_video=False)
    if recording.width * recording.height > limits.pixels:
        raise Failed("too_many_pixels", say="frame_pixels", millions=limits.pixels / 1e6, can_retry=False)
    if recording.seconds > limits.seconds:
        raise _too_long(limits)

    start, expected = (part[0], part[1] - part[0]) if part else (0, recording.seconds)

    def seconds_done(seconds: float) -> None:
        # A recording that does not tell its length may be as long as is allowed.
        percent = 100 * seconds / (expected or limits.seconds)
        total = {"total": _clock(expected)} if expected else {}
        progress(min(99, percent), "converted_of" if total else "converted", done=_clock(seconds), **total)

    rates = rates_of(recipe)
    # What a file tells of its length may be a guess, but how many bits a second takes is settled by the encoders.
    right = (limits.seconds + _BUFFER_SECONDS) * rates.total(recording.has_video) / 8
    allowed = bounds.allowed(source.stat().st_size, right)
    measure = _film_outputs if recording.has_video else partial(_sound_outputs, recipe)

    def is_made(rates: Rates) -> bool:
        """Whether all of it was made. ffmpeg ends a file silently that reaches its bound."""
        if recording.has_video:
            names, arguments = [FILM], _video(recording, recipe, rates, folder, allowed)
        else:
            names = [_AAC_SOUND.name, _other(recipe).name]
            arguments = _sound(recipe, rates, folder, allowed)
        try:
            ffmpeg.run(
                source,
                format.reader,
                arguments,
                folder,
                bounds_of(limits, file_bytes=_WHILE_WRITTEN * allowed),
                start=start,
                # One second more than allowed shows that a file which does not tell its length is too long.
                max_seconds=expected if part else limits.seconds + 1,
                max_pixels=limits.pixels,
                progress=seconds_done,
            )
        except ffmpeg.FileTooLargeError:
            return False
        return sum((folder / name).stat().st_size for name in names) < allowed

    notes = [] if recording.has_sound else [Sentence("video_without_sound").as_data()]
    try:
        if not is_made(rates):
            progress(0, "once_more")
            notes.append(bounds.compressed(allowed))
            bits = int(_AIM * 8 * allowed / (expected or limits.seconds))
            if not is_made(rates.lowered(bits, recording.has_video)):
                raise bounds.too_large(allowed)
        outputs = [output_of(data, folder) for data in confined(partial(measure, folder), source, folder, limits)]
    except ffmpeg.FfmpegError as error:
        raise Failed("damaged", say="recording_damaged", can_retry=False) from error
    seconds = outputs[0].seconds or 0
    if seconds > limits.seconds:
        raise _too_long(limits)
    if seconds < expected * 0.95 - 1:
        told = {"told": _clock(expected), "found": _clock(seconds)}
        raise Failed("cut_off", say="recording_cut_off", can_retry=False, **told)
    progress(100, "written")
    facts: dict[str, float] = {"seconds": round(recording.seconds or seconds, 2)}
    if recording.has_video:
        width, height = recording.width, recording.height
        if (width > height) != ((outputs[0].width or 0) > (outputs[0].height or 0)):
            width, height = height, width  # the file says that its frames lie on their side
        facts |= {"width": width, "height": height}
    return Converted("video" if recording.has_video else "audio", facts, outputs, notes)


def _is_cut_wav(path: Path) -> bool:
    """Whether a WAV file is shorter than its RIFF header says; FFmpeg takes the file's own length for granted."""
    with path.open("rb") as file:
        head = file.read(8)
    told = int.from_bytes(head[4:], "little") + 8
    # Programs that write into a pipe can't know the length, and put in one about as large as it can be.
    return head.startswith(b"RIFF") and path.stat().st_size < told < 0x7FFF_0000


def _video(recording: Recording, recipe: Recipe, rates: Rates, folder: Path, allowed: int) -> list[str]:
    """What ffmpeg is to do for a film. allowed: bytes."""
    filters = (_TONEMAP if recording.high_dynamic_range else "") + _scale(recipe.lines)
    if rates.crf is not None:
        quality = ("-crf", str(rates.crf), "-bufsize", str(_BUFFER_SECONDS * rates.film))
    else:
        quality = ("-b:v", str(rates.film), "-bufsize", str(rates.film))
    aac = ("-c:a", "aac", "-b:a", str(rates.aac))
    sound = ("-map", "0:a:0", "-af", _SOUND, *aac) if recording.has_sound else ()
    return [
        *("-map", "0:V:0", "-vf", filters, "-fpsmax", "60"),
        *("-c:v", "libx264", "-preset", "veryfast", *quality, "-maxrate", str(rates.film)),
        *sound,
        *(*_BARE, "-movflags", "+faststart", "-fs", str(allowed), str(folder / FILM)),
    ]


def _scale(lines: int) -> str:
    """The filter that fits a film into a frame of 16:9 with these lines, lying or standing.

    Applied after ffmpeg has turned the frames upright: square pixels, never enlarged, even sides (yuv420p needs them).
    """
    factor = f"min(1,min({ceil(lines * 16 / 9)}/max(iw*sar,ih),{lines}/min(iw*sar,ih)))"
    return f"scale=w='max(2,trunc(iw*sar*{factor}/2)*2)':h='max(2,trunc(ih*{factor}/2)*2)',setsar=1,format=yuv420p"


def _sound(recipe: Recipe, rates: Rates, folder: Path, allowed: int) -> list[str]:
    """What ffmpeg is to do for both sounds and the waveform: the source is decoded once. allowed: bytes."""
    width, height = WAVEFORM
    graph = (
        f"[0:a:0]{_LOUD if recipe.podcast else ''}asplit=3[a][b][c];[a]{_SOUND}[aac];[b]{_SOUND}[other];"
        f"[c]aresample=8000,aformat=channel_layouts=mono,showwavespic=s={width}x{height}:colors=#3b6ea8:scale=sqrt[wave]"
    )
    end = (*_BARE, "-fs", str(allowed))
    return [
        *("-filter_complex", graph),
        *("-map", "[aac]", "-c:a", _AAC_SOUND.encoder, "-b:a", str(rates.aac), "-movflags", "+faststart"),
        *(*end, str(folder / _AAC_SOUND.name)),
        *("-map", "[other]", "-c:a", _other(recipe).encoder, "-b:a", str(rates.other)),
        *(*end, str(folder / _other(recipe).name)),
        *("-map", "[wave]", "-frames:v", "1", *_BARE, "-f", "image2", "-update", "1", str(folder / "waveform.png")),
    ]


def _film_outputs(folder: Path, progress: Progress) -> list[dict[str, Any]]:
    """The film, measured, and a poster out of it (from a tenth of its time, as the first frame is often black)."""
    film, poster = folder / FILM, folder / "poster.jpg"
    with _reading(), av.open(str(film), format="mov") as container:
        seconds = (container.duration or 0) / av.time_base
        container.seek(round(seconds / 10 * av.time_base))
        frame = next(container.decode(video=0), None)
        if frame is None:
            raise Failed("nothing_to_play", say="no_video_in_part", can_retry=False)
        image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    image.save(poster, "JPEG", quality=82, progressive=True, optimize=True)
    outputs = [
        Output(film, "video/mp4", "video", image.width, image.height, round(seconds, 2)),
        Output(poster, "image/jpeg", "poster", image.width, image.height),
    ]
    return [output.as_data() for output in outputs]


def _sound_outputs(recipe: Recipe, folder: Path, progress: Progress) -> list[dict[str, Any]]:
    """Both sounds, measured, and the waveform."""
    outputs = []
    for sound in (_AAC_SOUND, _other(recipe)):
        with _reading(), av.open(str(folder / sound.name), format=sound.reader) as container:
            seconds = (container.duration or 0) / av.time_base
        outputs.append(Output(folder / sound.name, sound.mime, "audio", seconds=round(seconds, 2)))
    outputs.append(Output(folder / "waveform.png", "image/png", "waveform", *WAVEFORM))
    return [output.as_data() for output in outputs]


@contextmanager
def _reading() -> Iterator[None]:
    """Turn what PyAV raises into a sentence for the file's owner."""
    try:
        yield
    except (av.FFmpegError, ValueError) as error:
        raise Failed("damaged", say="recording_damaged", can_retry=False) from error


def _too_long(limits: Limits) -> Failed:
    return Failed("too_long", limit=_clock(limits.seconds), can_retry=False)


def _clock(seconds: float) -> str:
    """A length of time as players show it: 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
