"""Tests of telling whole image files from broken ones, on files that Pillow writes."""

import io
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from tfds_superclass.superclass_imagenet import whole_images

_NAME = "n02085620_7.JPEG"
_PNG_NAME = "n02105855_2933.JPEG"


def _encode(image_format, **settings):
    pixels = np.random.default_rng(0).integers(256, size=(48, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, image_format, **settings)
    return buffer.getvalue()


@pytest.fixture(name="jpeg", params=[False, True], ids=["baseline", "progressive"])
def _jpeg(request):
    return _encode("JPEG", progressive=request.param)


@pytest.mark.parametrize("padding", [b"", bytes(60), b"\r\n", b"junk"])
def test_a_whole_jpeg_passes_without_being_decoded(jpeg, padding):
    with mock.patch.object(whole_images.Image, "open") as decode:
        assert whole_images.fault(_NAME, jpeg + padding) == ""
    decode.assert_not_called()


def test_a_jpeg_with_much_behind_its_end_passes(jpeg):
    assert whole_images.fault(_NAME, jpeg + b"x" * 5000) == ""


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_cut_jpeg_is_refused(jpeg, share):
    data = jpeg[: int(share * len(jpeg))]
    message = f"is cut off or damaged, {len(data):,} bytes long"
    assert whole_images.fault(_NAME, data) == message


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"<html>", b"GIF89a"])
def test_what_begins_otherwise_is_refused(data):
    assert whole_images.fault(_NAME, data) == f"begins with {data[:4]!r}"


def test_imagenets_png_alone_may_be_one():
    data = _encode("PNG")
    assert whole_images.fault(_PNG_NAME, data) == ""
    assert "cut off" in whole_images.fault(_PNG_NAME, data[: len(data) // 2])
    assert "begins with b'\\x89PNG'" in whole_images.fault(_NAME, data)
