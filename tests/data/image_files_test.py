from __future__ import annotations

import os
import pathlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ss_tf.data import image_files

_RED, _WHITE = (255, 0, 0), (255, 255, 255)


def _gradient(height=8, width=6):
    """Smooth colours, so that lossy formats change them little."""
    rows = np.linspace(0, 200, height)[:, None, None] * np.ones((1, width, 1))
    columns = np.linspace(0, 50, width)[None, :, None] * np.array([0, 1, 2])
    return np.round(rows + columns).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tif"])
def test_lossless_formats_give_the_same_pixels(tmp_path, extension):
    path = tmp_path / f"image{extension}"
    Image.fromarray(_gradient()).save(path)
    np.testing.assert_array_equal(
        image_files.read_image(path, channels=3), _gradient(), strict=True
    )


def test_webp_gives_the_same_pixels_when_lossless(tmp_path):
    Image.fromarray(_gradient()).save(tmp_path / "image.webp", lossless=True)
    read = image_files.read_image(tmp_path / "image.webp", channels=3)
    np.testing.assert_array_equal(read, _gradient())


def test_jpeg_gives_nearly_the_same_pixels(tmp_path):
    Image.fromarray(_gradient(16, 16)).save(tmp_path / "image.jpg", quality=95, subsampling=0)
    read = image_files.read_image(tmp_path / "image.jpg", channels=3)
    np.testing.assert_allclose(read, _gradient(16, 16), atol=6)


def test_grayscale_is_repeated_as_rgb_and_kept_as_one_channel(tmp_path):
    gray = _gradient()[..., 0]
    Image.fromarray(gray).save(tmp_path / "gray.png")
    as_rgb = image_files.read_image(tmp_path / "gray.png", channels=3)
    as_gray = image_files.read_image(tmp_path / "gray.png", channels=1)
    np.testing.assert_array_equal(as_rgb, np.stack([gray] * 3, axis=-1))
    np.testing.assert_array_equal(as_gray, gray[..., None], strict=True)


