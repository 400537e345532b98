from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ss_tf.data import splits


def _keys(count, prefix="image"):
    return np.array([f"{prefix}/{index}.jpg" for index in range(count)])


def _held_keys(keys, labels, **kwargs):
    return set(keys[splits.hold_out(keys, labels, **kwargs)].tolist())


def test_the_smallest_digests_are_held_out():
    keys = _keys(10)
    by_hand = sorted(keys.tolist(), key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    held = _held_keys(keys, np.zeros(10, int), fraction=0.3, at_least=0)
    assert held == set(by_hand[:3])


@pytest.mark.parametrize(
    ("count", "fraction", "at_least", "expected"),
    [
        (10, 0.25, 0, 2),  # floor(2.5)
        (100, 0.29, 0, 29),  # 100 * 0.29 is 28.999999999999996 in floating point
        (3, 0.2, 0, 0),
        (3, 0.2, 1, 1),
        (1, 0.2, 1, 0),  # the only one stays
        (1, 0.99, 0, 0),
        (2, 0.9999999, 0, 1),
        (5, 0.0, 0, 0),
    ],
)
def test_number_held_out_is_the_floor_within_its_bounds(count, fraction, at_least, expected):
    held = splits.hold_out(_keys(count), np.zeros(count), fraction=fraction, at_least=at_least)
    assert held.sum() == expected


def test_every_label_gives_its_own_share():
    labels = np.repeat([0, 1, 7], [10, 20, 30])
    held = splits.hold_out(_keys(60), labels, fraction=0.1, at_least=0)
    assert [int(held[labels == label].sum()) for label in (0, 1, 7)] == [1, 2, 3]


def test_the_order_of_the_examples_does_not_matter():
    keys, labels = _keys(40), np.arange(40) % 3
    shuffled = np.random.default_rng(0).permutation(40)
    expected = _held_keys(keys, labels, fraction=0.3, at_least=0)
    assert _held_keys(keys[shuffled], labels[shuffled], fraction=0.3, at_least=0) == expected


def test_adding_an_image_moves_at_most_one_other_across():
    for count in range(5, 40):
        before = _held_keys(_keys(count), np.zeros(count), fraction=0.3, at_least=1)
        after = _held_keys(_keys(count + 1), np.zeros(count + 1), fraction=0.3, at_least=1)
        added = f"image/{count}.jpg"
        assert len((before ^ after) - {added}) <= 1


def test_nothing_to_split_gives_nothing():
    held = splits.hold_out(np.array([], str), np.array([], int), fraction=0.5, at_least=1)
    assert held.shape == (0,)
