import zlib

import numpy as np
import pytest

from ss_tf.deltas import huffman
from ss_tf.edge import delta_layout, diff, patch


def test_each_region_is_packed_the_way_that_suits_it(delta):
    header = delta_layout.read(delta)
    assert [(group.bits, group.num_ranges) for group in header.groups] == [
        (2, 1),
        (4, 1),
        (8, 1),
        (32, 1),
    ]


def test_delta_is_near_the_entropy(delta, base, sub, regions):
    bits = 0.0
    for region in regions:
        place = slice(region.offset, region.offset + region.length)
        before, after = (np.frombuffer(data, np.uint8)[place] for data in (base, sub))
        counts = np.unique(after - before, return_counts=True)[1]
        bits += (counts * np.log2(counts.sum() / counts)).sum()
    # Tables of a few thousand bytes weigh; a group and its tables take about 100 bytes.
    assert len(delta) < 1.1 * bits / 8 + 4 * 100


def test_equal_networks_make_a_delta_without_groups(base, regions):
    delta = diff.make(base, base, regions)
    assert len(delta) == 88
    assert patch.apply(base, delta) == base


def test_minus_two_steps_are_a_field_where_they_are_frequent(base):
    sub = np.frombuffer(base, np.uint8).copy()
    sub[:4000] += np.random.default_rng(0).choice([0, 246, 5, 251], 4000).astype(np.uint8)
    delta = diff.make(base, sub.tobytes(), [diff.Region(0, 4000, False)])
    (group,) = delta_layout.read(delta).groups
    assert (group.bits, group.num_exceptions) == (2, 0)
    assert patch.apply(base, delta) == sub.tobytes()


def test_sparse_bytes_beside_dense_ones_take_less_than_either_plain_way():
    """Huffman codes take a bit for a byte at least; one table for both parts suits neither."""
    rng = np.random.default_rng(0)
    sparse = rng.choice([0, 7, 249], 60_000, p=[0.98, 0.01, 0.01])
    dense = rng.integers(0, 81, 10_000)
    data, ends = np.concatenate([sparse, dense]).astype(np.uint8), [60_000, 70_000]
    stream = diff._compress(data, ends)
    assert len(stream) < 0.97 * min(len(huffman.compress(data, ends)), len(zlib.compress(data, 9)))
    assert zlib.decompress(stream) == data.tobytes()


def test_words_that_are_products_take_little():
    rng = np.random.default_rng(0)
    base, sub = (rng.uniform(0.001, 0.1, 2000).astype("<f4") for _ in range(2))
    for network in (base, sub):
        network[1001:] = (network[0] * 1.00000002 * network[1:1000].astype(np.float64)).astype(
            "<f4"
        )
    with_products, without = (
        diff.make(
            base.tobytes(),
            sub.tobytes(),
            [diff.Region(0, 4004, True), diff.Region(4004, 3996, True, factors)],
        )
        for factors in ((0, 4), None)
    )
    assert [group.bits for group in delta_layout.read(with_products).groups] == [32, 64]
    # A word's last bit, and 20 bits or more.
    assert len(without) - len(with_products) > 2 * 999
    for delta in (with_products, without):
        assert patch.apply(base.tobytes(), delta) == sub.tobytes()


def test_words_that_are_no_products_are_packed_as_words():
    """As where a converter has other rules for the scales of biases."""
    base, sub = bytes(16), np.arange(1, 5, dtype="<u4").tobytes()
    regions = [diff.Region(0, 8, True), diff.Region(8, 8, True, (0, 4))]
    delta = diff.make(base, sub, regions)
    assert patch.apply(base, delta) == sub
    before = np.arange(4, dtype="<f4") + 1
    after = before.copy()
    after.view("<u4")[2:] += 1
    delta = diff.make(before.tobytes(), after.tobytes(), regions)
    (group,) = delta_layout.read(delta).groups
    assert group.bits == delta_layout.WORDS


def test_large_networks_make_several_groups_for_threads():
    base = bytes(6 << 20)
    sub = np.random.default_rng(0).choice([0, 0, 0, 1, 255], 6 << 20).astype(np.uint8).tobytes()
    regions = [diff.Region(start << 20, 1 << 20, False) for start in range(6)]
    delta = diff.make(base, sub, regions)
    assert len(delta_layout.read(delta).groups) == 3
    assert patch.apply(base, delta, num_threads=2) == sub


def test_differences_elsewhere_are_refused(base, sub, regions):
    with pytest.raises(ValueError, match="differ outside the regions"):
        diff.make(base, sub, regions[1:])
    with pytest.raises(ValueError, match="7500 and 7501 bytes"):
        diff.make(base, sub + b"x", regions)