def test_sixteen_bit_gray_is_scaled_and_not_clipped(tmp_path):
    values = np.array([[0, 256, 257], [32768, 65534, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    read = image_files.read_image(tmp_path / "deep.png", channels=1)
    # 65535 / 255 = 257.
    np.testing.assert_array_equal(read[..., 0], [[0, 0, 1], [127, 254, 255]])


def _write_deep_png(path, pixels):
    """Writes uint16 pixels `[height, width, 2, 3 or 4]`, which Pillow itself cannot."""
    height, width, channels = pixels.shape
    colour_type = {2: 4, 3: 2, 4: 6}[channels]
    # Numbers are big-endian; filter 0 before each row.
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in chunks:
        checksum = zlib.crc32(name + content)
        data += struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
    path.write_bytes(data)


def test_sixteen_bit_colour_keeps_the_upper_eight_bits(tmp_path):
    pixels = np.array([[[0, 255, 256], [0x1234, 0x80FF, 0xFFFF]]], np.uint16)
    _write_deep_png(tmp_path / "deep.png", pixels)
    read = image_files.read_image(tmp_path / "deep.png", channels=3)
    # Values / 256, rounded down.
    np.testing.assert_array_equal(read, [[[0, 0, 1], [0x12, 0x80, 0xFF]]])


def test_sixteen_bit_gray_is_mixed_with_white_by_its_alpha(tmp_path):
    # Gray and alpha: opaque, half transparent, and not there at all.
    pixels = np.array([[[0x40FF, 0xFFFF], [0x4000, 0x8000], [0x4000, 0]]], np.uint16)
    _write_deep_png(tmp_path / "deep.png", pixels)
    # 0x40 = 64 and 0x80 = 128 of 255: 64 * 128 / 255 + 255 * 127 / 255 = 159.1.
    expected = [64, 159, 255]
    gray = image_files.read_image(tmp_path / "deep.png", channels=1)
    np.testing.assert_allclose(gray[0, :, 0].astype(int), expected, atol=1)
    colour = image_files.read_image(tmp_path / "deep.png", channels=3)
    np.testing.assert_array_equal(colour, np.repeat(gray, 3, axis=2))


def test_sixteen_bit_colour_is_mixed_with_white_by_its_alpha(tmp_path):
    pixels = np.array([[[0xFFFF, 0, 0, 0xFFFF], [0xFFFF, 0, 0, 0x8000]]], np.uint16)
    _write_deep_png(tmp_path / "deep.png", pixels)
    read = image_files.read_image(tmp_path / "deep.png", channels=3)
    # As with 8 bits: 255 * (1 - 128 / 255) = 127.
    np.testing.assert_allclose(read[0].astype(int), [_RED, [255, 127, 127]], atol=1)


def test_float_pixels_are_refused_because_their_range_is_unknown(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "depth.tif")
    with pytest.raises(ValueError, match=r"depth\.tif: its pixels are 32-bit.*mode F"):
        image_files.read_image(tmp_path / "depth.tif", channels=3)


def test_cmyk_becomes_rgb(tmp_path):
    # Full cyan ink takes all red away.
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(tmp_path / "ink.jpg", quality=95)
    read = image_files.read_image(tmp_path / "ink.jpg", channels=3)
    np.testing.assert_allclose(read[8, 8].astype(int), [0, 255, 255], atol=4)


def test_palette_colours_are_looked_up(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*_RED, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.png")
    read = image_files.read_image(tmp_path / "palette.png", channels=3)
    np.testing.assert_array_equal(read, [[_RED, (0, 0, 255)]])


def test_transparent_palette_entry_is_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*_RED, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.png", transparency=1)
    read = image_files.read_image(tmp_path / "palette.png", channels=3)
    np.testing.assert_array_equal(read, [[_RED, _WHITE]])


def test_half_transparent_pixels_are_mixed_with_white(tmp_path):
    Image.new("RGBA", (1, 1), (*_RED, 128)).save(tmp_path / "glass.png")
    read = image_files.read_image(tmp_path / "glass.png", channels=3)
    # 128 / 255 of red over white: 255 * (1 - 128 / 255) = 127.
    np.testing.assert_allclose(read[0, 0].astype(int), [255, 127, 127], atol=1)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
def test_exif_rotation_is_applied(tmp_path, extension):
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn 90 degrees clockwise to show upright.
    Image.fromarray(_gradient(16, 24)).save(tmp_path / f"turned{extension}", exif=exif)
    read = image_files.read_image(tmp_path / f"turned{extension}", channels=3)
    np.testing.assert_allclose(read, np.rot90(_gradient(16, 24), k=-1), atol=30)
    assert read.shape == (24, 16, 3)


@pytest.mark.parametrize("extension", [".gif", ".webp"])
def test_first_frame_of_an_animation_is_taken(tmp_path, extension):
    frames = [Image.new("RGB", (8, 8), color) for color in (_RED, (0, 255, 0))]
    frames[0].save(tmp_path / f"film{extension}", save_all=True, append_images=frames[1:])
    read = image_files.read_image(tmp_path / f"film{extension}", channels=3)
    np.testing.assert_allclose(read[4, 4].astype(int), _RED, atol=4)


@pytest.mark.parametrize("name", ["größe 10 %.png", "犬.png", "a'b\"c;$.png", "two.dots.PNG"])
def test_odd_file_names_are_read(tmp_path, name):
    Image.new("RGB", (2, 2)).save(tmp_path / name)
    assert image_files.read_image(tmp_path / name, channels=3).shape == (2, 2, 3)


def test_the_content_counts_and_not_the_extension(tmp_path):
    Image.fromarray(_gradient()).save(tmp_path / "image.jpg", format="PNG")
    read = image_files.read_image(tmp_path / "image.jpg", channels=3)
    np.testing.assert_array_equal(read, _gradient())


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_large_images_shrink_by_a_whole_factor_but_not_below_min_side(tmp_path, extension):
    Image.fromarray(_gradient(100, 210)).save(tmp_path / f"large{extension}", quality=95)
    read = image_files.read_image(tmp_path / f"large{extension}", channels=3, min_side=24)
    assert read.shape == (25, 53, 3)
    rows = _gradient(100, 210).reshape(25, 4, 210, 3)[:, :, :208].mean(axis=1)
    np.testing.assert_allclose(read[:, :52], rows.reshape(25, 52, 4, 3).mean(axis=2), atol=6)


def test_small_images_are_not_enlarged(tmp_path):
    Image.fromarray(_gradient()).save(tmp_path / "small.png")
    read = image_files.read_image(tmp_path / "small.png", channels=3, min_side=24)
    np.testing.assert_array_equal(read, _gradient())


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "nothing.jpg").touch()
    with pytest.raises(ValueError, match=r"nothing\.jpg: the file is empty"):
        image_files.read_image(tmp_path / "nothing.jpg", channels=3)


def test_text_named_jpg_is_refused(tmp_path):
    (tmp_path / "notes.jpg").write_text("not a photo")
    with pytest.raises(ValueError, match=r"notes\.jpg: not an image, or none of JPEG, PNG"):
        image_files.read_image(tmp_path / "notes.jpg", channels=3)


def test_a_format_that_is_not_listed_is_refused_although_pillow_reads_it(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "page.jpg", format="EPS")
    with pytest.raises(ValueError, match=r"page\.jpg: not an image, or none of"):
        image_files.read_image(tmp_path / "page.jpg", channels=3)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".gif", ".bmp", ".tif"])
def test_truncated_files_are_refused_with_path_and_reason(tmp_path, extension):
    path = tmp_path / f"half{extension}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(image_files.UnreadableImageError, match=rf"half\{extension}: \w+") as info:
        image_files.read_image(path, channels=3)
    assert "\n" not in str(info.value)
    assert str(path) not in info.value.reason


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.jpg: No such file or directory"):
        image_files.read_image(tmp_path / "gone.jpg", channels=3)


def test_more_pixels_than_the_limit_are_refused_before_decoding(tmp_path, monkeypatch):
    Image.new("RGB", (40, 30)).save(tmp_path / "wall.png")
    monkeypatch.setattr(image_files, "MAX_PIXELS", 1199)
    with pytest.raises(ValueError, match=r"wall\.png: it has 40 x 30 pixels, expected.*1,199"):
        image_files.read_image(tmp_path / "wall.png", channels=3)


def test_a_decompression_bomb_is_refused(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (1, 1)).save(path)
    data = bytearray(path.read_bytes())
    # The header's width and height, and the checksum over it.
    data[16:24] = struct.pack(">II", 20000, 20000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"bomb\.png: Image size \(400000000 pixels\)"):
        image_files.read_image(path, channels=3)


def _read_or_refuse(path):
    try:
        return image_files.read_image(path, channels=3)
    except image_files.UnreadableImageError:
        return None


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("file_format", ["jpeg", "png", "webp", "gif", "bmp", "tiff"])
def test_damaged_files_are_read_or_refused_but_never_fail_otherwise(tmp_path, file_format):
    generator = np.random.default_rng(0)
    path = tmp_path / "file"
    Image.fromarray(_gradient(16, 16)).save(path, format=file_format)
    valid = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(60):
        damaged = valid.copy()
        where = generator.integers(len(damaged), size=4)
        damaged[where] = generator.integers(0, 256, size=4)
        path.write_bytes(damaged.tobytes())
        read = _read_or_refuse(path)
        assert read is None or (read.dtype == np.uint8 and read.ndim == 3 and read.size > 0)


def test_printable_escapes_what_is_not_utf8():
    path = pathlib.Path(os.fsdecode(b"dog/caf\xe9.jpg"))
    assert image_files.printable(path) == r"dog/caf\xe9.jpg"
