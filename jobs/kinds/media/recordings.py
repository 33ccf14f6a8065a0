"""Video into MP4 (H.264, AAC) with a poster, sound into AAC and Opus with a waveform; no metadata in any of them."""

from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import av
from av.stream import Disposition
from PIL import Image

from ...contract import Failed, Sentence
from . import ffmpeg
from .conversion import Converted, Limits, Output, Progress, Quality, Recipe
from .formats import WAV, Format

WAVEFORM = (1200, 240)
"""Width and height of the picture of a sound, in pixels."""

_CRF = {Quality.SMALL: 28, Quality.BALANCED: 23, Quality.BEST: 19}
"""Constant rate factor of H.264: six more is about half the size. https://trac.ffmpeg.org/wiki/Encode/H.264#crf"""
_AAC = {Quality.SMALL: "96k", Quality.BALANCED: "160k", Quality.BEST: "256k"}
_OPUS = {Quality.SMALL: "48k", Quality.BALANCED: "96k", Quality.BEST: "160k"}
_MP3 = {Quality.SMALL: "96k", Quality.BALANCED: "128k", Quality.BEST: "192k"}

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


def probe(path: Path, demuxer: str, max_pixels: int) -> Recording:
    """Read what the file says about itself. Raises Failed if it can't be read or there is nothing to play in it."""
    options = {**ffmpeg.input_options(demuxer), "max_pixels": str(max_pixels)}
    try:
        with av.open(str(path), format=demuxer, options=options, metadata_errors="replace") as container:
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
    except (av.FFmpegError, ValueError) as error:
        raise Failed("damaged", say="recording_damaged", can_retry=False) from error
    if not recording.has_video and not recording.has_sound:
        raise Failed("nothing_to_play", can_retry=False)
    return recording


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
    Raises Failed if it is too long, has too many pixels, is damaged or cut off, or lacks the sound that is asked for.
    """
    progress(0, "looking")
    if format is WAV and _is_cut_wav(source):
        raise Failed("cut_off", say="sound_cut_off", can_retry=False)
    recording = probe(source, format.reader, limits.pixels)
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

    arguments = _video(recording, recipe, folder) if recording.has_video else _sound(recipe, folder)
    try:
        ffmpeg.run(
            source,
            format.reader,
            arguments,
            start=start,
            # One second more than allowed shows that a file which does not tell its length is too long.
            max_seconds=expected if part else limits.seconds + 1,
            max_pixels=limits.pixels,
            memory=limits.memory,
            progress=seconds_done,
        )
        outputs = _film_outputs(folder) if recording.has_video else _sound_outputs(recipe, folder)
    except (ffmpeg.FfmpegError, av.FFmpegError) as error:
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
    notes = [] if recording.has_sound else [Sentence("video_without_sound").as_data()]
    return Converted("video" if recording.has_video else "audio", facts, outputs, notes)


def _is_cut_wav(path: Path) -> bool:
    """Whether a WAV file is shorter than its RIFF header says; FFmpeg takes the file's own length for granted."""
    with path.open("rb") as file:
        head = file.read(8)
    told = int.from_bytes(head[4:], "little") + 8
    # Programs that write into a pipe can't know the length, and put in one about as large as it can be.
    return head.startswith(b"RIFF") and path.stat().st_size < told < 0x7FFF_0000


def _video(recording: Recording, recipe: Recipe, folder: Path) -> list[str]:
    """What ffmpeg is to do for a film."""
    filters = (_TONEMAP if recording.high_dynamic_range else "") + _scale(recipe.lines)
    aac = ("-c:a", "aac", "-b:a", _AAC[recipe.quality])
    sound = ("-map", "0:a:0", "-af", _SOUND, *aac) if recording.has_sound else ()
    return [
        *("-map", "0:V:0", "-vf", filters, "-fpsmax", "60"),
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", str(_CRF[recipe.quality])),
        *sound,
        *(*_BARE, "-movflags", "+faststart", str(folder / "video.mp4")),
    ]


def _scale(lines: int) -> str:
    """The filter that fits a film into a frame of 16:9 with these lines, lying or standing.

    Applied after ffmpeg has turned the frames upright: square pixels, never enlarged, even sides (yuv420p needs them).
    """
    factor = f"min(1,min({ceil(lines * 16 / 9)}/max(iw*sar,ih),{lines}/min(iw*sar,ih)))"
    return f"scale=w='max(2,trunc(iw*sar*{factor}/2)*2)':h='max(2,trunc(ih*{factor}/2)*2)',setsar=1,format=yuv420p"


def _sound(recipe: Recipe, folder: Path) -> list[str]:
    """What ffmpeg is to do for both sounds and the waveform: the source is decoded once."""
    width, height = WAVEFORM
    quality = recipe.quality
    graph = (
        f"[0:a:0]{_LOUD if recipe.podcast else ''}asplit=3[a][b][c];[a]{_SOUND}[aac];[b]{_SOUND}[other];"
        f"[c]aresample=8000,aformat=channel_layouts=mono,showwavespic=s={width}x{height}:colors=#3b6ea8:scale=sqrt[wave]"
    )
    if recipe.podcast:
        other = ("-c:a", "libmp3lame", "-b:a", _MP3[quality], *_BARE, str(folder / "sound.mp3"))
    else:
        other = ("-c:a", "libopus", "-b:a", _OPUS[quality], *_BARE, str(folder / "sound.opus"))
    return [
        *("-filter_complex", graph),
        *("-map", "[aac]", "-c:a", "aac", "-b:a", _AAC[quality], *_BARE),
        *("-movflags", "+faststart", str(folder / "sound.m4a")),
        *("-map", "[other]", *other),
        *("-map", "[wave]", "-frames:v", "1", *_BARE, "-f", "image2", "-update", "1", str(folder / "waveform.png")),
    ]


def _film_outputs(folder: Path) -> list[Output]:
    """The film, measured, and a poster out of it (from a tenth of its time, as the first frame is often black)."""
    film, poster = folder / "video.mp4", folder / "poster.jpg"
    with av.open(str(film), format="mov") as container:
        seconds = (container.duration or 0) / av.time_base
        container.seek(round(seconds / 10 * av.time_base))
        frame = next(container.decode(video=0), None)
        if frame is None:
            raise Failed("nothing_to_play", say="no_video_in_part", can_retry=False)
        image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    image.save(poster, "JPEG", quality=82, progressive=True, optimize=True)
    return [
        Output(film, "video/mp4", "video", image.width, image.height, round(seconds, 2)),
        Output(poster, "image/jpeg", "poster", image.width, image.height),
    ]


def _sound_outputs(recipe: Recipe, folder: Path) -> list[Output]:
    """Both sounds, measured, and the waveform."""
    outputs = []
    other = ("sound.mp3", "audio/mpeg", "mp3") if recipe.podcast else ("sound.opus", "audio/ogg", "ogg")
    for name, mime, reader in (("sound.m4a", "audio/mp4", "mov"), other):
        with av.open(str(folder / name), format=reader) as container:
            seconds = (container.duration or 0) / av.time_base
        outputs.append(Output(folder / name, mime, "audio", seconds=round(seconds, 2)))
    return [*outputs, Output(folder / "waveform.png", "image/png", "waveform", *WAVEFORM)]


def _too_long(limits: Limits) -> Failed:
    return Failed("too_long", limit=_clock(limits.seconds), can_retry=False)


def _clock(seconds: float) -> str:
    """A length of time as players show it: 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
