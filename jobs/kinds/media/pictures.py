"""Pictures into AVIF, WebP and JPEG at up to three widths: upright, in sRGB, without a word about whose they are."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import av
import pillow_heif
from av.stream import Disposition
from django.template.defaultfilters import filesizeformat
from PIL import Image, ImageCms, ImageOps

from ...contract import Failed, Sentence
from . import bounds, ffmpeg
from .conversion import Converted, Limits, Output, Progress, Quality, Recipe, converted_of, output_of
from .decoding import confined
from .formats import AVIF, Format

# All readers, now: a child for each picture would load them anew.
Image.init()
pillow_heif.register_heif_opener()

TALLEST = 4
"""A very tall picture (of a whole web page, say) is fitted into this many times its largest width."""
ENCODERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    # Pillow's name: file name suffix, MIME type, options. The three qualities look alike.
    "AVIF": ("avif", "image/avif", {"quality": 60, "speed": 8}),
    "WEBP": ("webp", "image/webp", {"quality": 80, "method": 4}),
    "JPEG": ("jpg", "image/jpeg", {"quality": 82, "progressive": True, "optimize": True}),
}
_QUALITIES: dict[Quality, dict[str, int]] = {
    Quality.BEST: {"AVIF": 75, "WEBP": 90, "JPEG": 90},
    Quality.BALANCED: {},
    Quality.SMALL: {"AVIF": 45, "WEBP": 65, "JPEG": 70},
}
"""What differs from ENCODERS, from the best to the smallest."""
_LEAST = {"AVIF": 25, "WEBP": 25, "JPEG": 30}
"""The last try to keep to the bytes that are allowed."""
LABELS = {"AVIF": "AVIF", "WEBP": "WebP", "JPEG": "JPEG"}
"""What people call the formats of ENCODERS."""
_STEPS = (85, 75, 65)
"""Tried one after the other before a picture is made smaller."""
_SMALLEST_STEP = 0.9
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def convert(
    source: Path,
    format: Format,
    folder: Path,
    limits: Limits,
    progress: Progress,
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
    encoder: str = "",
) -> Converted:
    """Write the versions of the picture at `source` into `folder`.

    encoder: one of ENCODERS, to write that alone, at the picture's own size.
    Raises Failed if the picture has too many pixels, can't be read, or would take more bytes than `bounds` allows.
    """
    work = partial(_convert, source, format, folder, limits, recipe, encoder)
    return converted_of(confined(work, source, folder, limits, progress), folder)


def _convert(
    source: Path, format: Format, folder: Path, limits: Limits, recipe: Recipe, encoder: str, progress: Progress
) -> dict[str, Any]:
    with _opened(source, format, limits) as image:
        # JPEG files may carry small copies and depth maps of the same picture (MPO); that is nobody's animation.
        several = format.label != "JPEG" and getattr(image, "is_animated", False)
        picture, width, height = _upright(image, _whole if encoder else _within(max(recipe.widths)))
    widths = [picture.width, *(width for width in recipe.widths if width < picture.width and not encoder)]
    encoders = [encoder] if encoder else list(ENCODERS)
    pixels = sum(width * _height(picture, width) for width in widths) * len(encoders)
    allowed = bounds.allowed(source.stat().st_size, bounds.PICTURE_BYTES * pixels)
    order = list(_QUALITIES)
    tries = [_QUALITIES[quality] for quality in order[order.index(recipe.quality) :]] + [_LEAST]
    for qualities in tries:
        outputs = _write(picture, widths, encoders, qualities, folder, progress)
        if sum(output.bytes for output in outputs) <= allowed:
            break
    else:
        raise bounds.too_large(allowed)
    notes = [Sentence("several_pictures").as_data()] if several else []
    if qualities != tries[0]:
        notes.append(bounds.compressed(allowed))
    return Converted("image", {"width": width, "height": height}, outputs, notes).as_data()


def edit(
    source: Path, format: Format, target: Path, limits: Limits, change: Callable[[Image.Image], Image.Image]
) -> Output:
    """Write what `change` makes of the picture at `source` to `target`: a PNG, so that edits of edits lose nothing.

    `change` gets it upright, in sRGB and without metadata. Raises Failed like `convert`.
    """

    def work(progress: Progress) -> dict[str, Any]:
        with _opened(source, format, limits) as image:
            picture, *__ = _upright(image, _whole)
        picture = change(picture)
        picture.save(target, "PNG", compress_level=1)
        return Output(target, "image/png", "source", *picture.size).as_data()

    return output_of(confined(work, source, target.parent, limits), target.parent)


def shrink(
    source: Path, format: Format, target: Path, limits: Limits, encoders: Sequence[str], max_bytes: int, max_pixels: int
) -> tuple[str, int, int]:
    """Write the picture to `target` in one format, within `max_bytes` and `max_pixels`: upright, in sRGB, bare.

    encoders: keys of ENCODERS or "PNG", from the best to the worst, for a picture without transparency; a transparent
    one takes the first that can hold it. Returns the encoder that was taken, width and height.
    Raises Failed like `convert`, and if nothing of the picture would be left.
    """
    work = partial(_shrink, source, format, target, limits, encoders, max_bytes, max_pixels)
    encoder, width, height = confined(work, source, target.parent, limits)
    return encoder, width, height


def _shrink(
    source: Path,
    format: Format,
    target: Path,
    limits: Limits,
    encoders: Sequence[str],
    max_bytes: int,
    max_pixels: int,
    progress: Progress,
) -> tuple[str, int, int]:
    with _opened(source, format, limits) as image:
        picture, *__ = _upright(image, _into(max_pixels))
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema()[0] == 255:
        picture = picture.convert("RGB")
    holds_all = [encoder for encoder in encoders if picture.mode == "RGB" or encoder != "JPEG"]
    encoder = (holds_all or encoders)[0]
    if encoder == "JPEG":
        picture = _opaque(picture)
    while True:
        for options in [{"quality": quality} for quality in _STEPS] if encoder != "PNG" else [{}]:
            file = BytesIO()
            picture.save(file, encoder, **{**ENCODERS.get(encoder, ("", "", {}))[2], **options})
            if file.tell() <= max_bytes:
                target.write_bytes(file.getbuffer())
                return encoder, *picture.size
        step = min(_SMALLEST_STEP, sqrt(max_bytes / file.tell()))
        size = (int(picture.width * step), int(picture.height * step))
        if min(size) < 1:
            raise Failed("too_few_bytes", limit=filesizeformat(max_bytes))
        picture = picture.resize(size, Image.Resampling.LANCZOS)


def _into(max_pixels: int) -> Callable[[int, int], float]:
    """How far a picture of some width and height is made smaller so that it has at most so many pixels."""

    def scale(width: int, height: int) -> float:
        whole = min(1, sqrt(max_pixels / (width * height)))
        if round(width * whole) * round(height * whole) <= max_pixels:
            return whole
        return min(int(width * whole) / width, int(height * whole) / height)

    return scale


def _write(
    picture: Image.Image,
    widths: list[int],
    encoders: list[str],
    qualities: dict[str, int],
    folder: Path,
    progress: Progress,
) -> list[Output]:
    """The picture in each format at each width, from the largest to the smallest, each made from the one before."""
    outputs: list[Output] = []
    work = sum(width**2 for width in widths) * len(encoders)
    done = 0
    for width in widths:
        height = _height(picture, width)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        for encoder in encoders:
            suffix, mime, options = ENCODERS[encoder]
            progress(100 * done / work, "writing", format=LABELS[encoder], width=width)
            path = folder / f"picture-{width}.{suffix}"
            options = {**options, "quality": qualities.get(encoder, options["quality"])}
            (_opaque(picture) if encoder == "JPEG" else picture).save(path, encoder, **options)
            outputs.append(Output(path, mime, "picture", width, height))
            done += width**2
    progress(100, "written")
    return outputs


def _height(picture: Image.Image, width: int) -> int:
    """How high the picture is at this width."""
    return max(1, round(picture.height * width / picture.width))


@contextmanager
def _opened(source: Path, format: Format, limits: Limits) -> Iterator[Image.Image]:
    """The picture, of which nothing is decoded yet. What reading it raises becomes a sentence."""
    with _reading(limits.pixels), Image.open(source, formats=[format.reader]) as image:
        if format is AVIF and not _is_as_large_as_it_says(source, image.size):
            raise Failed("sizes_differ", can_retry=False)
        yield image


def _is_as_large_as_it_says(source: Path, size: tuple[int, int]) -> bool:
    """Whether the pictures in an AVIF file are as large as the file says, which its reader takes for granted.

    It would decode one of any size and scale it. The readers of the other formats refuse such files, or their formats
    say the size once.
    """
    with av.open(str(source), format="mov", options=ffmpeg.input_options("mov")) as container:
        coded = [
            (stream.codec_context.width, stream.codec_context.height, bool(stream.disposition & Disposition.default))
            for stream in container.streams.video
        ]
    if whole := [(width, height) for width, height, is_whole in coded if is_whole]:
        return all(one == size for one in whole)
    # Tiles, all of one size, side by side; and as many again if they have an alpha channel.
    width, height, _ = coded[0]
    tiles = ceil(size[0] / width) * ceil(size[1] / height)
    return {(width, height, False)} == set(coded) and len(coded) in (tiles, 2 * tiles)


@contextmanager
def _reading(max_pixels: int) -> Iterator[None]:
    """Turn what Pillow raises while it reads a file into sentences for the file's owner."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Up to twice the limit Pillow only warns, https://pillow.readthedocs.io/en/stable/reference/Image.html
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Failed("too_many_pixels", say="picture_pixels", millions=max_pixels / 1e6, can_retry=False) from error
    except (Failed, MemoryError):
        raise
    except Exception as error:
        # On broken bytes a decoder may raise anything.
        raise Failed("damaged", say="picture_damaged", can_retry=False) from error
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _whole(width: int, height: int) -> float:
    return 1


