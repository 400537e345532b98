import io

import numpy as np
import pytest
from PIL import Image

from ss_tf.data import examples, thumbnails


def _examples(images, files=()):
    count = len(images)
    keys = np.array([f"{index}" for index in range(count)])
    return examples.Examples(images, np.zeros(count, np.int64), keys, files)


def _photo(height, width):
    rows = np.linspace(20, 230, height)[:, np.newaxis, np.newaxis]
    return np.broadcast_to(rows, (height, width, 3)).astype(np.uint8)


def _opened(encoded):
    image = Image.open(io.BytesIO(encoded))
    assert image.format == "WEBP"
    return np.asarray(image.convert("RGB")).astype(int)


def test_small_images_keep_their_size_and_look():
    images = np.stack([_photo(32, 24)[..., :1], 255 - _photo(32, 24)[..., :1]])
    made = list(thumbnails.make(_examples(images), channels=1))
    for encoded, image in zip(made, images, strict=True):
        shown = _opened(encoded)
        assert shown.shape == (32, 24, 3)
        assert np.abs(shown - image).mean() < 3


def test_photos_are_shrunk_whole(tmp_path):
    paths = [str(tmp_path / name) for name in ("wide.png", "tall.jpg")]
    for path, shape in zip(paths, [(150, 400), (600, 200)], strict=True):
        Image.fromarray(_photo(*shape)).save(path)
    wide, tall = map(_opened, thumbnails.make(_examples(np.array(paths)), channels=3))
    assert wide.shape == (36, 96, 3)
    assert tall.shape == (96, 32, 3)
    # Nothing is cut off: first and last rows are those of the photo.
    assert abs(tall[0].mean() - 20) < 6
    assert abs(tall[-1].mean() - 230) < 6


def _record(data, before=b"header"):
    return before + data + b"footer", (0, len(before), len(data))


def test_images_inside_larger_files_are_found(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(_photo(400, 300)).save(buffer, "JPEG")
    content, place = _record(buffer.getvalue())
    shard = tmp_path / "shard"
    shard.write_bytes(content)
    made = thumbnails.make(_examples(np.array([place], examples.RECORD), (str(shard),)), channels=3)
    (shown,) = map(_opened, made)
    assert shown.shape == (96, 72, 3)
    assert abs(shown[0].mean() - 20) < 6


def test_a_damaged_image_is_named(tmp_path):
    content, place = _record(b"\xff\xd8\xff and no more")
    shard = tmp_path / "shard"
    shard.write_bytes(content)
    damaged = _examples(np.array([place], examples.RECORD), (str(shard),))
    with pytest.raises(ValueError, match=r"shard has a damaged JPEG image of 15 bytes at byte 6"):
        list(thumbnails.make(damaged, channels=3))
