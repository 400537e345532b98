import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ss_tf.data import image_files, preprocessing
from ss_tf.data.examples import ImageFormat
from ss_tf.export import encoded_images

SIZE = 8


@pytest.fixture(scope="module")
def decode():
    """Returns a function from (bytes, channels) to pixels `[8, 8, channels]`, by a graph."""
    graphs = {}
    for channels in (1, 3):
        image_format = ImageFormat(
            channels=channels, mean=(0.5,) * channels, std=(0.5,) * channels, crop_fraction=0.8
        )
        graphs[channels] = tf.function(
            lambda data, image_format=image_format: encoded_images.decode(
                data, image_format, image_size=SIZE
            ),
            input_signature=[tf.TensorSpec([], tf.string)],
        )
    return lambda data, channels: graphs[channels](data).numpy()


def _photo():
    """A smooth photo of 12x18 pixels in which red, green and blue differ much."""
    rows, columns = np.mgrid[:12, :18]
    return Image.fromarray(
        np.stack([40 + 5 * rows, 250 - 3 * columns, 20 + columns], axis=-1).astype(np.uint8)
    )


def _transparent():
    photo = _photo()
    photo.putalpha(Image.linear_gradient("L").resize(photo.size))
    return photo


# Name -> image, format, and largest difference to Pillow's decoder, of 255.
FILES = {
    "png": (_photo, "PNG", 0.01),
    "gray png": (lambda: _photo().convert("L"), "PNG", 0.01),
    "palette png": (lambda: _photo().convert("P"), "PNG", 0.01),
    "transparent png": (_transparent, "PNG", 1.01),
    "gray transparent png": (lambda: _transparent().convert("LA"), "PNG", 1.01),
    "gif": (lambda: _photo().convert("P"), "GIF", 0.01),
    "bmp": (_photo, "BMP", 0.01),
    "gray bmp": (lambda: _photo().convert("L"), "BMP", 0.01),
    "lossless webp": (_photo, "WEBP", 0.01),
    "jpeg": (_photo, "JPEG", 4),
    "gray jpeg": (lambda: _photo().convert("L"), "JPEG", 4),
    "cmyk jpeg": (lambda: _photo().convert("CMYK"), "JPEG", 4),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", FILES)
def test_files_are_read_as_pillow_reads_them(tmp_path, decode, name, channels):
    make, kind, tolerance = FILES[name]
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    make().save(tmp_path / "image", kind, **options)
    pixels = image_files.read_image(tmp_path / "image", channels=channels)
    expected = preprocessing.centre_crop(pixels, image_size=SIZE, crop_fraction=0.8)
    found = decode((tmp_path / "image").read_bytes(), channels)
    assert found.shape == (SIZE, SIZE, channels)
    np.testing.assert_allclose(found, expected, atol=tolerance)


def test_of_an_animation_the_first_frame_counts(decode):
    file = io.BytesIO()
    Image.new("RGB", (9, 9), "red").save(
        file, "GIF", save_all=True, append_images=[Image.new("RGB", (9, 9), "blue")]
    )
    np.testing.assert_array_equal(decode(file.getvalue(), 3)[0, 0], [255, 0, 0])


def _torn_png():
    file = io.BytesIO()
    _photo().save(file, "PNG")
    return file.getvalue()[:60]


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff\xe0", _torn_png()])
def test_what_is_no_image_is_refused(decode, data):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(data, 3)
