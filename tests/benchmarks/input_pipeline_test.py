"""Tests of what the benchmark of input pipelines compares; never of its times."""

import io
import itertools

import numpy as np
import pytest
from input_systems import photos, pipelines, timing
from PIL import Image


def test_photos_are_those_of_their_seed_and_about_as_large_as_imagenets():
    drawn = [photos.make_photo(seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    image = Image.open(io.BytesIO(drawn[0]))
    assert (image.format, image.size, image.mode) == ("JPEG", (500, 375), "RGB")
    assert 50_000 < len(drawn[0]) < 200_000


def test_pipelines_show_the_same_images(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "NUM_IMAGES", 3)
    builder = photos.prepare(tmp_path)
    assert len(list(tmp_path.glob("*.jpg"))) == 3
    plain, _ = next(iter(pipelines.plain_tfds(builder, is_normalised=False)))
    normalised, _ = next(iter(pipelines.plain_tfds(builder, is_normalised=True)))
    ours = next(iter(pipelines.ours(builder, batch_size=8, min_crop_area=1.0)))
    assert plain.shape == normalised.shape == (pipelines.BATCH_SIZE, 224, 224, 3)
    assert ours.images.shape == (8, 224, 224, 3)
    # In another order, mirrored or not, and cut to another shape: so the brightness tells.
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    known = ((plain.numpy() / 255 - mean) / std).mean(axis=(1, 2))
    for batch in (normalised.numpy(), ours.images.numpy()):
        for brightness in batch.mean(axis=(1, 2)):
            assert np.abs(known - brightness).max(axis=1).min() < 0.2


def test_pipelines_take_turns_and_only_a_part_is_timed(monkeypatch):
    taken = []
    clock = itertools.count()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    systems = {
        name: lambda name=name: iter(lambda: taken.append(name), "never") for name in ("a", "b")
    }
    rates = timing.time_pipelines(systems, 2)
    assert [name for name, _ in itertools.groupby(taken)] == ["a", "b", "a", "b"]
    # A second for all batches that are timed, of all cores together.
    expected = 16 * pipelines.BATCH_SIZE / pipelines.CORES
    assert rates == {"a": [expected] * 2, "b": [expected] * 2}


def test_ratios_are_of_one_turn_each():
    rates = {"ours": [2.0, 9.0, 8.0], "theirs": [1.0, 3.0, 2.0]}
    assert timing.ratio(rates, "ours", "theirs") == 3.0
    assert timing.ratio(rates, "ours", "missing") is None


def test_boxes_of_torch_lie_inside_and_have_the_area(monkeypatch):
    pytest.importorskip("torch", reason="not installed")
    for _ in range(50):
        left, top, right, bottom = pipelines._random_box(500, 375)
        assert 0 <= left < right <= 500
        assert 0 <= top < bottom <= 375
        assert (right - left) * (bottom - top) > 0.34 * 500 * 375
