import numpy as np
import pytest

from ss_tf import files
from ss_tf.evaluation import thumbnail_file

_IMAGES = [b"RIFF first", b"", b"third\x00"]


def _write(path, **changes):
    return thumbnail_file.write(path, np.array([7, 2, 11]), _IMAGES, digest="d1", **changes)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / thumbnail_file.NAME
    assert _write(path) == 3
    assert thumbnail_file.read(path, digest="d1") == {7: _IMAGES[0], 2: b"", 11: _IMAGES[2]}


def test_images_stop_at_the_budget_and_are_not_even_made(tmp_path):
    def images():
        yield b"1234"
        yield b"56"
        yield b"789"
        raise RuntimeError("There was no room for a fourth.")

    path = tmp_path / "t.safetensors"
    positions = np.arange(10)
    assert thumbnail_file.write(path, positions, images(), digest="d", max_bytes=7) == 2
    assert thumbnail_file.read(path, digest="d") == {0: b"1234", 1: b"56"}


def test_a_run_without_errors_has_an_empty_file(tmp_path):
    path = tmp_path / "t.safetensors"
    assert thumbnail_file.write(path, np.zeros(0, np.int64), [], digest="d") == 0
    assert thumbnail_file.read(path, digest="d") == {}


def test_thumbnails_of_other_images_are_refused(tmp_path):
    path = tmp_path / "t.safetensors"
    _write(path)
    with pytest.raises(ValueError, match=r"t\.safetensors has .*images d1, expected d2: evaluate"):
        thumbnail_file.read(path, digest="d2")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ends", np.array([10, 9, 16]), "3 positions and 3 ends do not tell its 16 bytes apart"),
        ("ends", np.array([10, 16]), "3 positions and 2 ends"),
        ("ends", np.array([10, 10, 99]), "do not tell its 16 bytes apart"),
        ("ends", np.array([-5, 10, 16]), "do not tell its 16 bytes apart"),
        ("images", np.zeros((4, 4), np.uint8), "expected positions, ends and images"),
        ("positions", np.zeros(3, np.float32), "expected positions, ends and images"),
    ],
)
def test_damage_is_named(tmp_path, name, value, message):
    path = tmp_path / "t.safetensors"
    _write(path)
    tensors, metadata = files.read_tensors(path)
    files.write_tensors(path, {**tensors, name: value}, metadata=metadata)
    with pytest.raises(ValueError, match=rf"t\.safetensors is damaged: .*{message}"):
        thumbnail_file.read(path, digest="d1")