def _within(largest: int) -> Callable[[int, int], float]:
    """No larger than the largest version."""
    return lambda width, height: min(1, largest / width, TALLEST * largest / height)


def _upright(image: Image.Image, scale: Callable[[int, int], float]) -> tuple[Image.Image, int, int]:
    """The picture turned upright, in sRGB, as RGB or RGBA without any metadata.

    scale: how much smaller (up to 1) a picture of this width and height becomes.
    The second and third value are the width and height of the whole picture, upright.
    """
    orientation = image.getexif().get(0x0112, 1)
    turned = orientation in (5, 6, 7, 8)
    width, height = (image.height, image.width) if turned else image.size
    factor = scale(width, height)
    upright_size = (max(1, round(width * factor)), max(1, round(height * factor)))
    size = (upright_size[1], upright_size[0]) if turned else upright_size

    if image.format in ("JPEG", "MPO"):
        # The decoder itself can halve a picture (again and again), which is much faster than the filter below.
        image.draft(None, size)
    profile = image.info.get("icc_profile")
    picture = _plain(image)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
    picture = _in_srgb(picture, profile)
    picture.getexif()[0x0112] = orientation
    picture = ImageOps.exif_transpose(picture)
    picture.info.clear()
    return picture, width, height


def _plain(image: Image.Image) -> Image.Image:
    """The pixels, decoded, in a mode that can be resized and converted: L, RGB, RGBA or CMYK."""
    image.load()
    if image.has_transparency_data:
        # Only where it must, since every copy of a large picture takes up to 160 MB.
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256).convert("L")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours that the profile means, as sRGB. A profile that does not fit the picture is left out."""
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                picture, ImageCms.ImageCmsProfile(BytesIO(profile)), _SRGB, outputMode=mode
            )
        except (ImageCms.PyCMSError, OSError):
            return picture.convert(mode)
        if converted is not None:
            return converted
    return picture.convert(mode)


def _opaque(picture: Image.Image) -> Image.Image:
    """The picture on white where it is transparent: JPEG has no transparency."""
    if picture.mode == "RGB":
        return picture
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white
