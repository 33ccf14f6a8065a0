"""Pictures in, AVIF, WebP and JPEG out."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from jobs.contract import Failed
from jobs.kinds.media import bounds, formats, pictures
from jobs.kinds.media.conversion import Limits
from jobs.kinds.media.decoding import untold
from jobs.sandbox.samples import MAKER, sample_photo
from tests.kinds.media.conftest import LIMITS, refused
from tests.kinds.media.making import PICTURES, SECRET, drawing, picture, saying, speckled, tiled

pytestmark = pytest.mark.apart


def assert_bare(path: Path) -> None:
    """Nothing is in the file but the picture."""
    data = path.read_bytes()
    for word in (
        SECRET.encode(),
        MAKER.encode(),
        b"Exif\0",
        b"EXIF",
        b"http://ns.adobe.com",
        b"xmpmeta",
        b"ICC_PROFILE",
    ):
        assert word not in data, (path.name, word)
    with Image.open(path) as image:
        assert not image.getexif()
        assert not {"exif", "xmp", "icc_profile", "comment", "photoshop"} & set(image.info)


def is_near(pixel, colour) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(pixel, colour, strict=False))


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_comes_out_in_three_formats_and_bare(convert, name):
    done = convert(picture(name, drawing((1000, 500))))

    assert done.converted.type == "image"
    assert done.converted.source == {"width": 1000, "height": 500}
    assert done.notes == []
    assert [(output.path.name, output.type, output.width, output.height) for output in done.outputs] == [
        (f"picture-{width}.{suffix}", mime, width, width // 2)
        for width in (1000, 960, 480)
        for suffix, mime in (("avif", "image/avif"), ("webp", "image/webp"), ("jpg", "image/jpeg"))
    ]
    for output in done.outputs:
        assert_bare(output.path)
        with Image.open(output.path) as image:
            assert image.size == (output.width, output.height)
            assert Image.MIME[image.format or ""] == output.type
            pixels = image.convert("RGB")
        assert is_near(pixels.getpixel((10, 10)), (200, 30, 30))
        assert is_near(pixels.getpixel((pixels.width - 10, 10)), (30, 30, 200))


def test_a_large_picture_comes_out_at_three_widths(convert):
    done = convert(picture("JPEG", drawing((4000, 3000))))

    assert [(output.width, output.height) for output in done.outputs[::3]] == [(1920, 1440), (960, 720), (480, 360)]


def test_a_small_picture_is_never_enlarged(convert):
    done = convert(picture("PNG", drawing((301, 77))))

    assert [(output.width, output.height) for output in done.outputs] == [(301, 77)] * 3


def test_a_picture_of_one_pixel_is_converted(convert):
    done = convert(picture("PNG", drawing((1, 1))))

    assert [(output.width, output.height) for output in done.outputs] == [(1, 1)] * 3


def test_a_very_tall_picture_fits_what_the_formats_can_hold(convert):
    done = convert(picture("PNG", Image.new("L", (300, 30_000), 90)))

    assert (done.outputs[0].width, done.outputs[0].height) == (77, 7680)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "WEBP", "PNG"])
def test_a_picture_is_turned_as_its_exif_orientation_says(convert, name, orientation):
    upright = drawing((400, 200))
    upright.paste((30, 200, 30), (0, 0, 100, 100))  # a green corner, top left
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright

    done = convert(picture(name, stored, orientation))

    assert done.converted.source == {"width": 400, "height": 200}
    for output in done.outputs:
        with Image.open(output.path) as image:
            pixels = image.convert("RGB")
        assert pixels.size == (400, 200)
        assert is_near(pixels.getpixel((40, 40)), (30, 200, 30))
        assert is_near(pixels.getpixel((40, 160)), (200, 30, 30))
        assert is_near(pixels.getpixel((360, 40)), (30, 30, 200))
        assert_bare(output.path)


def test_the_place_in_a_phone_photo_is_gone(convert):
    photo = sample_photo()
    with Image.open(BytesIO(photo)) as before:
        assert before.getexif().get_ifd(IFD.GPSInfo)
        assert before.getexif()[Base.Orientation] == 6

    done = convert(photo)

    assert done.converted.source == {"width": 1500, "height": 2000}
    for output in done.outputs:
        assert_bare(output.path)


@pytest.mark.parametrize("name", ["PNG", "WEBP", "AVIF", "GIF"])
def test_transparency_is_kept_and_becomes_white_in_jpeg(convert, name):
    image = drawing((200, 100), "RGBA")

    done = convert(picture(name, image))

    for output in done.outputs:
        with Image.open(output.path) as converted:
            bottom = converted.convert("RGBA").getpixel((50, 90))
            top = converted.convert("RGBA").getpixel((50, 10))
        assert isinstance(top, tuple)
        assert isinstance(bottom, tuple)
        assert is_near(top, (200, 30, 30))
        assert top[3] == 255
        assert bottom == (255, 255, 255, 255) if output.type == "image/jpeg" else bottom[3] == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pngs_of_every_colour_mode_are_converted(convert, mode):
    if mode == "I;16":
        image = Image.new("I;16", (64, 64), 0x6000)
    else:
        image = Image.new("L", (64, 64), 0x60).convert("RGBA" if mode in ("LA", "RGBA") else "RGB").convert(mode)

    done = convert(picture("PNG", image))

    with Image.open(done.output("picture-64.jpg").path) as converted:
        grey = converted.convert("L").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(grey, int)
    assert abs(grey - 0x60) < 6


def test_a_cmyk_jpeg_is_converted(convert):
    done = convert(picture("JPEG", drawing(mode="CMYK")))

    with Image.open(done.output("picture-600.jpg").path) as converted:
        assert converted.mode == "RGB"
        assert is_near(converted.getpixel((10, 10)), (200, 30, 30))


def test_colours_are_converted_to_srgb(convert):
    # In this profile the channels are swapped, so a picture that ignores it has plainly wrong colours.
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile = profile.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")

    done = convert(picture("PNG", Image.new("RGB", (50, 50), (250, 20, 20)), icc_profile=bytes(profile)))

    for output in done.outputs:
        assert_bare(output.path)
        with Image.open(output.path) as converted:
            assert is_near(converted.convert("RGB").getpixel((25, 25)), (20, 20, 250))


def test_a_broken_colour_profile_does_not_spoil_the_picture(convert):
    done = convert(picture("PNG", drawing(), icc_profile=b"no profile at all"))

    assert len(done.outputs) == 6


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "AVIF"])
def test_the_first_picture_of_an_animation_is_converted_and_its_owner_told(convert, name):
    green = Image.new("RGB", (600, 400), (30, 200, 30))

    done = convert(picture(name, save_all=True, append_images=[green], duration=100))

    assert done.notes == ["The file holds more than one picture, as animations do. The first one was converted."]
    with Image.open(done.output("picture-600.jpg").path) as image:
        assert is_near(image.getpixel((10, 10)), (200, 30, 30))
        assert not getattr(image, "is_animated", False)


def test_progress_grows_up_to_100(convert):
    done = convert(sample_photo())

    assert done.progress[0] == 0
    assert done.progress[-1] == 100
    assert done.progress == sorted(done.progress)
    assert len(set(done.progress)) == 10
    assert (done.said[0], done.said[-1]) == ("Writing AVIF at 1500 pixels", "Written")


@pytest.mark.parametrize("name", PICTURES)
def test_a_truncated_picture_gets_a_clear_sentence(convert, name):
    data = picture(name, Image.effect_noise((600, 400), 80).convert("RGB"))

    with refused(r"damaged or incomplete\. Please send it again") as failure:
        convert(data[: len(data) // 2])

    assert failure.value.code == "damaged"
    assert not failure.value.can_retry


@pytest.mark.parametrize("pixels", [200_000, 130_000])
def test_a_picture_with_too_many_pixels_gets_a_clear_sentence(convert, pixels):
    limits = Limits(pixels, LIMITS.seconds, LIMITS.memory)  # 240,000 are more, once a little and once a lot
    pillows_own = Image.MAX_IMAGE_PIXELS

    with refused(re.escape(f"more than {pixels / 1e6:g} million pixels")) as failure:
        convert(picture("PNG"), limits)

    assert failure.value.code == "too_many_pixels"
    assert pillows_own == Image.MAX_IMAGE_PIXELS


def test_running_out_of_memory_gets_a_clear_sentence(convert):
    with refused("needs more memory than one conversion may use") as failure:
        convert(picture("PNG", Image.new("RGB", (6000, 6000))), Limits(LIMITS.pixels, LIMITS.seconds, 100 * 1024**2))

    assert failure.value.code == "too_much_memory"


@given(st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_bytes_end_in_a_picture_or_in_a_sentence(tmp_path_factory, data):
    name = data.draw(st.sampled_from(PICTURES))
    content = bytearray(picture(name, drawing((40, 30))))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(16, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "source").write_bytes(content)
    found = formats.recognise(bytes(content[: formats.HEAD_BYTES]))
    assert found is not None

    try:
        converted = pictures.convert(folder / "source", found, folder, LIMITS, untold)
    except Failed as failure:
        outcome = failure.code
    else:
        outcome = "converted"
        for output in converted.outputs:
            assert_bare(output.path)
    assert outcome in {"converted", "damaged", "too_many_pixels", "too_much_memory"}


def sequence() -> bytes:
    """An AVIF of two frames."""
    file = BytesIO()
    drawing().save(file, "AVIF", save_all=True, append_images=[drawing().rotate(180)])
    return file.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (300, 200), (1200, 800)])
@pytest.mark.parametrize(
    "content",
    [
        lambda: picture("AVIF"),
        lambda: picture("AVIF", drawing(mode="RGBA")),
        sequence,
        lambda: picture("HEIF"),
    ],
    ids=["AVIF", "AVIF with alpha", "AVIF sequence", "HEIC"],
)
def test_a_picture_that_is_not_as_large_as_it_says_gets_a_clear_sentence(convert, content, size):
    with refused("not as large as its file says|damaged or incomplete"):
        convert(saying(content(), size))


@pytest.mark.parametrize("tile", [(128, 128), (512, 512)])
def test_a_tile_that_is_not_as_large_as_it_says_gets_a_clear_sentence(convert, tile):
    with refused("not as large as its file says"):
        convert(tiled(tile, (500, 480), told=(256, 256)))


@pytest.mark.parametrize(
    "content",
    [lambda: tiled((256, 256), (500, 480)), sequence, lambda: picture("AVIF", drawing((500, 480), "RGBA"))],
    ids=["tiles", "sequence", "alpha"],
)
def test_an_avif_of_several_parts_is_converted(convert, content):
    assert convert(content()).converted.source["width"] in {500, 600}


def test_a_webp_whose_canvas_is_another_size_than_its_picture_gets_a_clear_sentence(convert):
    content = bytearray(picture("WEBP"))
    at = content.index(b"VP8X") + 12
    content[at : at + 6] = bytes(6)
    with refused("damaged or incomplete"):
        convert(bytes(content))


def test_what_is_made_of_a_small_file_is_compressed_more_and_its_owner_told(convert):
    source = picture("PNG", speckled(480))
    conversion = convert(source)
    made = sum(output.bytes for output in conversion.outputs)
    assert made <= bounds.SMALLEST + bounds.FACTOR * len(source)
    assert conversion.notes[-1].startswith("Compressed more than usual")
    with Image.open(conversion.output("picture-480.jpg").path) as image:
        assert image.size == (480, 480)


def test_what_is_too_large_however_it_is_compressed_gets_a_clear_sentence(tmp_path):
    (tmp_path / "source").write_bytes(picture("PNG", speckled(1500)))
    with refused("would take more than [0-9.]+.KB, also when it is compressed more") as failure:
        pictures.convert(tmp_path / "source", formats.PNG, tmp_path, LIMITS, untold, encoder="JPEG")
    assert failure.value.code == "too_many_bytes"
