import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ss_tf.export import image_headers

_FORMATS = ("PNG", "BMP", "GIF", "WEBP", "JPEG")


@pytest.fixture(scope="module")
def checked():
    graph = tf.function(
        image_headers.checked, input_signature=[tf.TensorSpec([], tf.string, "encoded")]
    )
    return lambda data: graph(tf.constant(data)).numpy()


def _file(kind, size=(18, 12), **options):
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


def _with(data, start, value):
    return data[:start] + value + data[start + len(value) :]


def _gif(screen, frame):
    """A GIF whose frame has another size than its screen."""
    table = bytes(6)
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + table
    return head + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\x00;"


def _jpeg(width, height):
    data = _file("JPEG")
    return _with(data, data.index(b"\xff\xc0") + 5, struct.pack(">HH", height, width))


# Each claims 60000 x 60000 pixels, or what its format has at most.
_HUGE = {
    "png": _with(_file("PNG"), 16, struct.pack(">II", 60000, 60000)),
    "png, more than an int64": _with(_file("PNG"), 16, b"\xff" * 8),
    "bmp": _with(_file("BMP"), 18, struct.pack("<ii", 60000, 60000)),
    "bmp from the top": _with(_file("BMP"), 18, struct.pack("<ii", 60000, -60000)),
    "gif": _gif((60000, 60000), (60000, 60000)),
    "gif, small screen": _gif((1, 1), (60000, 60000)),
    "webp": _with(_file("WEBP"), 26, struct.pack("<HH", 0x3FFF, 0x3FFF)),
    "lossless webp": _with(_file("WEBP", lossless=True), 21, b"\xff\xff\xff\x0f"),
    "extended webp": _with(
        b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00" + bytes(10), 24, b"\xff\x7f\x00\xff\x7f\x00"
    ),
    "jpeg": _jpeg(60000, 60000),
}


@pytest.mark.parametrize("name", _HUGE)
def test_what_claims_too_many_pixels_is_refused(checked, name):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"an image has.* expected 1 to"):
        checked(_HUGE[name])
    assert checked(_file("PNG")) == _file("PNG")


@pytest.mark.parametrize(
    "data", [b"", b"no image", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF1234WEBP"]
)
def test_what_has_no_size_is_refused(checked, data):
    with pytest.raises(tf.errors.InvalidArgumentError, match="no size that can be read"):
        checked(data)


@pytest.mark.parametrize("kind", _FORMATS)
def test_other_files_pass(checked, kind):
    data = _file(kind)
    assert checked(data) == data
    if kind != "JPEG":
        for end in range(20):
            with pytest.raises(tf.errors.InvalidArgumentError):
                checked(data[:end])


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "lossless", "JPEG"])
def test_sizes_are_read_to_the_pixel(monkeypatch, kind):
    options = {"lossless": {"lossless": True}}.get(kind, {})
    data = _file("WEBP" if kind == "lossless" else kind, size=(300, 7), **options)
    for limit, is_refused in ((2100, False), (2099, True)):
        monkeypatch.setattr(image_headers, "MAX_JPEG_PIXELS", limit)
        monkeypatch.setattr(image_headers, "MAX_OTHER_PIXELS", limit)
        if is_refused:
            with pytest.raises(tf.errors.InvalidArgumentError):
                tf.function(image_headers.checked)(tf.constant(data))
        else:
            tf.function(image_headers.checked)(tf.constant(data))


def test_of_an_animation_the_first_frame_is_left(checked):
    file = io.BytesIO()
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue", "green")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], comment=b"c" * 600)
    left = checked(file.getvalue())
    assert len(left) < len(file.getvalue())
    with Image.open(io.BytesIO(left)) as image:
        assert getattr(image, "n_frames", 1) == 1
        assert image.convert("RGB").getpixel((4, 4)) == (255, 0, 0)


def test_a_gif_without_an_end_is_refused(checked):
    data = _file("GIF")
    with pytest.raises(tf.errors.InvalidArgumentError, match="no size"):
        checked(data[:-3])


def _png_of_zeros(side):
    """A PNG of black pixels, one bit each: a thousandth of its pixels' bytes."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes((1 + side) * side), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def test_a_real_bomb_is_refused(checked):
    with pytest.raises(tf.errors.InvalidArgumentError, match="6000 x 6000 pixels"):
        checked(_png_of_zeros(6000))
